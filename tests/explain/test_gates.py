"""Gates over frames: colours by hand, and the sheet of a network."""

import pytest
import torch
from matplotlib.image import imread

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.explain.gates import draw_gates, gate_maps, overlay, save_gates
from zoopraxis.testing import noise_clip


def test_open_is_red_negative_is_blue_closed_is_grey():
    frames = torch.full((3, 3, 2, 2), 100, dtype=torch.uint8)
    gate = torch.tensor([1.0, -1.0, 0.0])[:, None, None].expand(3, 2, 2)

    pixels = overlay(frames, gate)[:, :, 0, 0].tolist()

    # a tenth of 100 and nine tenths of the colour
    assert pixels == [[240, 46, 10], [10, 82, 240], [100, 100, 100]]


@torch.no_grad()
def test_gate_maps_show_every_gate():
    torch.manual_seed(0)
    model = create_model("test_gsm").eval()
    clip = noise_clip((2, 3, 4, 64, 64))

    maps = gate_maps(model, clip)

    assert len(maps) == 10
    first = maps["backbone.inception_3a.conv_1x1"]
    assert first.shape == (2, 4, 2, 8, 8)
    assert 0.01 < first.abs().max() <= 1
    assert not model.backbone.inception_3a.conv_1x1.shift.gate._forward_hooks
    torch.testing.assert_close(
        gate_maps(model, clip[1:])["backbone.inception_3a.conv_1x1"], first[1:]
    )


def test_the_sheet_of_a_network_is_a_picture(tmp_path):
    torch.manual_seed(0)
    maps = gate_maps(create_model("test_gsm").eval(), noise_clip((1, 3, 4, 64, 64)))
    frames = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)

    save_gates(tmp_path / "gates.png", frames, maps)

    sheet = imread(tmp_path / "gates.png")
    assert sheet.shape[:2] == ((1 + 2 * 10) * 64, 4 * 64)
    second = torch.from_numpy(sheet[:64, 64:128, :3] * 255).round().permute(2, 0, 1)
    assert torch.equal(second, frames[1].float())


def test_other_frames_than_the_gates_are_refused():
    frames = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)

    with pytest.raises(ShapeError, match=r"3 frames with gates of \[4\] frames"):
        draw_gates(frames, {"a": torch.zeros(1, 4, 2, 2, 2)})
