"""The architectures I3D is measured against: sizes of Table 1, pairs, normalised LSTM, fusion."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.models import model_spec
from zoopraxis.models.i3d_baselines import NormLSTM, pairs
from zoopraxis.testing import count_params, noise_clip


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("quo_vadis_lstm", 8.96),  # 9 M in Table 1
        ("quo_vadis_3d", 79.7),  # 79 M
        ("quo_vadis_two_stream", 12.1),  # 12 M
        ("quo_vadis_fused", 39.8),  # 39 M
        ("i3d_inception_two_stream", 25.4),  # 25 M
    ],
)
def test_sizes_are_those_of_table_1(name, millions):
    with torch.device("meta"):
        assert count_params(create_model(name)) / 1e6 == pytest.approx(millions, abs=0.05)


def test_pairs_are_a_frame_and_the_flow_that_begins_there():
    # a value encodes its channel (hundreds) and its frame
    x = torch.arange(5.0)[:, None] * 100 + torch.arange(20.0)
    clips = x[None, :, :, None, None]

    rgb, flow = pairs(clips)

    assert rgb[:, :, 0, 0].tolist() == [[0, 100, 200], [10, 110, 210]]
    assert flow[0, :6, 0, 0].tolist() == [300, 400, 301, 401, 302, 402]
    assert flow[1, -2:, 0, 0].tolist() == [319, 419]


def test_says_which_lengths_make_pairs():
    with pytest.raises(ShapeError, match=r"expected \(B, 5, 10 S, H, W\)"):
        pairs(torch.zeros(1, 5, 12, 4, 4))


@torch.no_grad()
def test_the_lstm_is_torchs_when_its_norms_do_nothing():
    torch.manual_seed(0)
    ours, theirs = NormLSTM(3, 4).eval(), torch.nn.LSTM(3, 4, batch_first=True)
    for norm in (ours.norm_input, ours.norm_state, ours.norm_cell):
        torch.nn.init.ones_(norm.weight)
        norm.running_var.fill_(1 - norm.eps)
    # ours: forget, input, output, candidate; torch: input, forget, candidate, output
    order = [1, 0, 3, 2]

    def gates(tensor):
        return torch.cat([tensor.chunk(4)[i] for i in order])

    theirs.weight_ih_l0.copy_(gates(ours.input.weight))
    theirs.weight_hh_l0.copy_(gates(ours.state.weight))
    theirs.bias_ih_l0.copy_(gates(ours.input.bias))
    theirs.bias_hh_l0.zero_()
    x = noise_clip((2, 5, 3))

    torch.testing.assert_close(ours(x), theirs(x)[0])


@torch.no_grad()
def test_the_last_frame_decides():
    torch.manual_seed(0)
    model = create_model("test_quo_vadis").eval()
    features = model.forward_features(noise_clip((2, *model_spec("test_quo_vadis").clip.shape)))

    frames = model.frame_logits(features)

    assert frames.shape == (2, 4, 12)
    torch.testing.assert_close(model.forward_head(features), frames[:, -1])
    torch.testing.assert_close(model.frame_logits(features[:, :, :2])[:, 1], frames[:, 1])


@torch.no_grad()
def test_more_pairs_are_averaged_by_two_streams_and_fused_by_the_other():
    torch.manual_seed(0)
    two, fused = (
        create_model("test_quo_vadis_two_stream").double().eval(),
        create_model("test_quo_vadis_fused").double().eval(),
    )
    clip = noise_clip((1, 5, 20, 64, 64)).double()
    swapped = torch.cat([clip[:, :, 10:], clip[:, :, :10]], dim=2)

    torch.testing.assert_close(two(clip), (two(clip[:, :, :10]) + two(clip[:, :, 10:])) / 2)
    torch.testing.assert_close(two(swapped), two(clip))
    assert not torch.allclose(fused(swapped), fused(clip), rtol=1e-3)
