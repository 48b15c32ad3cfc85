"""The torchcodec backends, on the CPU and by NVDEC, with the same frame index as PyAV."""

import json
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Deadline, Size
from zoopraxis.video._index import UNTIMED_FORMATS
from zoopraxis.video._pyav import PyAVVideo
from zoopraxis.video._resize import resize_image

__all__ = ["CudaVideo", "TorchCodecVideo", "torchcodec_problem"]

# Containers in which torchcodec's seek lands after the key frame that it aims at:
# requesting frame 20 returns frame 24.
INEXACT_SEEK_FORMATS = {"mpeg", "mpegts"}


@cache
def torchcodec_problem() -> str:
    """Why torchcodec cannot be used, in one line; empty if it can."""
    try:
        torchcodec = import_module("torchcodec")
    except ImportError:
        return "not installed"
    except (RuntimeError, OSError) as error:  # older versions load FFmpeg on import
        return _first_line(error)
    if getattr(torchcodec, "ffmpeg_major_version", 0) is None:
        return "found no FFmpeg libraries that it can load"
    return ""


class TorchCodecVideo(PyAVVideo):
    """A video file, URL or bytes, decoded by torchcodec.

    Unlike our PyAV backend, torchcodec conceals damaged data with parts of other frames.

    Parameters
    ----------
    video, name, timeout, stream
        As for `PyAVVideo`.

    Raises
    ------
    VideoError
        torchcodec cannot be used, would show frames mirrored, or cannot locate the frames of
        this file exactly.
    """

    device: ClassVar[str] = "cpu"

    def __init__(
        self, video: str | bytes, *, name: str, timeout: float, stream: int | None = None
    ) -> None:
        problem = self._problem()
        if problem:
            raise VideoError(
                f"{name}: {problem}", "pass decoder='pyav', or run `zoopraxis doctor` for advice"
            )
        super().__init__(video, name=name, timeout=timeout, stream=stream)
        self._video = video
        self._decoder: Any = None
        self._reject_mirrored()
        self._reject_inexact()

    @staticmethod
    def _problem() -> str:
        """Why this backend cannot be used, in one line; empty if it can."""
        problem = torchcodec_problem()
        return f"torchcodec cannot be used: {problem}" if problem else ""

    def _reject_mirrored(self) -> None:
        """Raise if frames are to be mirrored: torchcodec only rotates them."""
        if self.mirrored:
            self.close()
            raise VideoError(
                f"{self.name}: its display matrix mirrors the frames, and torchcodec would not",
                "pass decoder='pyav' (the default)",
            )

    def _reject_inexact(self) -> None:
        """Raise if frames cannot be told apart by their PTS, or the seek is inexact."""
        container = self._demuxer.container.format.name
        reordered = bool(self._demuxer.stream.codec_context.has_b_frames)
        if (
            self._index.counted
            or container in INEXACT_SEEK_FORMATS
            or (reordered and container in UNTIMED_FORMATS)
        ):
            self.close()
            raise VideoError(
                f"{self.name}: torchcodec cannot locate the frames of this {container} file "
                "exactly",
                "pass decoder='pyav' (the default)",
            )

    def _decode(
        self, indices: NDArray[np.int64], size: Size | None, deadline: Deadline
    ) -> Iterator[NDArray[np.uint8]]:
        self._demuxer.check_open()
        time_base = float(self._demuxer.time_base)
        for index in indices.tolist():
            deadline.check()
            try:
                frame = self._opened().get_frame_at(index)
            except (IndexError, RuntimeError, ValueError) as error:
                raise VideoError(
                    f"{self.name}: frame {index} cannot be decoded: {_first_line(error)}",
                    "copy or download the file again",
                ) from error
            if abs(frame.pts_seconds - self._index.pts[index] * time_base) > time_base / 2:
                raise VideoError(
                    f"{self.name}: torchcodec returned the frame at {frame.pts_seconds:.3f} s "
                    f"instead of frame {index}",
                    "pass decoder='pyav' (the default)",
                )
            yield self._image(frame.data, size)

    def _image(self, data: Any, size: Size | None) -> NDArray[np.uint8]:
        """Make an array (H, W, 3) of a size from a decoded frame (3, H, W)."""
        return resize_image(data.movedim(0, -1).numpy(), size)

    def _opened(self) -> Any:
        """Get torchcodec's decoder, opened on first use."""
        if self._decoder is None:
            codec = import_module("torchcodec.decoders")
            self._decoder = codec.VideoDecoder(
                self._video,
                stream_index=self._demuxer.stream.index,
                custom_frame_mappings=self._frame_mappings(),
                device=self.device,
            )
        return self._decoder

    def _frame_mappings(self) -> str:
        """Our index as torchcodec's ``custom_frame_mappings``: it need not scan the file again."""
        pts, keys = self._index.pts, set(self._index.keys.tolist())
        durations = np.diff(pts, append=self._index.end)
        frames = [
            {"pts": p, "duration": d, "key_frame": int(p in keys)}
            for p, d in zip(pts.tolist(), durations.tolist(), strict=True)
        ]
        return json.dumps({"frames": frames})


class CudaVideo(TorchCodecVideo):
    """A video file, URL or bytes, decoded by NVDEC: an NVIDIA GPU's decoder, through torchcodec.

    Frames are decoded, converted to RGB and resized on the GPU, and copied to main memory. The
    GPU converts colours with another rounding than FFmpeg does.

    Parameters
    ----------
    video, name, timeout, stream
        As for `PyAVVideo`.

    Raises
    ------
    VideoError
        There is no GPU, torchcodec cannot be used, or would not turn the frames upright or locate
        them exactly.
    """

    device: ClassVar[str] = "cuda"

    def __init__(
        self, video: str | bytes, *, name: str, timeout: float, stream: int | None = None
    ) -> None:
        super().__init__(video, name=name, timeout=timeout, stream=stream)
        if self.orientation.filters:
            self.close()
            raise VideoError(
                f"{self.name}: its frames are to be turned by {self.rotation} degrees, and "
                "decoder='cuda' would not",
                "pass decoder='pyav' (the default)",
            )

    @staticmethod
    def _problem() -> str:
        import torch

        if not torch.cuda.is_available():
            return "decoder='cuda' needs an NVIDIA GPU, and PyTorch finds none"
        return TorchCodecVideo._problem()

    def _image(self, data: Any, size: Size | None) -> NDArray[np.uint8]:
        import torch

        x = data[None].float()  # (1, 3, H, W)
        if size is not None and data.shape[-2:] != size:
            x = torch.nn.functional.interpolate(x, size=size, mode="bilinear", antialias=True)
        image: NDArray[np.uint8]
        image = x.round().clamp(0, 255).byte()[0].movedim(0, -1).cpu().numpy()
        return image


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
