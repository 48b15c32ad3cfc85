"""Windows of larger crops: each classified as in training, and their probabilities averaged."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from videos import write
from zoopraxis.checkpoints.layout import without_values
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.engine.export import export_model
from zoopraxis.engine.optimize import optimize_opened
from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.evaluation.evaluate import evaluate
from zoopraxis.inputs import Media
from zoopraxis.models import list_models, model_spec
from zoopraxis.prediction.fully_convolutional import (
    FullyConvolutional,
    fully_convolutional,
    map_size,
)
from zoopraxis.prediction.pipeline import predict, view_inputs
from zoopraxis.prediction.streaming import predict_stream
from zoopraxis.testing import noise_clip
from zoopraxis.weights.registry import build_network

TINY = "test_slowfast"  # 64 pixels end in 2x2 positions, 96 in 3x3


def by_hand(model, x, *, height, width):
    """Probabilities of every window, (W, B, K)."""
    features = model.forward_features(x)
    rows, columns = features.shape[3] - height + 1, features.shape[4] - width + 1
    return torch.stack(
        [
            model.forward_head(features[..., i : i + height, j : j + width]).softmax(1)
            for i in range(rows)
            for j in range(columns)
        ]
    )


def larger(name=TINY, size=96):
    torch.manual_seed(0)
    return open_model(name).with_clip(size=size, resize=size)


@torch.no_grad()
def test_windows_are_classified_one_by_one():
    net, x = larger(), noise_clip((2, 3, 8, 96, 96), seed=3)
    expected = by_hand(net.model, x, height=2, width=2)
    assert len(expected) == 4

    got = fully_convolutional(net, 64).model(x)

    torch.testing.assert_close(got.softmax(1), expected.mean(0))
    torch.testing.assert_close(got.exp(), expected.mean(0))  # logarithms of probabilities
    assert not torch.allclose(got.softmax(1), net.model(x).softmax(1), atol=1e-6)


@torch.no_grad()
def test_videos_in_a_batch_keep_their_windows():
    net, clips = fully_convolutional(larger(), 64), noise_clip((2, 3, 8, 96, 96), seed=4)

    alone = torch.cat([net.model(clip[None]) for clip in clips])

    torch.testing.assert_close(net.model(clips), alone)


@torch.no_grad()
def test_crops_of_training_have_one_window():
    net, x = open_model(TINY), noise_clip((1, 3, 8, 64, 64), seed=5)

    got = fully_convolutional(net, 64).model(x)

    torch.testing.assert_close(got, net.model(x).log_softmax(1))


@torch.no_grad()
def test_sigmoids_are_averaged_where_several_labels_are_true():
    net, x = larger(), noise_clip((1, 3, 8, 96, 96), seed=6)
    features = net.model.forward_features(x)
    corners = [features[..., i : i + 2, j : j + 2] for i in (0, 1) for j in (0, 1)]
    expected = torch.stack([net.model.forward_head(c).sigmoid() for c in corners]).mean(0)

    got = fully_convolutional(net, 64, scores="sigmoid").model(x)

    torch.testing.assert_close(got.sigmoid(), expected)


def test_extreme_logits_stay_finite():
    class Extreme(torch.nn.Module):
        num_features = num_classes = 2

        def forward_features(self, x):
            return x

        def forward_head(self, x):
            return 1e4 * x.mean(dim=(2, 3, 4))

    x = torch.tensor([[1.0, -1.0]])[..., None, None, None].expand(1, 2, 1, 3, 3)
    for scores in ("softmax", "sigmoid"):
        got = FullyConvolutional(Extreme(), (2, 2), scores=scores)(x)
        assert torch.isfinite(got).all()
        assert got[0, 0] > got[0, 1] + 1e4


# The windows of the zoo: what the authors' code computes from 32 pixels a position, and others


@pytest.mark.parametrize(
    ("name", "size", "window"),
    [
        ("slowfast_r50_8x8", 224, (7, 7)),
        ("slow_r50_4x16", 256, (8, 8)),
        ("x3d_s", 160, (5, 5)),  # PySlowFast: ceil(160 / 32)
        ("x3d_s", 182, (6, 6)),
        ("x3d_l", 312, (10, 10)),  # PySlowFast: ceil(312 / 32)
        ("i3d_r50_8x8", 224, (7, 7)),
        ("i3d_nln_r50_32x2", 224, (7, 7)),
        ("r2plus1d_18", 112, (7, 7)),  # 16 pixels a position
        ("cnn3d", 60, (1, 4)),  # its map is not square
    ],
)
def test_windows_are_measured(name, size, window):
    with without_values():
        network = build_network(name)

    assert map_size(network, model_spec(name).clip.change(size=size)) == window


REFUSED = {  # one position, boxes instead of crops, skeletons
    "test_lrcn": "of 96 pixels as of 64 its features have one position",
    "test_space_time_region_graph": "not a map of features",
    **dict.fromkeys(("test_stgcn", "test_stgcn_plus"), "not a map of features"),
    **dict.fromkeys(("test_agcn", "test_aagcn"), "not a map of features"),
}
FIXED = ("test_c3d", "test_fstcn", "test_beyond_short_snippets")


@torch.no_grad()
@pytest.mark.parametrize("name", [n for n in list_models("test_*") if n not in FIXED])
def test_every_network_is_tested_so_or_says_why_not(name):
    net = open_model(name)
    size = getattr(net.clip.input, "size", 0)
    net = net.with_clip(size=size + 32, resize=size + 32) if size else net
    if name in REFUSED:
        with pytest.raises(ZoopraxisError, match=REFUSED[name]):
            fully_convolutional(net, size)
        return
    tested = fully_convolutional(net, size)
    height, width = tested.model.window
    x = net.clip.example(seed=1)

    got = tested.model(x)

    expected = by_hand(net.model, x, height=height, width=width).mean(0)
    torch.testing.assert_close(got.softmax(1), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", FIXED)
def test_networks_of_one_size_have_no_larger_crops(name):
    net = open_model(name)
    with pytest.raises(ShapeError, match="does not take clips of"):
        net.with_clip(size=net.clip.input.size + 32, resize=net.clip.input.size + 32)


def test_what_cannot_be_is_refused():
    net = larger()
    with pytest.raises(ShapeError, match="crops of 96 pixels hold no windows of 128"):
        fully_convolutional(net, 128)
    with pytest.raises(ZoopraxisError, match="not a map of features"):
        fully_convolutional(fully_convolutional(net, 64), 64)  # windows of windows
    with pytest.raises(ZoopraxisError, match="softmax or sigmoid, not 'mean'"):
        fully_convolutional(net, 64, scores="mean")
    with pytest.raises(ShapeError, match="1 x 1 positions hold no window of 2 x 2"):
        fully_convolutional(net, 64).model(torch.zeros(1, 3, 8, 32, 32))


# What goes on from there


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return str(write(tmp_path_factory.mktemp("video") / "numbers.mp4", frames=40))


def test_the_mean_over_views_is_exact(video):
    net = larger()
    tested = fully_convolutional(net, 64)

    found = predict(video, tested, views=2, crops=3, top=4)

    media = Media(path=video)
    with net.clip.input.open(media) as track:
        x, _ = view_inputs(track, media, net.clip, views=2, crops=3)
    with torch.no_grad():
        windows = by_hand(net.model, x, height=2, width=2)  # (4, 6, K)
    best = windows.mean(dim=(0, 1)).sort(descending=True, stable=True).values[:4]
    assert found.scores == pytest.approx(best.tolist(), rel=1e-4)


@pytest.mark.parametrize("engine", ["torch", "openvino", "onnx"])
def test_every_engine_computes_it(engine, video):
    tested = fully_convolutional(larger(), 64)

    fast = optimize_opened(tested, engine=engine)

    assert (fast.engine, fast.windows) == (engine, "64 softmax")
    expected = predict(video, tested, crops=3).logits
    torch.testing.assert_close(predict(video, fast, crops=3).logits, expected, rtol=1e-4, atol=1e-4)


def test_what_is_kept_is_not_found_under_another_way_of_testing(video, tmp_path):
    net, said = larger(), []
    sample = Sample(path=video, label=0, group="", name="a")
    samples = SampleList(samples=(sample,), labels=net.labels, root="")
    ways = [
        net,
        fully_convolutional(net, 64),
        fully_convolutional(net, 80),
        fully_convolutional(net, 64, scores="sigmoid"),
    ]

    found = [
        evaluate(way, samples, views=1, keep=tmp_path, say=said.append) for way in (*ways, ways[1])
    ]

    assert len({one.key for one in found}) == 4
    assert sum("resuming" in line for line in said) == 1
    np.testing.assert_array_equal(found[1].logits, found[4].logits)
    several = replace(samples, samples=(replace(sample, label=(0, 1)),))
    with pytest.raises(ZoopraxisError, match="averaged by softmax") as caught:
        evaluate(ways[1], several)
    assert "--mode mean_sigmoid" in caught.value.hint


def test_a_file_or_a_stream_would_not_say_it(video, tmp_path):
    tested = fully_convolutional(larger("test_r2plus1d"), 64)

    with pytest.raises(ZoopraxisError, match="through windows of its crops, which a file"):
        export_model(tested, tmp_path / "a.onnx", to="onnx")
    with pytest.raises(ZoopraxisError, match="through windows of its crops, which a stream"):
        next(predict_stream(video, tested))
