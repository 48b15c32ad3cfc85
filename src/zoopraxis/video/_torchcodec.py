"""torchcodec as decoder, numbering frames by the same index as PyAV."""

import json
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Clock, Size
from zoopraxis.video._index import UNTIMED_FORMATS
from zoopraxis.video._pyav import PyAVVideo

__all__ = ["TorchCodecVideo", "torchcodec_problem"]

# Containers in which torchcodec's seek lands behind the key frame that it aims at: asked for
# frame 20, it gives frame 24.
UNSOUND_FORMATS = {"mpeg", "mpegts"}


@cache
def torchcodec_problem() -> str:
    """Why torchcodec cannot be used here, in a line; empty if it can."""
    try:
        torchcodec = import_module("torchcodec")
    except ImportError:
        return "it is not installed"
    except (RuntimeError, OSError) as error:  # older ones need FFmpeg to be imported
        return _line(error)
    if getattr(torchcodec, "ffmpeg_major_version", 0) is None:
        return "it finds no FFmpeg libraries that it can load"
    return ""


class TorchCodecVideo(PyAVVideo):
    """A video file, URL or bytes, decoded by torchcodec.

    Unlike PyAV here, torchcodec hides damage by repeating parts of other frames.

    Parameters
    ----------
    source, name, timeout, stream
        As for `PyAVVideo`.
    """

    def __init__(
        self, source: str | bytes, *, name: str, timeout: float, stream: int | None = None
    ) -> None:
        problem = torchcodec_problem()
        if problem:
            raise VideoError(
                f"{name}: torchcodec does not work here: {problem}",
                "use decoder='pyav', or see what `zoopraxis doctor` advises",
            )
        super().__init__(source, name=name, timeout=timeout, stream=stream)
        self._source = source
        self._decoders: dict[Size | None, Any] = {}
        self._refuse_unsound()

    def _refuse_unsound(self) -> None:
        container = self._input.container.format.name
        reordered = bool(self._input.stream.codec_context.has_b_frames)
        if (
            self._index.counted
            or container in UNSOUND_FORMATS
            or (reordered and container in UNTIMED_FORMATS)
        ):
            self.close()
            raise VideoError(
                f"{self.name}: torchcodec cannot tell the frames of this {container} file apart",
                "use decoder='pyav' (the default)",
            )

    def _decode(
        self, numbers: NDArray[np.int64], size: Size | None, clock: Clock
    ) -> Iterator[Tensor]:
        unit = float(self._input.time_base)
        for number in numbers.tolist():
            clock.check()
            try:
                frame = self._decoder(size).get_frame_at(number)
            except (RuntimeError, ValueError) as error:
                raise VideoError(
                    f"{self.name}: frame {number} cannot be decoded: {_line(error)}",
                    "copy or download the file again",
                ) from error
            if abs(frame.pts_seconds - self._index.pts[number] * unit) > unit / 2:
                raise VideoError(
                    f"{self.name}: torchcodec gave the frame at {frame.pts_seconds:.3f} s in "
                    f"place of frame {number}",
                    "use decoder='pyav' (the default)",
                )
            yield frame.data.movedim(0, -1)  # (H, W, 3)

    def _decoder(self, resize: Size | None) -> Any:
        """Make the decoder for a size, once."""
        if resize not in self._decoders:
            codec = import_module("torchcodec.decoders")
            transforms = import_module("torchcodec.transforms")
            self._decoders[resize] = codec.VideoDecoder(
                self._source,
                stream_index=self._input.stream.index,
                custom_frame_mappings=self._mappings(),
                transforms=[transforms.Resize(resize)] if resize else None,
            )
        return self._decoders[resize]

    def _mappings(self) -> str:
        """Our index in the form that torchcodec takes, so that it does not scan the file."""
        pts, keys = self._index.pts, set(self._index.keys.tolist())
        lengths = np.diff(pts, append=self._index.end)
        frames = [
            {"pts": p, "duration": d, "key_frame": int(p in keys)}
            for p, d in zip(pts.tolist(), lengths.tolist(), strict=True)
        ]
        return json.dumps({"frames": frames})


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
