"""Networks with bounded memory, run over a video without end: each frame is computed once.

Sliding clips compute every layer again for the frames that they share. Here each convolution or
pooling over time keeps the few frames that its next outputs need, and what follows sees only new
ones. The result is that of the network run over the whole video as one clip, frame for frame; it
differs from that of a clip only in that a clip has zeros where this has the frames before and after
it. Where a network makes steps of several frames, the layers after them run at every phase of the
step, dilated (à trous), so that a prediction comes as often as one is asked for.

What the layers are is read off the graph that `torch.export` records of the network. Convolutions
and poolings over time, sums, concatenations and what acts on each frame are followed, and the mean
over time before the classifier, which becomes the mean over the last features, as many as a clip
has. Networks that look at all frames at once in between (squeeze-and-excitation over time,
attention) have no bounded memory, and are refused by name.
"""

import operator
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import ceil
from typing import Any

import torch
from torch import Tensor, fx, nn

from zoopraxis.errors import VideoError, ZoopraxisError
from zoopraxis.inputs import Media
from zoopraxis.prediction._stream_layers import (
    CLIPS,
    EACH_ITEM,
    MEANS,
    PERMUTE,
    TIME,
    WINDOWS,
    EachItem,
    Rate,
    Window,
    argument,
    axes_of_mean,
    call,
    spares_time,
    unbounded,
)
from zoopraxis.prediction.aggregate import Prediction
from zoopraxis.prediction.live import CAMERA_FPS, FASTEST_FPS, ROUNDING, Frame, Waiting, reading
from zoopraxis.prediction.pipeline import Model, opened, usable_device, view_inputs
from zoopraxis.video import ArrayVideo, is_live

__all__ = ["StreamingNetwork", "predict_stream"]


