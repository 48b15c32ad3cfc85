"""Flow that lies in files: TSN's pairs of images, or an array.

- a folder of 8-bit images as TSN's tools write them, ``flow_x_00001.jpg`` and
  ``flow_y_00001.jpg`` (or in folders ``x`` and ``y``): flow in [-bound, bound] pixels is stored
  linearly as 0 to 255, so that 128 is (nearly) no motion;
- an ``.npy`` of shape (N, 2, H, W), or an ``.npz`` that has it under ``flow``, in pixels.
"""

import re
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import VideoError
from zoopraxis.inputs.images import resize_frames
from zoopraxis.inputs.sampling import Indices

__all__ = ["FlowTrack", "flow_beside", "stored_flow"]

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png"})


class FlowTrack:
    """N flow fields: between each frame and the next.

    Parameters
    ----------
    name : str
        File or folder, for error messages.
    fields : tuple of (Path, Path), or Tensor of shape (N, 2, H, W)
        Images of the horizontal and vertical components, or flow in pixels (or uint8 codes).
    fps : float
        Fields per second.
    """

    def __init__(
        self, name: str, fields: tuple[tuple[Path, Path], ...] | Tensor, *, fps: float = 25.0
    ) -> None:
        self.name, self.fps = name, fps
        self.fields = fields
        self.timestamps: NDArray[np.float64] = np.arange(len(fields)) / fps
        self.duration = len(fields) / fps
        self.height, self.width = self._field(0).shape[-2:]

    @property
    def num_frames(self) -> int:
        """Number of flow fields."""
        return len(self.fields)

    def fields_at(self, indices: Indices, *, resize: tuple[int, int]) -> Tensor:
        """Flow (*indices.shape, 2, h, w): uint8 codes of image files, else pixels."""
        unique, where = np.unique(indices, return_inverse=True)
        fields = torch.stack([resize_frames(self._field(int(i)), resize) for i in unique])
        fields = fields[torch.from_numpy(where.ravel())]  # (n, 2, h, w)
        return fields.reshape(*indices.shape, *fields.shape[1:])

    def _field(self, index: int) -> Tensor:
        """One field (2, H, W)."""
        if isinstance(self.fields, Tensor):
            return self.fields[index]
        x, y = (_read_component(file) for file in self.fields[index])
        if x.shape != y.shape:
            raise VideoError(
                f"{self.fields[index][0]} is {x.shape[1]}x{x.shape[0]}, but the vertical flow is "
                f"{y.shape[1]}x{y.shape[0]}",
                "extract the flow of this video again",
            )
        return torch.from_numpy(np.stack([x, y]))

    def __enter__(self) -> "FlowTrack":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""


def stored_flow(place: Path) -> FlowTrack:
    """Open flow that lies in a folder of images or in an array.

    Raises
    ------
    VideoError
        There is none, or it is not whole.
    """
    if place.is_dir():
        return FlowTrack(str(place), _pairs_of_images(place))
    if place.suffix in (".npy", ".npz") and place.is_file():
        return FlowTrack(str(place), _read_array(place))
    raise VideoError(
        f"{place}: there is no flow here",
        "give a folder of flow_x_*.jpg and flow_y_*.jpg, or an .npy or .npz of (N, 2, H, W)",
    )


def flow_beside(path: Any) -> Path | None:
    """Folder of frames that holds images of flow too."""
    if not isinstance(path, str | Path) or not Path(path).is_dir():
        return None
    return Path(path) if _images(Path(path), "x") else None


def _pairs_of_images(folder: Path) -> tuple[tuple[Path, Path], ...]:
    x, y = _images(folder, "x"), _images(folder, "y")
    if not x or x.keys() != y.keys():
        lacking = sorted(x.keys() ^ y.keys())
        what = f"field {lacking[0]} has only one component" if lacking else "no images of flow"
        raise VideoError(
            f"{folder}: {what}",
            "a folder of flow holds flow_x_00001.jpg, flow_y_00001.jpg, flow_x_00002.jpg, ...",
        )
    first, last = min(x), max(x)
    if len(x) != last - first + 1:
        absent = next(number for number in range(first, last) if number not in x)
        raise VideoError(
            f"{folder}: field {absent} is missing between fields {first} and {last}",
            "extract the flow of this video again",
        )
    return tuple((x[number], y[number]) for number in sorted(x))


def _images(folder: Path, axis: Literal["x", "y"]) -> dict[int, Path]:
    """Images of one component by number: ``flow_x_00001.jpg``, or ``x/00001.jpg``."""
    inside = folder / axis if (folder / axis).is_dir() else folder
    pattern = re.compile(r"(?:.*_)?(\d+)" if inside != folder else rf"(?:.*_)?{axis}_(\d+)")
    images: dict[int, Path] = {}
    for file in sorted(inside.iterdir()):
        match = pattern.fullmatch(file.stem)
        if file.name.startswith(".") or file.suffix.lower() not in SUFFIXES or not match:
            continue  # macOS writes ._flow_x_00001.jpg beside a file
        if int(match[1]) in images:
            raise VideoError(
                f"{inside}: {file.name} and {images[int(match[1])].name} are the same field",
                "keep the images of one extraction in a folder",
            )
        images[int(match[1])] = file
    return images


def _read_component(file: Path) -> NDArray[np.uint8]:
    try:
        data = np.frombuffer(file.read_bytes(), dtype=np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    except (OSError, cv2.error) as error:
        raise VideoError(f"{file}: cannot be read: {error}", "extract this flow again") from error
    if image is None:
        raise VideoError(f"{file}: not a complete image", "extract this flow again")
    return np.asarray(image, dtype=np.uint8)


def _read_array(file: Path) -> Tensor:
    try:
        with file.open("rb") as opened:
            content = np.load(opened)
            flow = content["flow"] if file.suffix == ".npz" else content
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise VideoError(f"{file}: holds no flow: {error}", "expected (N, 2, H, W)") from error
    if flow.ndim != 4 or flow.shape[1] != 2 or len(flow) == 0:
        raise VideoError(f"{file}: flow of shape {flow.shape}", "expected (N, 2, H, W)")
    return torch.from_numpy(flow.astype(np.float32))
