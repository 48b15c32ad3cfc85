"""What a network costs: its size, its arithmetic, its memory, its time, and how far it sees.

Everything but latency and reach is counted on the meta device, where a network of any size costs
no memory and no arithmetic.
"""

import platform
import time
import weakref
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from zoopraxis.checkpoints.layout import without_values
from zoopraxis.checkpoints.saved import OpenModel, is_file, open_model
from zoopraxis.engine.compiled import COMPILERS
from zoopraxis.engine.optimize import Engine, optimize_opened
from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.evaluation.page import COLOURS, new_axes
from zoopraxis.inputs import ClipSpec
from zoopraxis.layers.conv3d import channel_interactions
from zoopraxis.models import model_spec
from zoopraxis.prediction.pipeline import Precision, run
from zoopraxis.testing import count_macs, count_params
from zoopraxis.weights import find_weights, weights_of
from zoopraxis.weights.registry import build_network

__all__ = [
    "Account",
    "Latency",
    "Reach",
    "account",
    "count_activations",
    "draw_costs",
    "latency",
    "processor_name",
    "reach",
    "resized",
]

_DOT = 6  # pixels from the middle of a point that no name may enter


@dataclass(frozen=True, kw_only=True)
class Account:
    """What one clip costs a network.

    Parameters
    ----------
    model : str
        The name, ``name.tag`` or file.
    shapes : tuple of tuple of int
        Of the tensors of one clip, with a batch of one.
    params : int
        Parameters, buffers not counted.
    macs : int
        Multiply-adds of convolutions and matrix products.
    activations : int
        Elements of the outputs of all convolutions (Radosavovic et al. 2020, "Designing Network
        Design Spaces", section 3.1).
    interactions : int or None
        Pairs of channels that meet in a 3D convolution (Tran et al. 2019, section 3.1); None
        without 3D convolutions.
    weight_bytes, activation_bytes : int
        Of parameters and buffers, and the most that tensors in use at one moment of inference in
        float32 hold. The workspaces of kernels come on top.
    """

    model: str
    shapes: tuple[tuple[int, ...], ...]
    params: int
    macs: int
    activations: int
    interactions: int | None
    weight_bytes: int
    activation_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Count the outputs of convolutions, and the bytes of all tensors that are in use."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.activations = 0
        self.peak = 0
        self._bytes = 0
        self._users: Counter[int] = Counter()  # tensors of each storage

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if func.overloadpacket is torch.ops.aten.convolution:
            self.activations += sum(tensor.numel() for tensor in tensors)
        given = {id(leaf) for leaf in tree_leaves((args, kwargs))}
        known = {
            leaf.untyped_storage()._cdata
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, Tensor)
        }
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key = storage._cdata
            if id(tensor) in given or (key in known and not self._users[key]):
                continue  # changed in place, or a view of a weight or an input
            if not self._users[key]:
                self._bytes += storage.nbytes()
            self._users[key] += 1
            weakref.finalize(tensor, self._free, key, storage.nbytes())
        self.peak = max(self.peak, self._bytes)
        return out

    def _free(self, key: int, size: int) -> None:
        self._users[key] -= 1
        if not self._users[key]:
            self._bytes -= size


@torch.no_grad()
def count_activations(model: nn.Module, *shapes: tuple[int, ...]) -> tuple[int, int]:
    """Count elements of the outputs of all convolutions, and the bytes in use at the most.

    Parameters
    ----------
    model : nn.Module
        A network; on the meta device it costs nothing to count.
    *shapes : tuple of int
        Of its inputs.

    Returns
    -------
    (int, int)
        The elements, and the bytes of the inputs and of all tensors computed from them that are
        held at one moment; those of the weights are not counted.
    """
    device = next(model.parameters()).device
    inputs = [torch.zeros(shape, device=device) for shape in shapes]
    with _Counter() as counter:
        model.eval()(*inputs)
    return counter.activations, counter.peak + sum(x.numel() * x.element_size() for x in inputs)