class StreamingNetwork:
    """A network that is given a video piece by piece, and predicts again and again.

    Parameters
    ----------
    model : nn.Module
        Takes clips (1, C, T, H, W); it is set to evaluation mode.
    shape : tuple of int
        (C, T, H, W) of its clips.
    every : int, optional
        Frames from one prediction to the next, at most; the default is the network's own step.

    Attributes
    ----------
    step : int
        Frames from one prediction to the next.
    receptive_field : int
        Frames that a prediction depends on.
    first : int
        The first of them, for the first prediction; below 0 is before the video, and zero.

    Raises
    ------
    ZoopraxisError
        A layer depends on more than a bounded number of frames; the error names it.
    """

    def __init__(
        self, model: nn.Module, shape: tuple[int, int, int, int], *, every: int | None = None
    ) -> None:
        if every is not None and every < 1:
            raise ZoopraxisError(f"every is {every}", "pass 1 frame or more")
        weight = next(model.parameters())
        example = torch.zeros(1, *shape, device=weight.device, dtype=weight.dtype)
        program = torch.export.export(model.eval(), (example,))
        module: Any = program.run_decompositions({}).module()
        self._every = every
        self._rates: dict[fx.Node, Rate] = {}
        self._layers: dict[fx.Node, EachItem | Window] = {}
        self._known: dict[fx.Node, Any] = {}  # what depends on weights alone
        self._head: list[fx.Node] = []  # from the mean over time on
        for node in module.graph.nodes:
            self._plan(node, module)
        if not self._head:
            raise ZoopraxisError("the network does not end in a mean over time", CLIPS)
        rate = self._rates[self._head[0]]
        self.first, self.receptive_field, self.step = rate.first, rate.field, rate.step

    def reset(self) -> None:
        """Forget the video: the next frames are the first of another."""
        for layer in self._layers.values():
            layer.reset()

    def push(self, frames: Tensor) -> list[Tensor]:
        """Take the next frames (1, C, N, H, W), N >= 1; return the logits (1, K) now known."""
        values = dict(self._known)
        with torch.inference_mode():
            for node, layer in self._layers.items():
                inputs = _streams(node, self._rates)
                values[node] = layer(*(values[one] for one in inputs) if inputs else (frames,))
            windows = values[self._head[0]] or []
            return [self._predicted({**self._known, self._head[0]: one}) for one in windows]

    def _predicted(self, values: dict[fx.Node, Any]) -> Tensor:
        """Logits from what is left of one window after the mean over time."""
        for node in self._head[1:]:
            if node.op == "output":
                out: Tensor = values[node.all_input_nodes[0]]
                return out
            values[node] = call(node, values)
        raise AssertionError("a graph ends in its output")

    def _plan(self, node: fx.Node, module: Any) -> None:
        """Decide how a node of the graph is computed, and what its items in time stand for."""
        streams = _streams(node, self._rates)
        if node.op == "placeholder":
            self._rates[node] = Rate()
            self._layers[node] = EachItem(lambda x: x, inputs=1, axis=TIME)
        elif node.op == "get_attr":
            self._known[node] = operator.attrgetter(str(node.target))(module).detach()
        elif node.op == "call_module":
            return  # checks of the input's shape, which a piece of a video does not have
        elif self._head and (node.op == "output" or set(streams) <= set(self._head[:1])):
            self._head.append(node)
        elif not streams:
            self._known[node] = call(node, self._known)
        elif self._head:
            raise unbounded(node)
        else:
            self._follow(node, streams)

    def _follow(self, node: fx.Node, streams: list[fx.Node]) -> None:
        """Plan a layer of the part that runs along the video."""
        rate = self._rates[streams[0]]
        for other in streams[1:]:
            same = ("axis", "step", "phases")
            if any(getattr(rate, k) != getattr(self._rates[other], k) for k in same):
                raise unbounded(node)
            rate = rate.together(self._rates[other])
        if node.target in WINDOWS:
            self._layers[node], self._rates[node] = self._window(node, rate)
        elif node.target in MEANS and rate.axis in axes_of_mean(node):
            self._layers[node], self._rates[node] = self._mean(node, rate)
            self._head.append(node)
        elif node.target == PERMUTE or node.target in EACH_ITEM | MEANS:
            if node.target == PERMUTE:
                rate = replace(rate, axis=list(argument(node, 1, ())).index(rate.axis))
            elif not spares_time(node, rate.axis):
                raise unbounded(node)

            def apply(*new: Any) -> Any:
                return call(node, {**self._known, **dict(zip(streams, new, strict=True))})

            self._rates[node] = rate
            axis = self._rates[streams[0]].axis
            self._layers[node] = EachItem(apply, inputs=len(streams), axis=axis)
        else:
            raise unbounded(node)

    def _window(self, node: fx.Node, rate: Rate) -> tuple[Window, Rate]:
        """Plan a convolution, a pooling or a padding over time."""
        look = WINDOWS[node.target](node, self._known)
        step = rate.step * look.stride
        taken = rate.phases == 1 and (self._every is None or self._every % step == 0)
        stride, dilation = (look.stride if taken else 1), look.dilation * rate.phases
        after = rate.after(
            kernel=look.kernel, dilation=look.dilation, padding=look.padding, stride=stride
        )
        window = Window(
            lambda x: look.apply(x, stride, dilation),
            span=(look.kernel - 1) * dilation + 1,
            stride=stride,
            padding=look.padding * rate.phases,
            value=look.value,
            axis=TIME,
        )
        return window, replace(after, phases=rate.phases * look.stride // stride)

    def _mean(self, node: fx.Node, rate: Rate) -> tuple[Window, Rate]:
        """Plan the mean over time: that of the last items, as many as a clip has."""
        (x,) = _streams(node, self._rates)
        count = int(x.meta["val"].shape[rate.axis])
        span = (count - 1) * rate.phases + 1

        def windows(items: Tensor) -> list[Any]:
            starts = range(items.shape[rate.axis] - span + 1)
            clips = (items.narrow(rate.axis, start, span) for start in starts)
            phase = (slice(None),) * rate.axis + (slice(None, None, rate.phases),)
            return [call(node, {**self._known, x: clip[phase]}) for clip in clips]

        window = Window(windows, span=span, stride=1, padding=0, value=0.0, axis=rate.axis)
        return window, rate.after(kernel=count, dilation=1, padding=0, stride=1)


def _streams(node: fx.Node, rates: Mapping[fx.Node, Rate]) -> list[fx.Node]:
    """The inputs of a node that have items in time."""
    return [one for one in node.all_input_nodes if one in rates]


def predict_stream(
    video: str,
    model: Model,
    *,
    every: float | None = None,
    mode: str = "mean_probability",
    top: int = 5,
    device: str | torch.device = "cpu",
    drop: bool | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Prediction]:
    """Predict a video again and again, each of its frames computed once, in constant memory.

    Parameters
    ----------
    video : str
        ``"camera:0"``, an rtsp address, or anything `zoopraxis.video.live_frames` takes.
    model : str, path or OpenModel
        For dense clips of frames, and one that `StreamingNetwork` follows.
    every : float, optional
        Seconds from one prediction to the next, at most; the default is the network's own step.
    drop : bool, optional
        Whether frames are dropped that the network is too slow for; then the last one before
        stands for them. The default is True for cameras and streams; a file waits.
    clock : callable, default=time.monotonic
        Seconds, by which the lag is measured.
    mode, top, device
        As for `zoopraxis.prediction.pipeline.predict`.

    Yields
    ------
    Prediction
        Its time is that of the frames that it depends on. ``lag`` and ``dropped`` are those of
        `zoopraxis.prediction.live.predict_live`.

    Raises
    ------
    ZoopraxisError
        The network does not follow a video, or takes no dense clips of frames.
    VideoError
        The video cannot be read, or ends before the first prediction.
    """
    net, place = opened(model), usable_device(device)
    sampling = net.clip.sampling
    if net.windows:
        raise ZoopraxisError(
            f"{net.name} is tested through windows of its crops, which a stream does not follow",
            "give the network as it was opened",
        )
    if sampling.mode != "dense" or len(net.clip.shapes) > 1:
        raise ZoopraxisError(f"{net.name} takes no dense clips of frames", CLIPS)
    spacing = sampling.stride / (sampling.fps or CAMERA_FPS)  # seconds from a frame to the next
    network = StreamingNetwork(
        net.model.to(place),
        net.clip.shape,  # type: ignore[arg-type]
        every=None if every is None else max(round(every / spacing), 1),
    )
    drop = is_live(video) if drop is None else drop
    waiting = Waiting(size=ceil(network.receptive_field * spacing * FASTEST_FPS), drop=drop)
    given = answered = 0  # frames given to the network, predictions
    ahead = float("inf")  # seconds from a frame's own time to its being read, at the fastest
    last: Frame | None = None
    with reading(video, waiting, net.clip.input, clock=clock):
        while taken := waiting.take():
            ahead = min(ahead, *(frame.read_at - frame.time for frame in taken))
            chosen: list[Tensor] = []
            for frame in taken:
                # every frame whose time has come, or the one before where none came in time
                while last is not None and frame.time > (given + len(chosen)) * spacing + ROUNDING:
                    chosen.append(last.pixels)
                last = frame
                if frame.time >= (given + len(chosen)) * spacing - ROUNDING:
                    chosen.append(frame.pixels)
            if not chosen or last is None:
                continue
            given += len(chosen)
            clip = net.clip.change(num_frames=len(chosen), stride=1, fps=None, convention="")
            media = Media(path=ArrayVideo(torch.stack(chosen), fps=1 / spacing))
            with clip.input.open(media) as track:
                frames, _ = view_inputs(track, media, clip)  # (1, C, N, S, S)
            for logits in network.push(frames.to(place)):  # type: ignore[union-attr]
                start = network.first + answered * network.step
                end = start + network.receptive_field
                answered += 1
                yield Prediction.from_logits(
                    logits.float().cpu(),
                    video=video,
                    model=net.name,
                    labels=net.labels,
                    times=[(max(start, 0) * spacing, end * spacing)],
                    mode=mode,
                    top=top,
                    trained=net.trained,
                    lag=max(clock() - last.time - ahead, 0.0) if drop else 0.0,
                    dropped=waiting.dropped,
                )
    if not answered:
        raise VideoError(
            f"{video}: it ended after {given} frames, and the first prediction of {net.name} needs "
            f"{network.first + network.receptive_field}",
            "predict the file as a whole",
        )
