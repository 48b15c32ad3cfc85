"""zoopraxis diagnose DATA --model M: does time matter, for this network and these videos."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoopraxis.cli._shown import (
    ACCEPT_LICENCE,
    class_line,
    download_bar,
    stage_bar,
    warn_untrained,
)
from zoopraxis.cli._table import print_table, span
from zoopraxis.errors import ZoopraxisError, did_you_mean

if TYPE_CHECKING:
    from zoopraxis.explain.diagnose import Diagnosis

_LISTED = 10  # classes that become others


def diagnose(
    data: Annotated[str, typer.Argument(help="Folder of classes, or a list.")],
    model: Annotated[str, typer.Option(help="NAME.TAG, a run's folder, or a .safetensors file.")],
    static: Annotated[
        str, typer.Option(help="Network of the same classes that classifies each frame alone.")
    ] = "",
    play: Annotated[
        str, typer.Option(help="Ways to play clips (comma separated).")
    ] = "reversed,shuffled,frozen,subsampled,sped_up",
    factor: Annotated[
        int, typer.Option(min=2, help="Of subsampled and sped_up: how many times.")
    ] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of shuffled.")] = 0,
    pair: Annotated[
        list[str] | None, typer.Option(help="Classes that are each other reversed, A:B; repeat.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the page and the logits.")] = Path(
        "diagnosis"
    ),
    views: Annotated[int, typer.Option(min=1, help="Clips over each video.")] = 1,
    crops: Annotated[int, typer.Option(help="Crops of each clip: 1, 3, 5 or 10.")] = 1,
    mode: Annotated[str, typer.Option(help="How views are aggregated; by default the mean.")] = "",
    groups: Annotated[str, typer.Option(help="Only these groups (comma separated).")] = "",
    first_label: Annotated[
        int | None, typer.Option(min=0, max=1, help="First class, where labels are numbers.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode videos.")] = 0,
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Test a network on clips reversed, shuffled, frozen, sub-sampled and sped up."""
    from zoopraxis.checkpoints.saved import open_model
    from zoopraxis.data.samples import read_samples
    from zoopraxis.explain.diagnose import diagnose as diagnosed
    from zoopraxis.explain.diagnosis_page import write_diagnosis
    from zoopraxis.inputs.playback import ORDERS, Playback
    from zoopraxis.prediction.aggregate import MODES

    if mode and mode not in MODES:
        raise ZoopraxisError(f"unknown mode {mode!r}", f"known: {', '.join(MODES)}")
    known = {order: order for order in ORDERS if order != "forwards"}
    plays = []
    for word in play.split(","):
        if word not in known:
            raise ZoopraxisError(
                f"a clip cannot be played {word!r}",
                did_you_mean(word, known, otherwise=f"known: {', '.join(known)}"),
            )
        plays.append(Playback(order=known[word], factor=factor, seed=seed))
    pairs = []
    for words in pair or ():
        first, colon, second = words.partition(":")
        if not colon:
            raise ZoopraxisError(f"{words!r} is no pair of classes", "give --pair sit:stand")
        pairs.append((first, second))
    with download_bar(model) as downloaded:
        net = open_model(model, accept_licence=accept_licence, progress=downloaded)
        still = open_model(static, accept_licence=accept_licence) if static else None
    samples = read_samples(data, labels=net.labels, first_label=first_label)
    if groups:
        samples = samples.of_groups(groups.split(","))
    print(class_line(samples), file=sys.stderr)
    for one in (net, still):
        if one is not None:
            warn_untrained(one)
    with stage_bar() as progress:
        found = diagnosed(
            net,
            samples,
            static=still,
            plays=plays,
            pairs=pairs,
            views=views,
            crops=crops,
            mode=mode or None,
            device=device,
            workers=workers,
            keep=out,
            progress=progress,
            say=lambda line: print(line, file=sys.stderr),
        )
    page = write_diagnosis(
        found, out / "report.html", title=f"{Path(data).name}: does time matter?"
    )
    if as_json:
        print(json.dumps({**found.summary(), "report": str(page)}, indent=1, allow_nan=False))
        return
    _print(found)
    print(f"report {page}")


def _print(found: "Diagnosis") -> None:
    """Print a table of the ways of playing, then what reversed classes become, and the bias."""
    within = found.within_pairs
    rows = []
    for name, effect in found.effects.items():
        pairs = effect.pairs
        against = (
            f"{100 * pairs.change:+.1f}",
            span(pairs.interval, sign="+"),
            f"{pairs.p_value:.2g}",
            f"{100 * effect.changed:.1f}",
        )
        rows.append(
            (
                name,
                f"{100 * effect.accuracy:.1f}",
                span(effect.interval),
                *(("",) * len(against) if name == "forwards" else against),
                *((f"{100 * within[name]:.1f}",) if within else ()),
            )
        )
    head = ("played", "top-1 %", "95 %", "change", "95 %", "p", "answers changed %")
    print_table(head + (("within pairs %",) if within else ()), rows)
    for why in found.refused.values():
        print(why)
    for name in found.contradictions:
        print(
            f"{found.model} is declared to ignore the order of frames, but {name} clips change it"
        )
    reverse = found.effects.get("reversed")
    for flip in reverse.flips()[:_LISTED] if reverse else ():
        both = ", and the other way round" * flip.mutual
        print(f"reversed, {flip.label} becomes {flip.becomes}: {flip.count} of {flip.videos}{both}")
    bias = found.bias
    if bias is not None:
        score = "undefined" if bias.score is None else f"{100 * bias.score:.0f} %"
        print(
            f"static bias {score}: {bias.static} {100 * bias.static_accuracy:.1f} %, "
            f"{bias.temporal} {100 * bias.temporal_accuracy:.1f} %, "
            f"most frequent class {100 * bias.chance:.1f} %"
        )
