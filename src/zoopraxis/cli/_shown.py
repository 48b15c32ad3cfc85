"""Errors and progress on a terminal."""

import atexit
import gc
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from zoopraxis.errors import ZoopraxisError

if TYPE_CHECKING:
    from zoopraxis.checkpoints.saved import OpenModel
    from zoopraxis.data.samples import SampleList
    from zoopraxis.engine.compiled import Compiled
    from zoopraxis.spec import Protocol

__all__ = [
    "ACCEPT_LICENCE",
    "CONVENTION",
    "ENGINE",
    "FULLY_CONVOLUTIONAL",
    "NUM_FRAMES",
    "PRECISION",
    "RESIZE",
    "SIZE",
    "THREADS",
    "accept_licences",
    "as_tested",
    "asked",
    "class_line",
    "compile_for_engine",
    "counting_bar",
    "download_bar",
    "open_for_engine",
    "progress_bar",
    "show_bug",
    "show_error",
    "stage_bar",
    "warn_untrained",
]

CLASSES_NAMED = 10  # on one line


def show_error(error: ZoopraxisError) -> None:
    """Print what went wrong, and what to do about it, to stderr."""
    print(f"error: {error.problem}", file=sys.stderr)
    if error.hint:
        print(f"hint:  {error.hint}", file=sys.stderr)


def show_bug(video: str, error: Exception) -> None:
    """Print an error that nobody expected, with its traceback, to stderr."""
    traceback.print_exception(error, file=sys.stderr)
    problem = f"{video}: {type(error).__name__}: {error}"
    show_error(
        ZoopraxisError(problem, "this is a bug of zoopraxis: please report it with the lines above")
    )


def warn_untrained(net: "OpenModel") -> None:
    """Say on stderr that a network has random weights, if it has."""
    if not net.trained:
        print(
            f"warning: {net.name} has random weights: its predictions mean nothing",
            file=sys.stderr,
        )


def class_line(samples: "SampleList") -> str:
    """Count the videos of each class of a list on one line, the largest first."""
    labels = [s.label if isinstance(s.label, tuple) else (s.label,) for s in samples]
    counts = Counter(samples.labels[k] for label in labels for k in label)
    of = "" if len(counts) == len(samples.labels) else f" of the model's {len(samples.labels)}"
    named = [f"{name} ({count})" for name, count in counts.most_common(CLASSES_NAMED)]
    others = [count for _, count in counts.most_common()[CLASSES_NAMED:]]
    if others:
        each = f"{others[-1]}" if others[-1] == others[0] else f"{others[-1]} to {others[0]}"
        named.append(f"and {len(others)} more with {each} each")
    classes = "1 class" if len(counts) == 1 else f"{len(counts)} classes"
    videos = "1 video" if len(samples) == 1 else f"{len(samples)} videos"
    return f"{videos} of {classes}{of}: {', '.join(named)}"


LEAK_REPORTERS = frozenset({"onnx", "triton"})
"""Packages whose extensions (nanobind's) print what of theirs is alive at the end."""

ACCEPT_LICENCE = "Accept a licence of the weights for other than commercial use."
"""Help of the option ``--accept-licence``."""

CONVENTION = "Whose rule chooses the frames: pyslowfast, tsn, ... Default: the model's, or ours."
"""Help of the option ``--convention``."""

NUM_FRAMES = "Frames of a clip. Default: the model's."
"""Help of the option ``--num-frames``."""

SIZE = "Side of the crops, in pixels. Default: the model's."
"""Help of the option ``--size``."""

RESIZE = "Shorter side of the frames before they are cropped. Default: the model's."
"""Help of the option ``--resize``."""

FULLY_CONVOLUTIONAL = "Average windows of the crops, of this size: that of training."
"""Help of the option ``--fully-convolutional``."""

ENGINE = (
    "What runs the network on a CPU; auto is OpenVINO if installed, else torch. "
    "Default: torch, or what an exported file is for."
)
"""Help of the option ``--engine``."""

PRECISION = "Of the arithmetic; the halves are faster where the device has them, and 1e-2 off."
"""Help of the option ``--precision``."""

THREADS = "Threads of the engine; 0 leaves it to the engine."
"""Help of the option ``--threads``."""