def resized(clip: ClipSpec, *, size: int | None = None, num_frames: int | None = None) -> ClipSpec:
    """Return a clip of another size or length.

    Raises
    ------
    ZoopraxisError
        A clip of this kind of input has no size.
    """
    changes = {k: n for k, n in (("size", size), ("num_frames", num_frames)) if n is not None}
    if size is not None and not hasattr(clip.input, "size"):
        raise ZoopraxisError(
            f"size is {size}, and {clip.input.kind!r} input has no size", "leave the size out"
        )
    return clip.change(**changes)


def account(ref: str | Path, *, size: int | None = None, num_frames: int | None = None) -> Account:
    """Count what one clip costs a network.

    No checkpoint is downloaded: a published one is counted as its network.

    Parameters
    ----------
    ref : str or Path
        As for `zoopraxis.open_model`.
    size, num_frames : int, optional
        Pixels of a side, and frames, where the clip is to be another than the network's own.

    Raises
    ------
    ModelNotFoundError, CheckpointError
        No such network, or a file that is not ours.
    ShapeError
        The network does not take such clips.
    """
    model, own = _layout(ref)
    clip = resized(own, size=size, num_frames=num_frames)
    shapes = tuple((1, *shape) for shape in clip.shapes)
    try:
        activations, peak = count_activations(model, *shapes)
    except RuntimeError as error:
        if clip == own:
            raise
        raise ShapeError(
            f"{ref} does not take clips of {shapes}: {error}",
            f"its own are {tuple((1, *shape) for shape in own.shapes)}",
        ) from error
    has_3d = any(isinstance(module, nn.Conv3d) for module in model.modules())
    state = [*model.parameters(), *model.buffers()]
    return Account(
        model=str(ref),
        shapes=shapes,
        params=count_params(model),
        macs=count_macs(model, *shapes),
        activations=activations,
        interactions=channel_interactions(model) if has_3d else None,
        weight_bytes=sum(tensor.numel() * tensor.element_size() for tensor in state),
        activation_bytes=peak,
    )


def _layout(ref: str | Path) -> tuple[nn.Module, ClipSpec]:
    """Lay out a network on the meta device, in evaluation mode, with the clip that it expects."""
    if is_file(ref):
        net = open_model(ref)
        return net.model.to("meta").eval(), net.clip
    name, _, tag = str(ref).partition(".")
    spec = model_spec(name)
    weights = find_weights(name, tag) if tag else None
    with without_values():
        if weights is None:
            return build_network(name).eval(), spec.clip
        model = build_network(name, source=weights.source, num_classes=weights.num_classes)
    return model.eval(), weights.clip or spec.clip


