"""The straight line, with networks whose answer can be worked out by hand."""

import pytest
import torch
from torch import nn

from colours import GREEN, RED, MeanColour, colours, opened, painted
from devices import DEVICES
from videos import numbers_of, write
from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.saved import OpenModel, open_model, save_model
from zoopraxis.errors import ModelNotFoundError, ShapeError, VideoError, ZoopraxisError
from zoopraxis.inputs import RGB, ClipSpec, Media, Sampling
from zoopraxis.models import model_spec
from zoopraxis.prediction.pipeline import extract_features, predict, run, view_inputs
from zoopraxis.video import open_video


def test_predict_sees_the_frames_of_every_view():
    video = painted((10, RED), (30, GREEN))
    found = predict(video, colours(), views=2, top=2)
    # views 0-3 and 36-39 at 25 fps: red and green alike
    torch.testing.assert_close(found.logits, torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]))
    assert found.times == ((0.0, pytest.approx(0.16)), (pytest.approx(1.44), pytest.approx(1.6)))
    assert set(found.labels) == {"red", "green"}
    assert found.scores[0] == pytest.approx(found.scores[1])
    assert found.model == "colours"


def test_one_view_is_the_centre():
    found = predict(painted((18, RED), (4, GREEN), (18, RED)), colours())
    assert found.labels[0] == "green"
    assert found.scores[0] == pytest.approx(torch.e / (torch.e + 2))


def test_crops_follow_their_view():
    video = painted((10, RED), (30, GREEN))
    found = predict(video, colours(), views=2, crops=3)
    assert found.logits.argmax(1).tolist() == [0, 0, 0, 1, 1, 1]
    assert [start for start, _ in found.times] == pytest.approx([0, 0, 0, 1.44, 1.44, 1.44])


def test_crops_look_at_different_places():
    video = painted((4, RED)).clone()
    video[..., 22:] = torch.tensor(GREEN, dtype=torch.uint8)[:, None, None]  # the right third
    clip = ClipSpec(
        sampling=Sampling(num_frames=4),
        input=RGB(resize=24, size=24, mean=(0.0,) * 3, std=(1.0,) * 3),
    )
    found = predict(video, colours(clip), crops=3)
    green = found.logits[:, 1].tolist()
    assert green == pytest.approx([2 / 24, 6 / 24, 10 / 24])  # columns 0, 4 and 8 to +24


def test_a_video_file_gives_the_frames_that_were_sampled(tmp_path):
    path = write(tmp_path / "numbers.mp4", frames=40)
    clip = ClipSpec(
        sampling=Sampling(num_frames=4, stride=3),
        input=RGB(resize=48, size=48, mean=(0.0,), std=(1.0,)),
    )
    with open_video(path) as video:
        clips, times = view_inputs(video, Media(path=video), clip, views=3)
        expected = [[0, 3, 6, 9], [15, 18, 21, 24], [30, 33, 36, 39]]
        shown = [[round(time * 25) for time in pair] for pair in times]
        frames = video.frames_at(expected[2])
    assert shown == [[0, 10], [15, 25], [30, 40]]
    assert clips.shape == (3, 3, 4, 48, 48)
    assert numbers_of(frames) == expected[2]
    centre = frames[..., 8:56].float() / 255  # (T, 3, 48, 48)
    torch.testing.assert_close(clips[2].transpose(0, 1), centre)


def test_a_model_by_name_and_by_file_agree(tmp_path):
    name, labels = "test_r2plus1d", [f"class {k}" for k in range(7)]
    torch.manual_seed(0)
    model = create_model(name, num_classes=7)
    clip = model_spec(name).clip
    config = ModelConfig(name=name, clip=clip, labels=tuple(labels))
    path = save_model(tmp_path / "m.safetensors", model, config)
    video = torch.randint(0, 256, (20, 3, 40, 48), dtype=torch.uint8)
    from_file = predict(video, str(path), views=2)
    in_memory = predict(video, opened(model, "mine", clip, labels), views=2)
    torch.testing.assert_close(from_file.logits, in_memory.logits)
    assert from_file.labels == in_memory.labels
    assert from_file.labels[0].startswith("class ")
    assert sum(aggregate_all(from_file)) == pytest.approx(1, abs=1e-5)


def aggregate_all(prediction):
    return prediction.logits.softmax(-1).mean(0).tolist()


def test_batches_do_not_change_the_answer():
    video = torch.randint(0, 256, (40, 3, 24, 32), dtype=torch.uint8)
    alone = predict(video, colours(), views=5, batch_size=1).logits
    assert torch.equal(alone, predict(video, colours(), views=5, batch_size=2).logits)


def test_half_precision_is_near():
    torch.manual_seed(0)
    model = create_model("test_r2plus1d").eval()
    clips = torch.randn(2, *model_spec("test_r2plus1d").clip.shape)
    full = run(model, clips)
    half = run(model, clips, precision="bfloat16")
    assert half.dtype == torch.float32
    assert not torch.equal(full, half)
    torch.testing.assert_close(half, full, rtol=0.05, atol=0.05 * full.abs().max().item())


