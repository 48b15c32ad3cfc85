"""What networks cost: counts by hand, memory, reach, time, and the picture."""

import math

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from torch import nn

from zoopraxis import create_model, model_spec
from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import open_model, save_model
from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.explain.profile import account, count_activations, draw_costs, latency, reach
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.models import list_models, model_size
from zoopraxis.weights import weights_of

FLOAT = 4  # bytes
CLIP = ClipSpec(sampling=Sampling(num_frames=9, stride=1), input=RGB(size=32))


@pytest.mark.parametrize("name", list_models("test_*"))
def test_every_tiny_network(name):
    check_account(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", list_models())
def test_every_network(name):
    check_account(name)


def check_account(name):
    found, size = account(name), model_size(name)

    assert found.params / 1e6 == pytest.approx(size.params_m, abs=0.00501)
    assert found.macs / 1e9 == pytest.approx(size.gmacs, abs=0.00501)
    assert found.weight_bytes >= FLOAT * found.params
    assert found.activation_bytes > FLOAT * sum(map(math.prod, found.shapes))


def test_activations_and_memory_by_hand():
    model = nn.Sequential(nn.Conv3d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv3d(8, 2, 1))
    for device in ("meta", "cpu"):
        elements, peak = count_activations(model.to_empty(device=device), (1, 3, 4, 10, 10))

        assert elements == (8 + 2) * 400
        # the input, what the first convolution gives, and its positive part; the second gives less
        assert peak == FLOAT * (3 + 8 + 8) * 400


def test_views_and_changes_in_place_hold_nothing_more():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv3d(1, 4, 1)

        def forward(self, x):
            return self.conv(x).relu_().transpose(1, 2).flatten(3)[:, :1]

    # flattening the two last axes of a transposed map needs no copy
    _, peak = count_activations(InPlace(), (1, 1, 5, 6, 7))
    assert peak == FLOAT * (1 + 4) * 210


def test_interactions_are_those_of_3d_convolutions():
    assert account("test_tsn").interactions is None
    for name in ("ir_csn_50", "ip_csn_50", "r2plus1d_18"):
        with torch.device("meta"):
            convs = [m for m in create_model(name).modules() if isinstance(m, nn.Conv3d)]
        # each output channel mixes the channels of its group, two at a time
        pairs = sum(c.out_channels * math.comb(c.weight.shape[1], 2) for c in convs)
        assert account(name).interactions == pairs > 0
    # the 1x1x1 convolutions before the depth-wise ones restore what the others have lost
    assert account("ir_csn_50").interactions < account("ip_csn_50").interactions


def test_another_clip_is_counted_anew():
    frames = model_spec("test_tsn").clip.sampling.num_frames
    once, twice = account("test_tsn"), account("test_tsn", num_frames=2 * frames)

    assert twice.params == once.params
    assert twice.activations == 2 * once.activations


def test_clips_that_a_network_does_not_take():
    with pytest.raises(ShapeError, match="test_c3d does not take clips of"):
        account("test_c3d", size=112)
    with pytest.raises(ZoopraxisError, match="'skeleton' input has no size"):
        account("test_stgcn", size=112)


def test_a_file_of_ours(tmp_path):
    model, clip = create_model("test_tsn", num_classes=7), model_spec("test_tsn").clip
    config = ModelConfig(name="test_tsn", clip=clip, labels=tuple("abcdefg"))
    path = save_model(tmp_path / "best.safetensors", model, config)

    found = account(path)

    assert found.params == sum(p.numel() for p in model.parameters())
    assert found.activations == account("test_tsn").activations


class Layers(nn.Sequential):
    def forward_features(self, x):
        return self(x)


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ([nn.Conv3d(3, 2, (3, 5, 7), padding=(1, 2, 3))], (3, 5, 7)),
        # 3 + (3 - 1) * 2: the second steps over 2 pixels at a time
        ([nn.Conv3d(3, 2, 3, (1, 2, 2), 1), nn.MaxPool3d(3, 1, 1)], (5, 7, 7)),
        ([nn.Conv3d(3, 2, 3, padding=2, dilation=2), nn.ReLU()], (5, 5, 5)),
        ([nn.Conv3d(3, 2, 1), nn.AdaptiveAvgPool3d((None, 1, 1))], (1, "all", "all")),
    ],
)
def test_reach(layers, wanted):
    found = reach(Layers(*layers), CLIP)
    assert (found.frames, found.height, found.width) == wanted


def test_reach_follows_shifts_and_weights_of_zero():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Parameter(torch.zeros(()))

        def forward_features(self, x):
            return x + self.gate * (x.roll(1, dims=2) + x.roll(-2, dims=2))

    found = reach(Shifted(), CLIP)
    assert (found.frames, found.height, found.width) == (4, 1, 1)


def test_reach_of_frames_alone():
    assert reach(create_model("test_tsn").eval(), model_spec("test_tsn").clip).frames == 1
    assert reach(create_model("test_tsm").eval(), model_spec("test_tsm").clip).frames == "all"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("test_stgcn", "one volume"),
        ("test_space_time_region_graph", "one volume"),
        ("test_tvnet", "cannot be measured"),
    ],
)
def test_networks_without_a_fixed_reach(name, problem):
    with pytest.raises(ZoopraxisError, match=problem):
        reach(create_model(name).eval(), model_spec(name).clip)


def test_latency_says_how_it_was_measured():
    calls = []
    found = latency(
        open_model("test_tsn"),
        batch=2,
        repeats=4,
        warmup=1,
        progress=lambda done, total: calls.append((done, total)),
    )

    assert 0 < found.p50 <= found.p90 <= found.p95
    assert (found.batch, found.repeats, found.precision) == (2, 4, "float32")
    assert (found.engine, found.threads) == ("torch", torch.get_num_threads())
    assert found.processor
    assert calls == [(n, 5) for n in range(1, 6)]
    with pytest.raises(ZoopraxisError, match="repeats 0"):
        latency(open_model("test_tsn"), repeats=0)


def test_the_picture_has_every_published_accuracy():
    rows = [weights for weights in weights_of("r2plus1d_18") if weights.top1 is not None]
    figure, points = draw_costs([("r2plus1d_18", 40.5)])

    drawn = [tuple(xy) for c in figure.axes[0].collections for xy in c.get_offsets()]
    assert points == len(rows) > 0
    assert sorted(drawn) == sorted((40.5, weights.top1) for weights in rows)
    with pytest.raises(ZoopraxisError, match="no accuracy is published for test_tsn"):
        draw_costs([("test_tsn", 1.0)])


def test_names_in_the_picture_hide_nothing():
    names = ("x3d_s", "x3d_m", "ir_csn_152", "r3d_18", "r2plus1d_18", "mc3_18", "s3d")
    figure, points = draw_costs([(name, account(name).macs / 1e9) for name in names])
    axes, renderer = figure.axes[0], FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)

    boxes = [text.get_window_extent(renderer) for text in axes.texts if text.get_text()]
    dots = [axes.transData.transform(xy) for c in axes.collections for xy in c.get_offsets()]
    assert len(boxes) == points > 10
    for number, box in enumerate(boxes):
        assert axes.bbox.contains(*box.min)
        assert axes.bbox.contains(*box.max)
        assert not any(map(box.overlaps, boxes[:number]))
        assert not any(box.contains(x, y) for x, y in dots)
