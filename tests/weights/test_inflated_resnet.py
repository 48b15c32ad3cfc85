"""I3D on a ResNet: the frozen batch norms of the Caffe2 networks."""

import torch
from torch.nn.functional import batch_norm

from zoopraxis.weights.keys.inflated_resnet import thaw_norms


def test_frozen_norms_keep_their_scale_and_shift():
    scale, shift, x = torch.rand(4), torch.rand(4), torch.randn(2, 4, 1, 3, 3)
    frozen = {"0.norm3.weight": scale, "0.norm3.bias": shift, "nonlocal1.out.bias": shift}

    state = thaw_norms(frozen)

    def norm(name):
        statistics = (state[f"{name}.{kind}"] for kind in ("running_mean", "running_var"))
        return batch_norm(x, *statistics, state[f"{name}.weight"], state[f"{name}.bias"])

    torch.testing.assert_close(norm("0.norm3"), torch.addcmul(spread(shift), x, spread(scale)))
    torch.testing.assert_close(norm("nonlocal1.norm"), x)


def spread(vector):
    return vector.view(-1, 1, 1, 1)
