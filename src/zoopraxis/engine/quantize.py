"""Networks in eight bits, by post-training quantisation.

Weights and activations become integers, int8 = round(x / scale), and convolutions add products of
integers. The scale of a weight is that of its output channel; the scales of activations follow from
their ranges on clips that are shown to the network, its calibration. Nothing is trained.
"""

import contextlib
import io
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from zoopraxis.engine.compiled import frames_first, require

__all__ = ["Clips", "FoldedClips", "quantize_by_onnx", "quantize_by_openvino"]


class Clips(Protocol):
    """What calibrates: N times the arrays that the network takes, (1, ...) each.

    It can be read several times.
    """

    def __len__(self) -> int:
        """N."""

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        """Iterate over the clips."""


class FoldedClips:
    """Clips as a folded network takes them, frames first."""

    def __init__(self, clips: Clips) -> None:
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        return (tuple(map(frames_first, arrays)) for arrays in self.clips)


def quantize_by_openvino(data: bytes, clips: Clips) -> Any:
    """Quantise an ONNX file for OpenVINO, with NNCF.

    Activations are asymmetric, as those of SiLU and hard swish are. The bias of each convolution
    is corrected for the mean error of its output (Nagel et al., ICCV 2019, arXiv:1906.04721).

    Parameters
    ----------
    data : bytes
        The file's content.
    clips : Clips
        What calibrates.

    Returns
    -------
    openvino.Model

    Raises
    ------
    ZoopraxisError
        OpenVINO or NNCF is not installed.
    """
    openvino = require("openvino")
    os.environ.setdefault("NNCF_CI", "1")  # else it reports its use to its makers
    nncf = require("nncf")
    model = openvino.Core().read_model(data)
    names = [port.any_name for port in model.inputs]
    with contextlib.redirect_stdout(io.StringIO()), _quiet(nncf):  # it has a bar of its own
        return nncf.quantize(
            model,
            nncf.Dataset(clips, lambda arrays: dict(zip(names, arrays, strict=True))),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(clips),
        )


@contextlib.contextmanager
def _quiet(nncf: Any) -> Iterator[None]:
    """Leave standard output, where NNCF logs, to results."""
    logger = logging.getLogger("nncf")
    before = logger.level
    nncf.set_log_level(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def quantize_by_onnx(data: bytes, clips: Clips) -> bytes:
    """Quantise an ONNX file for ONNX Runtime, with its own tools.

    Parameters
    ----------
    data : bytes
        The file's content.
    clips : Clips
        What calibrates; activations are scaled by the least and the largest value seen.

    Returns
    -------
    bytes
        An ONNX file with QuantizeLinear and DequantizeLinear, which the runtime fuses.

    Raises
    ------
    ZoopraxisError
        A package is not installed.
    """
    onnx = require("onnx")
    require("onnxruntime")
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # it has no types
        """The clips, as the tools ask for them."""

        def __init__(self) -> None:
            names = [port.name for port in onnx.load_from_string(data).graph.input]
            self.feeds = (dict(zip(names, arrays, strict=True)) for arrays in clips)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(self.feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        given, plain, small = (Path(folder, f"{name}.onnx") for name in ("given", "plain", "small"))
        given.write_bytes(data)
        quant_pre_process(given, plain, skip_symbolic_shape=True)  # merges norms into convolutions
        quantization.quantize_static(
            plain,
            small,
            Reader(),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,  # what x86 multiplies with int8
            weight_type=quantization.QuantType.QInt8,
        )
        return small.read_bytes()