@contextmanager
def importing() -> Iterator[None]:
    """Look for no garbage in what is imported: meanwhile, ever after, and at the end.

    Importing torch makes two hundred thousand objects that stay: looking through them takes a
    third of a short command's time.
    """
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # once in a process: what is frozen is never freed
            gc.freeze()
            atexit.register(_unfreeze)
        gc.enable()


def _unfreeze() -> None:
    """Let what is alive be collected where a library would report it as a leak."""
    if not LEAK_REPORTERS.isdisjoint(sys.modules):
        gc.unfreeze()


def open_for_engine(
    model: str,
    *,
    engine: Literal["auto", "torch", "openvino", "onnx", "eager"] | None,
    threads: int,
    device: str,
    precision: str = "float32",
    accept_licence: bool,
    changed: "Callable[[OpenModel], OpenModel]" = lambda net: net,
) -> "OpenModel":
    """Open a network, or an exported file, to be run by an engine; "eager" leaves it as it is.

    What is to be changed for a test is changed before the engine compiles it.
    """
    with importing():
        from zoopraxis.checkpoints.saved import open_model
        from zoopraxis.engine.allocator import keep_memory
        from zoopraxis.engine.compiled import is_exported
        from zoopraxis.engine.export import opened_from
        from zoopraxis.engine.optimize import optimize_opened

    if is_exported(model):
        if engine == "eager":
            raise ZoopraxisError(
                f"{model} is exported: its layers cannot be followed",
                "give the network that it was exported from",
            )
        compiled = compile_for_engine(
            model, engine=engine, threads=threads, device=device, precision=precision
        )
        return changed(opened_from(compiled, model))
    if device == "cpu":
        keep_memory()
    with download_bar(model) as downloaded:
        net = changed(open_model(model, accept_licence=accept_licence, progress=downloaded))
    if engine == "eager":
        if threads:
            import torch

            torch.set_num_threads(threads)
        return net
    if device == "cpu" and precision != "float32" and engine in (None, "torch"):
        _note_slow(precision)
    return optimize_opened(
        net, engine=engine or "torch", precision=precision, threads=threads, device=device
    )


def asked(net: "OpenModel", *, by_published: bool = False, **options: Any) -> "Protocol":
    """Return the protocol of the options that are given, in place of the published one's."""
    from zoopraxis.prediction.protocol import published
    from zoopraxis.spec import Protocol

    given = {name: value for name, value in options.items() if value is not None}
    return replace((by_published and published(net).protocol) or Protocol(), **given)


def as_tested(net: "OpenModel", **options: Any) -> "OpenModel":
    """Return a network as it is to be tested by the options of `asked`."""
    from zoopraxis.prediction.protocol import by_protocol

    return by_protocol(net, asked(net, **options))


def _note_slow(precision: str) -> None:
    """Say on stderr that the processor computes a precision without instructions for it."""
    import torch

    bits = {"bfloat16": "bf16", "float16": "fp16"}[precision]
    get_capabilities = getattr(torch.cpu, "get_capabilities", None)  # newer than our oldest torch
    known = get_capabilities() if get_capabilities else {}
    if known and not any(has for name, has in known.items() if bits in name):
        print(
            f"note: this processor has no {precision} instructions: float32 is faster",
            file=sys.stderr,
        )


def compile_for_engine(
    model: str,
    *,
    engine: Literal["auto", "torch", "openvino", "onnx"] | None,
    threads: int,
    device: str,
    precision: str,
) -> "Compiled":
    """Compile an exported file for an engine, without torch."""
    from zoopraxis.engine.compiled import compile_exported

    if device != "cpu":
        raise ZoopraxisError(
            f"{model} runs on the CPU, and the device is {device!r}",
            "leave the device out, or name the network that was exported",
        )
    return compile_exported(model, engine=engine or "auto", precision=precision, threads=threads)


def accept_licences(accepted: bool) -> None:
    """Accept licences in this process and those that it starts."""
    if accepted:
        os.environ["ZOOPRAXIS_ACCEPT_LICENCE"] = "1"


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[float], None]]:
    """Yield a function that sets a progress bar on stderr to a fraction in [0, 1]."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=1.0)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def counting_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that sets a progress bar on stderr to a count of a total."""
    with stage_bar() as stage:
        yield lambda done, total: stage(title, done, total)


@contextmanager
def stage_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that sets a bar on stderr to what is done, a count of it, and a total."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total
        )


@contextmanager
def download_bar(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function that sets a bar on stderr to bytes of a total; hidden until it is called."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = title, BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        task = bar.add_task(title, total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)
