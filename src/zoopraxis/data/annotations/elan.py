"""ELAN's EAF: XML with tiers of annotations, whose time slots count milliseconds."""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.annotations.base import Marked, Options, local_path, xml_of
from zoopraxis.errors import DataError, did_you_mean

__all__ = ["read_elan"]


def read_elan(file: Path, options: Options) -> Iterator[Marked]:
    """Read the annotations of a tier, or of all, that are between two time slots."""
    root = xml_of(file)
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    if media is None:
        raise DataError(f"{file} names no video", "link the video in ELAN, and save the file")
    video = local_path(media.get("RELATIVE_MEDIA_URL") or media.attrib["MEDIA_URL"])
    tiers = {tier.attrib["TIER_ID"]: tier for tier in root.iter("TIER")}
    if options.tier and options.tier not in tiers:
        raise DataError(f"{file} has no tier {options.tier!r}", did_you_mean(options.tier, tiers))
    slots = {slot.attrib["TIME_SLOT_ID"]: slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    for name in [options.tier] if options.tier else tiers:
        for note in tiers[name].iter("ALIGNABLE_ANNOTATION"):
            edges = [slots[note.attrib[f"TIME_SLOT_REF{k}"]] for k in (1, 2)]
            label = (note.findtext("ANNOTATION_VALUE") or "").strip()
            if edges[0] is None or edges[1] is None:
                raise DataError(
                    f"{file}, tier {name}: {label!r} is not aligned in time",
                    "choose another tier, or align it in ELAN",
                )
            start, end = (int(edge) / 1000 for edge in edges if edge is not None)
            yield Marked(path=video, start=start, end=end, label=label)
