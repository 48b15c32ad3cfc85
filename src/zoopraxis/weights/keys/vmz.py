"""Names of the blobs in VMZ's Caffe2 files, of R(2+1)D and CSN.

Blocks are numbered across the stages, the first half of a convolution is called "middle", and a
batch norm has a scale (``s``), a bias (``b``), a running mean (``rm``) and a running variance,
which is called ``riv`` although it is not inverted.
"""

from zoopraxis.layers.resnet3d import DEPTHS
from zoopraxis.spec import Replacement, Source

__all__ = ["blobs"]


def blobs(
    depth: int, *, halves: tuple[str, str] | None = None, halved: str = "2", stem: str = ""
) -> Source:
    """Return the source of a network's blobs.

    Parameters
    ----------
    depth : int
        Layers; decides which stage a block is in.
    halves : (str, str), optional
        Our names of the two halves of a factorised convolution. By default none is factorised;
        the convolutions of a block are then numbered 1, 3 and 4.
    halved : str, default="2"
        Numbers of a block's factorised convolutions, as a class of characters.
    stem : str, default=""
        Name of the half of the stem's convolution that is called ``conv1``, with its dot.

    Examples
    --------
    In depth 34, block 3 is the first of stage 2:
    ``comp_3_conv_1_middle_w`` becomes ``layer2.0.conv1.spatial.weight``.
    """
    blocks = [f"layer{s + 1}.{i}" for s, n in enumerate(DEPTHS[depth]) for i in range(n)]
    rules: list[tuple[str, Replacement]] = [
        (r"_[ws]$", ".weight"),
        (r"_b$", ".bias"),
        (r"_rm$", ".running_mean"),
        (r"_riv$", ".running_var"),
        (r"^comp_(\d+)_", lambda m: f"{blocks[int(m[1])]}."),
        (r"^shortcut_projection_(\d+)\.", lambda m: f"{blocks[int(m[1])]}.shortcut.conv."),
        (r"^shortcut_projection_(\d+)_spatbn\.", lambda m: f"{blocks[int(m[1])]}.shortcut.norm."),
        (r"^conv1_middle\.", "stem.conv.spatial."),
        (r"^conv1_middle_spatbn_relu\.", "stem.conv.norm."),
        (r"^conv1\.", f"stem.conv.{stem}"),
        (r"^conv1_spatbn_relu\.", "stem.norm."),
        (r"^last_out_L\d+\.", "head.linear."),
    ]
    if halves:
        first, second = halves
        rules += [
            (r"\.conv_(\d)_middle\.", rf".conv\1.{first}."),
            (r"\.spatbn_(\d)_middle\.", r".conv\1.norm."),
            (rf"\.conv_([{halved}])\.", rf".conv\1.{second}."),
        ]
    else:
        rules += [(rf"(conv|spatbn)_{j}\.", rf"\1_{j - 1}.") for j in (3, 4)]
    rules += [(r"\.conv_(\d)\.", r".conv\1."), (r"\.spatbn_(\d)\.", r".norm\1.")]
    return Source(rename=tuple(rules))
