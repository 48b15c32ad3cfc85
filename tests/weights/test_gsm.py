"""The authors' order of summation."""

import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models.gsm import FrameGate, Gate
from zoopraxis.testing import noise_clip


@torch.no_grad()
def test_the_authors_build_computes_gates_over_volumes():
    torch.manual_seed(0)
    ours = create_model("test_gsm").eval()
    theirs = create_model("test_gsm", source="gsm").eval()
    theirs.load_state_dict(ours.state_dict())
    clip = noise_clip((1, 3, 4, 64, 64))

    gates = [[type(m) for m in net.modules() if isinstance(m, Gate)] for net in (ours, theirs)]

    assert gates == [[FrameGate] * 10, [Gate] * 10]
    torch.testing.assert_close(theirs(clip), ours(clip), rtol=1e-3, atol=1e-5)
