"""Networks on compressed video, from a list of files to a prediction."""

import json
import math

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from zoopraxis import predict
from zoopraxis.cli import app
from zoopraxis.errors import VideoError
from zoopraxis.theatre.film import film
from zoopraxis.theatre.make import encode
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import read_recipe

SIZE, FRAMES = (72, 96), 13
CODECS = {
    "mpeg4.avi": ("mpeg4", {"g": "12", "qscale": "3"}),
    "h264.mp4": ("libx264", {"x264-params": "keyint=12:scenecut=0:bframes=0:ref=1"}),
}


def write(path, frames, codec):
    """Encode frames (T, H, W, 3) in GOPs of 12."""
    encoder, options = CODECS[codec]
    with av.open(str(path), "w") as out:
        stream = out.add_stream(encoder, rate=25, options=options)
        (stream.height, stream.width), stream.pix_fmt = frames.shape[1:3], "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in frames:
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            out.mux(stream.encode(image))
        out.mux(stream.encode())
    return path


def drifting(seed, step):
    """Frames (T, H, W, 3) of a texture that moves sideways by some pixels a frame."""
    noise = np.random.default_rng(seed).integers(0, 255, (30, 60, 3), dtype=np.uint8)
    large = cv2.resize(noise, (240, 120), interpolation=cv2.INTER_CUBIC)
    starts = [70 - step * number for number in range(FRAMES)]
    return np.stack([large[20 : 20 + SIZE[0], x : x + SIZE[1]] for x in starts])


@pytest.fixture(scope="module")
def clips(request, tmp_path_factory):
    """Twelve clips that drift to the left or to the right, and two that were not trained on."""
    folder = tmp_path_factory.mktemp("clips")
    suffix = request.param.split(".")[1]
    for seed in range(7):
        for label, step in (("left", -4), ("right", 4)):
            place = folder / ("train" if seed < 6 else "test") / label
            place.mkdir(parents=True, exist_ok=True)
            write(place / f"{seed}.{suffix}", drifting(seed, step), request.param)
    return folder


CHANGES = [
    "data.val_fraction=0",
    "data.workers=0",
    "data.cache=memory",
    "augment.flip=0",  # or left is right
    "optim.schedule=constant",
    "train.batch_size=4",
    "clip.frame_size=[72, 96]",
]


@pytest.mark.parametrize(
    ("family", "clips"),
    [("coviar", "mpeg4.avi"), ("coviar", "h264.mp4"), ("dmc_net", "mpeg4.avi")],
    indirect=["clips"],
)
def test_what_moves_where_is_learnt_from_vectors(family, clips, tmp_path):
    changes = [f"model.name=test_{family}", "optim.lr=0.003", "train.epochs=4", *CHANGES]
    recipe = read_recipe(family, [*changes, f'data.train="{clips / "train"}"'])

    result = train(recipe, tmp_path / "run")

    for video in (clips / "test").glob("*/*"):
        prediction = predict(video, result.final, views=2, crops=3)
        assert prediction.labels[0] == video.parent.name


@pytest.mark.parametrize("clips", ["mpeg4.avi"], indirect=True)
@pytest.mark.parametrize("stream", ["i_frame", "residual"])
def test_the_other_streams_train(stream, clips, tmp_path):
    changes = ["model.name=test_coviar", "train.epochs=1", *CHANGES, f"clip.stream={stream}"]
    changes += ["model.args={in_channels=3}", f'data.train="{clips / "train"}"']

    result = train(read_recipe("coviar", changes), tmp_path / "run")

    assert math.isfinite(result.history[0]["train_loss"])
    assert result.history[0]["step"] == 3


def test_the_command_line_trains_and_predicts(tmp_path):
    for label in ("wave", "walk"):
        for seed in range(2):
            place = tmp_path / "train" / label
            place.mkdir(parents=True, exist_ok=True)
            frames = film(label, seed=seed, performer=seed, size=(96, 72)).frames
            write(place / f"{seed}.avi", frames, "mpeg4.avi")
    changes = ["model.name=test_coviar", "train.epochs=1", *CHANGES, "data.cache=none"]
    out = tmp_path / "run"

    data = ["--data", str(tmp_path / "train"), "--out", str(out)]
    trained = CliRunner().invoke(app, ["train", "coviar", *data, *changes])
    video = str(tmp_path / "train" / "walk" / "0.avi")
    asked = CliRunner().invoke(app, ["predict", video, "--model", str(out), "--json"])

    assert trained.exit_code == 0, trained.output
    assert asked.exit_code == 0, asked.output
    assert {row["label"] for row in json.loads(asked.stdout)["top"]} == {"wave", "walk"}


def test_a_clip_of_i_frames_is_refused_with_the_way_to_encode_it(tmp_path):
    path = tmp_path / "intra.mp4"
    path.write_bytes(encode(drifting(0, 4), fps=25))

    with pytest.raises(VideoError, match="each of its 13 frames is an I-frame") as caught:
        predict(path, "test_coviar")
    assert "-c:v mpeg4 -bf 0 -g 12" in caught.value.hint
