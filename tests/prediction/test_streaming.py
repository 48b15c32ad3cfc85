"""Networks that follow a video: what they keep and say is what they would of the whole of it."""

import json

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from videos import write
from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.saved import open_model, save_model
from zoopraxis.cli import app
from zoopraxis.errors import VideoError, ZoopraxisError
from zoopraxis.models import model_spec
from zoopraxis.prediction.streaming import StreamingNetwork, predict_stream

FOLLOWERS = [
    "test_p3d",
    "test_r2plus1d",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("test_csn", "test_densenet3d", "test_i3d", "test_resnet3d", "test_s3d")
    ),
]


def lively(name):
    """A network whose norms are not the identity."""
    model = create_model(name).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


def given(network, video, pieces):
    """Logits of a video that comes in pieces of so many frames, again and again."""
    found, start = [], 0
    while start < video.shape[2]:
        for count in pieces:
            piece = video[:, :, start : start + count]
            found += network.push(piece) if piece.shape[2] else []
            start += count
    return torch.cat(found)


@pytest.mark.parametrize("name", FOLLOWERS)
def test_a_piece_after_the_other_is_the_whole_video_at_once(name):
    model, shape = lively(name), model_spec(name).clip.shape
    network = StreamingNetwork(model, shape)
    length = (network.receptive_field + 3 * shape[1]) // 16 * 16
    video = torch.randn(1, shape[0], length, *shape[2:])

    found = given(network, video, (1, 3, 2, 5))

    with torch.no_grad():
        features = model.forward_features(video)  # (1, C, T', h, w)
        count = model.forward_features(video[:, :, : shape[1]]).shape[2]
        whole = torch.cat(
            [
                model.forward_head(features[:, :, first : first + count])
                for first in range(len(found))
            ]
        )
    assert len(found) >= 4  # all of them depend on frames that have come, none on the end
    assert network.first + (len(found) - 1) * network.step + network.receptive_field <= length
    assert torch.linalg.norm(found - whole) <= 1e-5 * torch.linalg.norm(whole)


@pytest.mark.parametrize(
    "name",
    ["test_r2plus1d", *(pytest.param(n, marks=pytest.mark.slow) for n in ("test_s3d", "test_csn"))],
)
def test_between_its_own_steps_it_says_what_it_would_of_a_video_that_began_later(name):
    model, shape = lively(name), model_spec(name).clip.shape
    network, often = StreamingNetwork(model, shape), StreamingNetwork(model, shape, every=2)
    video = torch.randn(1, shape[0], often.receptive_field + 64, *shape[2:])
    assert (network.step, often.step) == (8, 2)
    assert often.receptive_field == network.receptive_field

    dense = given(often, video, (4,))
    for later in (0, 2, 6):
        network.reset()
        plain = given(network, video[:, :, later:], (8,))
        inside = [n for n in range(len(plain)) if network.first + n * network.step >= 0]
        assert inside
        for n in inside:  # no padding in its receptive field
            frame = later + network.first + n * network.step
            torch.testing.assert_close(
                dense[(frame - often.first) // often.step], plain[n], rtol=1e-4, atol=1e-5
            )


def test_it_keeps_no_more_after_many_frames():
    shape = model_spec("test_r2plus1d").clip.shape
    network = StreamingNetwork(create_model("test_r2plus1d"), shape)

    def kept():
        return sum(
            one.untyped_storage().nbytes()
            for layer in network._layers.values()
            for one in (layer.kept if isinstance(layer.kept, list) else [layer.kept])
            if one is not None
        )

    sizes = []
    for _ in range(12):
        network.push(torch.randn(1, shape[0], 8, *shape[2:]))
        sizes.append(kept())
    assert sizes[6] == sizes[-1]


def test_a_video_begins_anew():
    shape = model_spec("test_p3d").clip.shape
    network = StreamingNetwork(lively("test_p3d"), shape)
    video = torch.randn(1, shape[0], 64, *shape[2:])
    first = given(network, video, (16,))
    network.reset()
    torch.testing.assert_close(given(network, video, (16,)), first)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("test_x3d", r"layer1\.0\.gate"), ("test_nonlocal_net", "nonlocal"), ("test_tsm", "network")],
)
def test_what_looks_at_all_frames_at_once_is_named(name, layer):
    with pytest.raises(ZoopraxisError, match=layer):
        StreamingNetwork(create_model(name), model_spec(name).clip.shape)


def test_a_file_is_followed(tmp_path):
    path = write(tmp_path / "numbers.mp4", frames=120)
    net = open_model("test_r2plus1d")

    found = list(predict_stream(str(path), net, every=4 / 25))

    # a convention is of whole videos: a stream has every frame
    twice = list(predict_stream(str(path), net.with_clip(convention="tsm_twice"), every=4 / 25))
    assert [one.times for one in twice] == [one.times for one in found]
    logits = [torch.cat([one.logits for one in run]) for run in (twice, found)]
    torch.testing.assert_close(*logits)  # up to rounding: pieces are as long as they come
    spacing = net.clip.sampling.stride / (net.clip.sampling.fps or 30.0)
    starts = [prediction.times[0][1] for prediction in found]
    assert starts == pytest.approx(
        [starts[0] + n * (starts[1] - starts[0]) for n in range(len(starts))]
    )
    assert starts[1] - starts[0] <= 4 / 25 + spacing
    assert all(len(prediction.labels) == 5 for prediction in found)
    short = write(tmp_path / "short.mp4", frames=4)
    with pytest.raises(VideoError, match="the first prediction of test_r2plus1d needs"):
        list(predict_stream(str(short), net))
    with pytest.raises(ZoopraxisError, match="takes no dense clips"):
        next(predict_stream(str(path), "test_tsn"))
    with pytest.raises(ZoopraxisError, match="every is 0"):
        StreamingNetwork(net.model, net.clip.shape, every=0)


def test_the_command(tmp_path):
    path = write(tmp_path / "numbers.mp4", frames=120)
    net = open_model("test_r2plus1d")
    save_model(tmp_path / "net.safetensors", net.model, net.config)
    words = ["predict", str(path), "--model", str(tmp_path / "net.safetensors"), "--stream"]

    done = CliRunner().invoke(app, [*words, "--json"])

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) > 1
    assert all(line["model"] for line in lines)
    refused = CliRunner().invoke(app, [*words, "--views", "2"])
    assert refused.exit_code == 1
    assert "--stream does not go with --views" in refused.stderr
