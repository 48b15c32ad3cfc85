"""What a runtime computes, behind the face of a network; and networks as ONNX, for runtimes."""

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from zoopraxis.engine.compiled import Compiled, require

__all__ = ["RuntimeNetwork", "onnx_bytes", "trace"]


class RuntimeNetwork(nn.Module):
    """A network that a runtime computes; it has no parameters.

    Parameters
    ----------
    compiled : Compiled
        What computes it.
    """

    def __init__(self, compiled: Compiled) -> None:
        super().__init__()
        self.compiled = compiled

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W), or what else the network takes, to logits (B, K)."""
        return torch.from_numpy(self.compiled(*(x.contiguous().numpy() for x in inputs)))


def trace(model: nn.Module, clip: tuple[Tensor, ...]) -> ExportedProgram:
    """Trace a network for clips of one shape.

    Parameters
    ----------
    model : nn.Module
        In evaluation mode.
    clip : tuple of Tensor
        What it is called with, one clip as the batch.
    """
    with torch.no_grad():
        return torch.export.export(model, clip)


def onnx_bytes(program: ExportedProgram, **metadata: str) -> bytes:
    """Write a network as ONNX.

    Parameters
    ----------
    program : ExportedProgram
        Its `trace`.
    metadata : str
        Texts to put into the file's ``metadata_props``.
    """
    onnx = require("onnx")
    require("onnxscript")
    with torch.no_grad():
        made = torch.onnx.export(program, dynamo=True, verbose=False, optimize=False)
    assert made is not None  # noqa: S101  it is None only for an export to a file
    # a third of the nodes are constants, and the optimiser compares each node with all others
    passes = require("onnx_ir").passes
    lift = passes.common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)
    passes.Sequential(lift, passes.common.DeduplicateInitializersPass())(made.model)
    made.optimize()
    proto = made.model_proto
    onnx.helper.set_model_props(proto, metadata)
    data: bytes = proto.SerializeToString()
    return data
