"""STM: what the two public files do differently from the paper."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.testing import count_params
from zoopraxis.weights.stm import PooledCMM, add_identity_norms


@torch.no_grad()
def test_the_authors_file_strides_by_a_maximum():
    motion = PooledCMM(1, stride=2).eval()
    motion.reduce.weight.fill_(1.0)
    motion.filters.weight.zero_()[0, 0, 1, 1] = 1.0
    motion.restore.weight.fill_(1.0)
    frames = torch.zeros(2, 1, 2, 2)
    frames[1, 0] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])

    assert motion(frames, 2).flatten().tolist() == pytest.approx([4, 0], rel=1e-4)


@torch.no_grad()
def test_identity_norms_change_nothing():
    state = add_identity_norms(conv="conv", norm="norm", eps=1e-5)(
        {"a.conv.weight": torch.ones(3, 2)}
    )
    norm = torch.nn.BatchNorm2d(3).eval()
    made = {k.removeprefix("a.norm."): v for k, v in state.items() if k.startswith("a.norm.")}
    norm.load_state_dict({**made, "num_batches_tracked": torch.tensor(0)})
    x = torch.randn(2, 3, 4, 4)

    torch.testing.assert_close(norm(x), x, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("source", "params"), [("stm_author", 24_035_666), ("stm_port", 24_050_770)]
)
def test_sizes_of_the_public_files(source, params):
    with torch.device("meta"):
        model = create_model("stm_r50_8", source=source)

    # the author's file lacks the batch norms after CMM: 3 x 64 + 4 x 128 + 6 x 256 + 3 x 512
    assert count_params(model) - params == {"stm_author": 2 * 3776, "stm_port": 0}[source]