@dataclass(frozen=True, kw_only=True)
class Latency:
    """How long one batch takes, over repeated runs.

    Parameters
    ----------
    p50, p90, p95 : float
        Milliseconds of wall-clock time.
    clips_per_second : float
        Of all runs together.
    batch, repeats : int
        Clips in a batch, and runs.
    threads : int or None
        Of the engine; None where OpenVINO or ONNX Runtime chose their number.
    engine : str
        What computed it, as of `zoopraxis.checkpoints.saved.OpenModel`; "" the network as written.
    precision, device, processor : str
        Where it ran, and how.
    """

    p50: float
    p90: float
    p95: float
    clips_per_second: float
    batch: int
    repeats: int
    threads: int | None
    engine: str
    precision: str
    device: str
    processor: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def latency(
    net: OpenModel,
    *,
    batch: int = 1,
    repeats: int = 20,
    warmup: int = 3,
    device: str = "cpu",
    precision: Precision = "float32",
    engine: Engine = "torch",
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Latency:
    """Time a network on noise, as `zoopraxis.predict` runs it, the checks of its input included.

    The result is on the CPU again when the clock stops, so that the device has finished.

    Parameters
    ----------
    net : OpenModel
        The network, and the clip that it expects.
    batch, repeats, warmup : int
        Clips in a batch, runs that are timed, and runs before them that are not.
    device, precision : str
        As for `zoopraxis.predict`.
    engine, threads
        As for `zoopraxis.engine.optimize.optimize_opened`: what the command line runs. The number
        of threads of this process is as before afterwards.
    progress : callable, optional
        Called with the runs that are done, and of how many.

    Raises
    ------
    ZoopraxisError
        A number is out of its range; the engine is not installed, or not for this device.
    """
    if min(batch, repeats) < 1 or warmup < 0:
        raise ZoopraxisError(
            f"batch is {batch}, repeats {repeats} and warmup {warmup}",
            "batch and repeats are 1 or more, warmup 0 or more",
        )
    inputs = net.clip.example(batch=batch)
    before = torch.get_num_threads()
    seconds = []
    try:
        fast = optimize_opened(
            net, engine=engine, precision=precision, threads=threads, device=device
        )
        used = threads or None if fast.engine in COMPILERS else torch.get_num_threads()
        for number in range(warmup + repeats):
            start = time.perf_counter()
            run(
                fast.model,
                inputs,
                device=device,
                precision=precision,
                batch_size=batch,
                video="noise",
            )
            seconds.append(time.perf_counter() - start)
            if progress is not None:
                progress(number + 1, warmup + repeats)
    finally:
        torch.set_num_threads(before)
    timed = np.array(seconds[warmup:])
    p50, p90, p95 = (float(value) for value in 1000 * np.percentile(timed, (50, 90, 95)))
    return Latency(
        p50=p50,
        p90=p90,
        p95=p95,
        clips_per_second=float(batch * repeats / timed.sum()),
        batch=batch,
        repeats=repeats,
        threads=used,
        engine=fast.engine,
        precision=precision,
        device=device,
        processor=processor_name(device),
    )


def processor_name(device: str = "cpu") -> str:
    """Name the processor of a device."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    listing = Path("/proc/cpuinfo")  # of Linux; `platform` names the architecture alone there
    lines = listing.read_text().splitlines() if listing.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Receptive field of the middle cell of a network's last feature map.

    Parameters
    ----------
    frames, height, width : int or "all"
        Items of the clip, and pixels, from the first to the last that the cell depends on; "all"
        where it depends on the first and the last of the clip. A field that passes one border of
        the clip alone is cut there: a larger clip shows all of it.
    """

    frames: int | Literal["all"]
    height: int | Literal["all"]
    width: int | Literal["all"]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@torch.no_grad()
def reach(model: Any, clip: ClipSpec) -> Reach:
    """Measure the receptive field of a network within its clip.

    What is not a number stays so through convolutions, poolings, shifts, gates and attention,
    even where a weight is 0, and touches nothing that does not depend on it. So the first frames
    of a clip are made NaN, more and more of them by bisection, until the middle cell of
    ``forward_features`` is NaN; then the last ones; then rows and columns.

    Parameters
    ----------
    model : VideoClassifier
        In evaluation mode, with values, on the CPU. It is copied to float64: transforms that make
        float32 convolutions faster mix neighbours.
    clip : ClipSpec
        Its clip: images (C, T, H, W).

    Raises
    ------
    ZoopraxisError
        The input of the network is no volume of images, or it samples where its input says.
    """
    shapes = clip.shapes
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][2] != shapes[0][3]:
        raise ZoopraxisError(
            f"a receptive field in pixels is that of one volume (C, T, S, S), not of {shapes}",
            "leave --reach out for this network",
        )
    exact = deepcopy(model).double().eval()

    def depends(axis: int, part: slice) -> bool:
        x = torch.zeros((1, *shapes[0]), dtype=torch.float64)  # (1, C, T, H, W)
        x[(slice(None),) * axis + (part,)] = torch.nan
        try:
            features = exact.forward_features(x)  # (1, C', T', H', W')
        except (RuntimeError, IndexError) as error:  # positions computed from NaN are none
            raise ZoopraxisError(
                f"the receptive field cannot be measured: {error}",
                "a network that samples where its input says, as a warp does, has no fixed one",
            ) from error
        cell = tuple(size // 2 for size in features.shape[2:])
        return bool(features[(0, slice(None), *cell)].isnan().any())

    found: list[int | Literal["all"]] = []
    for axis in (2, 3, 4):
        size = shapes[0][axis - 1]
        firsts = [slice(0, n) for n in range(1, size + 1)]
        lasts = [slice(size - n, size) for n in range(1, size + 1)]
        first = bisect_left(firsts, True, key=partial(depends, axis))
        last = bisect_left(lasts, True, key=partial(depends, axis))
        extent = size - first - last  # what comes before and after it
        found.append("all" if extent == size else extent)
    return Reach(frames=found[0], height=found[1], width=found[2])


def draw_costs(
    costs: Sequence[tuple[str, float]], *, axis: str = "GMACs of one clip"
) -> tuple[Figure, int]:
    """Draw published accuracy against cost.

    Parameters
    ----------
    costs : sequence of (str, float)
        Name or ``name.tag``, and its cost. A bare name stands for all of its checkpoints.
    axis : str, default="GMACs of one clip"
        What the cost is.

    Returns
    -------
    (Figure, int)
        Top-1 in percent over cost, a colour for each data set, and the number of points.
        Protocols differ in views and crops: the cost is that of one clip.

    Raises
    ------
    ZoopraxisError
        No accuracy of any of them is published.
    """
    points: dict[str, list[tuple[str, float, float]]] = {}
    for ref, cost in costs:
        if is_file(ref):
            continue
        name, _, tag = ref.partition(".")
        for weights in [find_weights(name, tag)] if tag else weights_of(name):
            if weights.top1 is not None:
                label = f"{name}.{weights.tag}"
                points.setdefault(weights.dataset, []).append((label, cost, weights.top1))
    if not points:
        raise ZoopraxisError(
            "no accuracy is published for " + ", ".join(ref for ref, _ in costs),
            "`zoopraxis info NAME` lists what is published",
        )
    figure, axes = new_axes(8, 5)
    for dataset, some in sorted(points.items()):
        axes.scatter([cost for _, cost, _ in some], [top1 for *_, top1 in some], label=dataset)
    axes.set_xscale("log")
    axes.margins(x=0.1)
    axes.set_xlabel(axis)
    axes.set_ylabel("published top-1, %")
    axes.legend(fontsize=8)
    _label(figure, axes, [point for some in points.values() for point in some])
    return figure, sum(map(len, points.values()))


def _label(figure: Figure, axes: Any, points: Sequence[tuple[str, float, float]]) -> None:
    """Name points at their sides, the highest first, each where it hides no other and no name.

    One that must move up or down to find room is joined to its point by a line.
    """
    canvas: Any = FigureCanvasAgg(figure)
    renderer = canvas.get_renderer()
    figure.draw_without_rendering()  # which places the axes and the legend
    taken = [axes.get_legend().get_window_extent(renderer)]
    for _, cost, top1 in points:
        x, y = axes.transData.transform((cost, top1))
        taken.append(Bbox.from_extents(x - _DOT, y - _DOT, x + _DOT, y + _DOT))
    steps = [0, *(sign * n for n in range(1, len(points) + 1) for sign in (1, -1))]
    for label, cost, top1 in sorted(points, key=lambda point: -point[2]):
        text = axes.annotate(
            label,
            (cost, top1),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=7,
            va="center",
        )
        for step, side in product(steps, ("left", "right")):
            text.set(position=(6 if side == "left" else -6, 9 * step), ha=side)
            box = text.get_window_extent(renderer)
            within = all(axes.bbox.contains(*corner) for corner in (box.min, box.max))
            if within and not any(map(box.overlaps, taken)):
                break
        taken.append(box)
        if step:
            line = {"arrowstyle": "-", "lw": 0.5, "color": COLOURS["soft"], "shrinkA": 0}
            axes.annotate(
                "",
                (cost, top1),
                xytext=text.get_position(),
                textcoords="offset points",
                arrowprops=line,
            )