def test_run_leaves_dropout_and_batch_norm_alone():
    model = nn.Sequential(nn.BatchNorm3d(3), nn.Dropout(0.5), MeanColour())
    model.train()
    clips = torch.randn(4, 3, 2, 8, 8)
    assert torch.equal(run(model, clips), run(model, clips))
    assert model[0].running_mean.abs().max() == 0


def test_features_are_averaged_over_time_and_space():
    video = painted((10, RED), (30, GREEN))
    features = extract_features(video, colours(), views=2)
    torch.testing.assert_close(features, torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]))
    pooled = extract_features(video, colours(), views=2, pool="video")
    torch.testing.assert_close(pooled, torch.tensor([0.5, 0.5, 0.0]))


def test_features_of_a_network_of_the_zoo():
    torch.manual_seed(0)
    spec = model_spec("test_r2plus1d")
    model = create_model(spec.name).eval()
    net = opened(model, spec.name, spec.clip, ())
    video = torch.randint(0, 256, (20, 3, 40, 48), dtype=torch.uint8)
    with open_video(video) as track:
        clips, _ = view_inputs(track, Media(path=video), spec.clip)
    features = extract_features(video, net)  # (1, C)
    assert features.shape == (1, model.num_features)
    with torch.inference_mode():
        expected = model.forward_features(clips).mean(dim=(2, 3, 4))
    torch.testing.assert_close(features, expected)


def test_errors_pass_through(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        predict(tmp_path / "none.mp4", colours())
    with pytest.raises(ModelNotFoundError):
        predict(painted((4, RED)), "no_such_model")
    wrong = colours(labels=("red", "green"))
    with pytest.raises(ShapeError, match="2 labels"):
        predict(painted((4, RED)), wrong)


@pytest.mark.parametrize("change", [{"num_frames": 1}, {"resize": 8, "size": 8}])
def test_a_clip_that_does_not_fit_the_network(change):
    config = ModelConfig(
        name="test_s3d", clip=model_spec("test_s3d").clip.change(**change), labels=("a", "b")
    )
    net = OpenModel(config.build(), config, "small")
    with pytest.raises(ShapeError, match="does not fit the network"):
        predict(painted((40, RED)), net)


def test_a_segment_is_looked_at_as_if_it_were_the_video():
    video = painted((30, RED), (10, GREEN), (30, RED))
    found = predict(Media(path=video, start=1.2, end=1.6), colours())  # frames 30 to 39 of 25 fps
    assert found.logits.argmax(1).tolist() == [1]
    assert 1.2 <= found.times[0][0] < found.times[0][1] <= 1.6
    assert predict(video[30:40], colours()).logits.tolist() == found.logits.tolist()


class Parts(nn.Module):
    """A network of two inputs."""

    def forward(self, first, second):
        return torch.stack([first.mean(dim=(1, 2)), second.mean(dim=1)], dim=1)


def test_a_network_may_take_several_tensors():
    first, second = torch.arange(10.0).view(5, 2, 1), torch.arange(5.0).view(5, 1)
    out = run(Parts(), (first, second), batch_size=2)
    assert out.tolist() == [[2 * n + 0.5, n] for n in range(5)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_device_computes_the_same(device, precision):
    clips = model_spec("test_r2plus1d").clip.example(batch=5, seed=1)
    model = create_model("test_r2plus1d").eval()
    with torch.no_grad():
        exact = model.double()(clips.double())  # (5, K)
    found = run(model.float(), clips, device=device, precision=precision, batch_size=2)
    error = torch.linalg.norm(found - exact) / torch.linalg.norm(exact)
    assert error <= (1e-4 if precision == "float32" else 3e-2)


@pytest.mark.parametrize("device", ["abacus", "cuda:99", "hpu", "meta"])
def test_a_device_that_is_not_there(device):
    with pytest.raises(ZoopraxisError, match=f"device '{device}' cannot be used"):
        predict(painted((4, RED)), colours(), device=device)


def test_a_batch_has_a_clip():
    with pytest.raises(ZoopraxisError, match="batch_size is 0"):
        predict(painted((4, RED)), colours(), batch_size=0)


def test_boxes_reach_the_network(tmp_path):
    frames = torch.randint(0, 256, (12, 3, 64, 80), dtype=torch.uint8)
    (tmp_path / "boxes.csv").write_text("frame,x1,y1,x2,y2\n0,8,8,40,60\n6,30,4,70,40\n")
    media = Media(path=open_video(frames, fps=10.0), boxes=str(tmp_path / "boxes.csv"))
    net = open_model("test_space_time_region_graph")

    prediction = predict(media, net, views=2, crops=3)
    features = extract_features(media, net, views=2)

    assert len(prediction.times) == 6
    assert features.shape == (2, net.model.num_features)
    assert not torch.equal(features[0], features[1])
    with pytest.raises(VideoError, match="no boxes"):
        predict(frames, net)
