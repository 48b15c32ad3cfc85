"""X3D: the batch norm that PyTorchVideo omits, and the keys of its mobile networks."""

import torch

from zoopraxis.checkpoints.convert import rename
from zoopraxis.testing import noise_clip
from zoopraxis.weights import sources_of


@torch.no_grad()
def test_the_added_batch_norm_is_the_identity():
    state = {"layer1.0.shortcut.conv.weight": torch.zeros(8, 3, 1, 1, 1)}
    norm = torch.nn.BatchNorm3d(8).eval()
    added = sources_of("x3d_s")["pytorchvideo"].adapt(state)
    prefix = "layer1.0.shortcut.norm."
    for key in ("weight", "bias", "running_mean", "running_var"):
        getattr(norm, key).copy_(added[prefix + key])
    x = noise_clip((2, 8, 3, 4, 4))

    torch.testing.assert_close(norm(x), x, rtol=2e-7, atol=0)


MOBILE = {
    "s1.pathway0_stem_conv_xy.kernel.conv.weight": "stem.spatial.weight",
    "s1.pathway0_stem_conv.kernel.conv.weight": "stem.temporal.weight",
    "s1.pathway0_stem_conv.kernel.bn.bias": "stem.norm.bias",
    "s2.pathway0_res0._res_proj.kernel.conv.weight": "layer1.0.shortcut.conv.weight",
    "s2.pathway0_res0._res_proj.kernel.bn.weight": "layer1.0.shortcut.norm.weight",
    "s5.pathway0_res6.layers.conv_0.kernel.conv.weight": "layer4.6.conv1.weight",
    "s5.pathway0_res6.layers.conv_2.kernel.bn.running_mean": "layer4.6.norm3.running_mean",
    "s3.pathway0_res2.layers.se.se.block.0.bias": "layer2.2.gate.reduce.bias",
    "s3.pathway0_res2.layers.se.se.block.2.bias": "layer2.2.gate.expand.bias",
    "head.conv_5.kernel.conv.weight": "conv5.weight",
    "head.conv_5.kernel.bn.weight": "norm5.weight",
    "head.lin_5.kernel.conv.weight": "head.hidden.weight",
    "projection.model.bias": "head.linear.bias",
}


def test_mobile_networks_are_the_same_under_other_keys():
    theirs = {key: torch.zeros(()) for key in MOBILE}

    ours = rename(theirs, sources_of("x3d_s")["pytorchvideo_mobile"])

    assert list(ours) == list(MOBILE.values())
