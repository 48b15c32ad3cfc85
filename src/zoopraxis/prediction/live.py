"""Live videos: the newest moments of a camera, predicted again and again.

A thread reads the camera, so that it never waits for the network. Where the network is the slower
of the two, the frames between one prediction and the next are dropped, the newest are kept, and
every prediction says how far it lags.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoopraxis.errors import VideoError
from zoopraxis.inputs import Media
from zoopraxis.inputs.base import Input
from zoopraxis.inputs.images import resize_frames
from zoopraxis.inputs.sampling import exact_rate
from zoopraxis.prediction.aggregate import Prediction
from zoopraxis.prediction.pipeline import Model, Precision, opened, run, view_inputs
from zoopraxis.prediction.windows import check_seconds, window_seconds
from zoopraxis.video import ArrayVideo, is_live, live_frames

__all__ = ["CAMERA_FPS", "FASTEST_FPS", "ROUNDING", "Frame", "Waiting", "predict_live", "reading"]

CAMERA_FPS = 30.0  # assumed of a camera, to know how long its dense clips last
FASTEST_FPS = 120.0  # of faster cameras, the oldest frames of a window are dropped
ROUNDING = 1e-6  # seconds by which sums of frame times may miss a step


class Frame(NamedTuple):
    """A frame of a live video: seconds since the first, when it was read, and its pixels."""

    time: float
    read_at: float
    pixels: Tensor  # uint8 (3, h, w)


class Waiting:
    """Frames that one thread reads and another has not taken yet.

    Parameters
    ----------
    size : int
        Frames that are kept.
    drop : bool
        When they are that many: drop the oldest (of a camera, which does not wait), or let the
        reader wait (of a file).
    """

    def __init__(self, *, size: int, drop: bool) -> None:
        self.size, self.drop = size, drop
        self.dropped = 0
        self._frames: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None

    def put(self, frame: Frame) -> bool:
        """Add the newest frame; False when nobody will take it any more."""
        with self._changed:
            if self.drop and len(self._frames) >= self.size:
                self._frames.popleft()
                self.dropped += 1
            self._changed.wait_for(lambda: self._closed or len(self._frames) < self.size)
            self._frames.append(frame)
            self._changed.notify_all()
            return not self._closed

    def end(self, error: BaseException | None = None) -> None:
        """Say that no frame follows, and why."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def take(self) -> list[Frame]:
        """Wait for a frame and take all that wait; empty at the end.

        Raises
        ------
        BaseException
            The error with which the reader ended, once its frames are taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._ended)
            frames = list(self._frames)
            self._frames.clear()
            self._changed.notify_all()
            if not frames and self._error is not None:
                raise self._error
            return frames

    def close(self) -> None:
        """Let the reader end: nothing is taken any more."""
        with self._changed:
            self._closed = True
            self._frames.clear()
            self._changed.notify_all()


@contextmanager
def reading(
    video: str, waiting: Waiting, kind: Input[Any, Any], *, clock: Callable[[], float]
) -> Iterator[None]:
    """Read a video in a thread, its frames reduced to the size that a kind of input needs."""

    def read() -> None:
        try:
            for now, pixels in live_frames(video):
                size = kind.scaled((pixels.shape[-2], pixels.shape[-1]))
                if not waiting.put(Frame(now, clock(), resize_frames(pixels, size))):
                    break
        except BaseException as error:  # whatever it is, it is raised where frames are taken
            waiting.end(error)
        else:
            waiting.end()

    reader = threading.Thread(target=read, name=f"frames of {video}", daemon=True)
    reader.start()
    try:
        yield
    finally:
        waiting.close()
        reader.join(timeout=5.0)  # it ends at its next frame; a daemon, should none come


def predict_live(
    video: str,
    model: Model,
    *,
    window: float | None = None,
    step: float = 0.5,
    mode: str = "mean_probability",
    top: int = 5,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    drop: bool | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Prediction]:
    """Predict the last moments of a live video, again and again.

    Parameters
    ----------
    video : str
        ``"camera:0"``, an rtsp address, or anything `zoopraxis.video.live_frames` takes.
    window : float, optional
        Seconds to look back; the default is the length of the model's clip (at 30 frames
        a second where it has no rate), or 4 for models of segments.
    step : float, default=0.5
        Seconds from one prediction to the next; more where the network is slower.
    drop : bool, optional
        Whether frames are dropped that the network is too slow for. The default is True for
        cameras and streams; a file waits.
    clock : callable, default=time.monotonic
        Seconds, by which the lag is measured.
    model, mode, top, device, precision
        As for `zoopraxis.prediction.pipeline.predict`.

    Yields
    ------
    Prediction
        The time of its only view is in seconds since the camera was opened. ``lag`` is by how
        many seconds the answer comes later than it could with an infinitely fast network, and
        ``dropped`` the number of frames, since the camera was opened, that were not looked at.

    Raises
    ------
    VideoError
        It cannot be read, or ends before it has lasted one window.
    """
    check_seconds(window=window, step=step)
    net = opened(model)
    clip = net.clip.change(convention="")  # conventions are of whole videos, and this is a window
    length = window or float(window_seconds(net.clip.sampling, exact_rate(CAMERA_FPS)))
    drop = is_live(video) if drop is None else drop
    # A file is taken frame by frame, so that its predictions never depend on the machine's speed.
    waiting = Waiting(size=ceil(length * FASTEST_FPS) + 1 if drop else 1, drop=drop)
    seen: deque[Frame] = deque()
    due, looked = length, float("-inf")  # when to predict next; the newest frame looked at
    skipped, answered = 0, False
    ahead = float("inf")  # seconds from a frame's own time to its being read, at the fastest
    with reading(video, waiting, net.clip.input, clock=clock):
        while taken := waiting.take():
            for frame in taken:
                if seen and frame.time < seen[-1].time:  # the camera has started again
                    seen.clear()
                    due, looked, ahead = frame.time + length, float("-inf"), float("inf")
                seen.append(frame)
                ahead = min(ahead, frame.read_at - frame.time)
            now = seen[-1].time
            # when a network that is never late would have looked, and how far back
            on_time = next((f.time for f in taken if f.time >= due - ROUNDING), now)
            while seen[0].time < now - length - ROUNDING:
                gone = seen.popleft().time
                skipped += gone > looked and gone >= on_time - length - ROUNDING
            if now < due - ROUNDING:
                continue
            due, looked, answered = now + step, now, True
            dropped = waiting.dropped + skipped  # those that are lost meanwhile count next time
            times = np.array([frame.time for frame in seen])
            fps = max(len(times) - 1, 1) / (times[-1] - times[0] or 1.0)
            frames = torch.stack([frame.pixels for frame in seen])  # (N, 3, h, w)
            media = Media(path=ArrayVideo(frames, fps=fps, timestamps=times - times[0]))
            with clip.input.open(media) as track:
                inputs, _ = view_inputs(track, media, clip)
            logits = run(net.model, inputs, device=device, precision=precision, video=video)
            yield Prediction.from_logits(
                logits,
                video=video,
                model=net.name,
                labels=net.labels,
                times=[(float(times[0]), now)],
                mode=mode,
                top=top,
                trained=net.trained,
                lag=max(clock() - now - ahead, 0.0) if drop else 0.0,
                dropped=dropped,
            )
    if not answered:
        lasted = seen[-1].time if seen else 0.0
        raise VideoError(
            f"{video}: it ended after {lasted:g} s, and a window is {length:g} s",
            "pass a shorter window, or predict the file as a whole",
        )
