"""ELAN's EAF: XML with tiers of annotations, whose time slots count milliseconds.

::

    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/> <TIME_SLOT TIME_SLOT_ID="ts2"/> ...
    <TIER TIER_ID="act"> <ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" ...
    <TIER TIER_ID="hand" PARENT_REF="act"> <REF_ANNOTATION ANNOTATION_REF="a1" ...

Of annotations that follow one another, only the first and the last slot may have a time; ELAN shows
the slots between them at equal distances. An annotation that refers to another has its time;
several that refer to the same one divide it equally.
"""

import math
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from zoopraxis.data.annotations.base import LeftOut, Marked, Options, local_path, xml_of
from zoopraxis.errors import DataError, did_you_mean

__all__ = ["read_elan"]

_Spans = dict[str, tuple[float, float]]  # milliseconds of annotations, by their id


def read_elan(file: Path, options: Options) -> Iterator[Marked | LeftOut]:
    """Read the annotations of a tier, or of all tiers that have times of their own."""
    root = xml_of(file)
    video, origin = _media(root)
    tiers = {tier.attrib["TIER_ID"]: tier for tier in root.iter("TIER")}
    if options.tier and options.tier not in tiers:
        raise DataError(f"{file} has no tier {options.tier!r}", did_you_mean(options.tier, tiers))
    spans = _spans(root, list(tiers.values()))
    for name in [options.tier] if options.tier else tiers:
        for note in tiers[name].iterfind("ANNOTATION/*"):
            if note.tag == "REF_ANNOTATION" and not options.tier:
                yield LeftOut(f"annotations that refer to others, which --tier {name!r} would take")
            elif note.attrib["ANNOTATION_ID"] not in spans:
                yield LeftOut(f"annotations of tier {name!r} that are not aligned in time")
            else:
                start, end = spans[note.attrib["ANNOTATION_ID"]]
                yield Marked(
                    path=video,
                    start=(start + origin) / 1000,
                    end=(end + origin) / 1000,
                    label=(note.findtext("ANNOTATION_VALUE") or "").strip(),
                )


def _media(root: Element) -> tuple[str, int]:
    """Path of the first video, else of the first recording, and where in it time 0 is, in ms."""
    media = root.findall("HEADER/MEDIA_DESCRIPTOR")
    media.sort(key=lambda one: not one.get("MIME_TYPE", "").startswith("video"))
    for one in media:
        address = one.get("RELATIVE_MEDIA_URL") or one.attrib["MEDIA_URL"]
        return local_path(address), int(one.get("TIME_ORIGIN", 0))
    return "", 0


def _spans(root: Element, tiers: list[Element]) -> _Spans:
    """Milliseconds of all annotations that are aligned, or refer to such."""
    slots: dict[str, float] = {}
    for slot in root.iter("TIME_SLOT"):
        time = slot.get("TIME_VALUE")
        slots[slot.attrib["TIME_SLOT_ID"]] = math.nan if time is None else int(time)
    spans: _Spans = {}
    for tier in tiers:
        edges = [
            (
                note.attrib["ANNOTATION_ID"],
                note.attrib["TIME_SLOT_REF1"],
                note.attrib["TIME_SLOT_REF2"],
            )
            for note in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        _fill([(first, last) for _, first, last in edges], slots)
        for name, first, last in edges:
            if not np.isnan(slots[first] + slots[last]):
                spans[name] = slots[first], slots[last]
    references = [
        (above, [note.attrib["ANNOTATION_ID"] for note in notes])
        for tier in tiers
        for above, notes in groupby(
            tier.iter("REF_ANNOTATION"), lambda note: note.attrib["ANNOTATION_REF"]
        )
    ]
    while references:  # in the order of the file, an annotation may come before its own
        later = []
        for above, names in references:
            if above in spans:
                times = np.linspace(*spans[above], len(names) + 1).tolist()
                spans.update(zip(names, pairwise(times), strict=True))
            else:
                later.append((above, names))
        references = later if len(later) < len(references) else []
    return spans


def _fill(edges: list[tuple[str, ...]], slots: dict[str, float]) -> None:
    """Give slots without a time (NaN) equal distances between those of one chain that have one."""
    chains: list[list[str]] = []
    for first, last in edges:
        if chains and chains[-1][-1] == first:
            chains[-1].append(last)
        else:
            chains.append([first, last])
    for chain in chains:
        times = np.array([slots[slot] for slot in chain])
        known = np.flatnonzero(~np.isnan(times))
        if len(known):
            between = np.arange(known[0], known[-1] + 1)
            filled = np.interp(between, known, times[known]).tolist()
            slots.update(zip(chain[known[0] : known[-1] + 1], filled, strict=True))
