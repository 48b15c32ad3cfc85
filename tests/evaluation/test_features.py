"""Features of a list in files: killed and resumed, held to their settings, in the list's order."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from colours import BLUE, GREEN, RED, colours
from videos import write_frames
from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import open_model, save_model
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError, ZoopraxisError
from zoopraxis.evaluation.features import FeatureSettings, extract_list, open_features
from zoopraxis.models import model_spec
from zoopraxis.prediction.pipeline import extract_features

TINY = "test_r2plus1d"
VIDEOS = 6  # of each class
TWO = FeatureSettings(layers=("pooled", "layer2"), clips=2, dtype="float32")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder of a run with the weights of a tiny network."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    config = ModelConfig(name=TINY, clip=model_spec(TINY).clip, labels=("a", "b"))
    save_model(folder / "best.safetensors", config.build(), config)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Noise of two classes."""
    root = tmp_path_factory.mktemp("noise")
    for label in ("one", "two"):
        for n in range(VIDEOS):
            frames = np.random.default_rng(n).integers(0, 255, (12, 48, 64, 3), dtype=np.uint8)
            (root / label).mkdir(exist_ok=True)
            write_frames(root / label / f"{n}.mp4", frames // (1 if label == "one" else 2))
    return root


@pytest.fixture
def painted(tmp_path):
    """Videos of plain colours."""
    for label, colour in (("red", RED), ("green", GREEN), ("blue", BLUE)):
        (tmp_path / "videos" / label).mkdir(parents=True)
        frames = np.broadcast_to(np.array(colour, np.uint8), (8, 32, 32, 3))
        write_frames(tmp_path / "videos" / label / "0.mp4", np.ascontiguousarray(frames))
    return read_samples(tmp_path / "videos")


def count_clips(net):
    """Count the clips that a network sees from now on."""
    seen = [0]
    net.model.layer1.register_forward_hook(
        lambda _m, inputs, _o: seen.__setitem__(0, seen[0] + len(inputs[0]))
    )
    return seen


def test_each_is_what_one_video_alone_gives(run, folder, tmp_path):
    net, samples = open_model(run), read_samples(folder)

    found = extract_list(net, samples, tmp_path / "f", settings=TWO, shard=5)

    assert found.names == tuple(s.name for s in samples)
    assert found.classes.tolist() == [s.label for s in samples]
    assert found.layers == {"pooled": (128,), "layer2": (32,)}
    assert len(list((tmp_path / "f").glob("features-*.safetensors"))) == 3
    assert not list((tmp_path / "f" / "parts").iterdir())
    for layer in TWO.layers:
        x = found.read(layer)
        for n in (0, 7, 11):
            alone = extract_features(samples[n], net, layer=layer, views=2, pool="video")
            np.testing.assert_allclose(x[n], alone.numpy(), rtol=1e-5, atol=1e-6)


SCRIPT = """
import sys
from pathlib import Path
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.samples import read_samples
from zoopraxis.evaluation.features import FeatureSettings, extract_list

settings = FeatureSettings(layers=("pooled", "layer2"), clips=2, dtype="float32")
extract_list(
    open_model(Path(sys.argv[1])), read_samples(sys.argv[2]), Path(sys.argv[3]),
    settings=settings, shard=2, progress=lambda done, total: print(done, flush=True),
)
"""


def test_killed_it_resumes_and_computes_nothing_twice(run, folder, tmp_path):
    out, samples, net = tmp_path / "killed", read_samples(folder), open_model(run)
    whole = extract_list(net, samples, tmp_path / "whole", settings=TWO)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(run), str(folder), str(out)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while process.stdout.readline() != "5\n":
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(DataError, match="not finished"):
        open_features(out)
    # shards of two videos each, and the parts that no shard holds
    shards = len(list(out.glob("features-*.safetensors")))
    done = 2 * shards + len(list((out / "parts").glob("*.safetensors")))
    assert shards >= 2
    assert 5 <= done < len(samples)
    lines, seen = [], count_clips(net)

    found = extract_list(net, samples, out, settings=TWO, shard=2, say=lines.append)

    assert seen[0] == 2 * (len(samples) - done)
    assert f"{done} of {len(samples)} videos are done" in lines[0]
    assert found.names == whole.names
    for layer in TWO.layers:
        np.testing.assert_allclose(found.read(layer), whole.read(layer), rtol=1e-5, atol=1e-6)


def test_killed_between_a_shard_and_its_parts(run, folder, tmp_path):
    out, samples, net = tmp_path / "f", read_samples(folder), open_model(run)
    whole = extract_list(net, samples, tmp_path / "whole", settings=TWO)
    extract_list(net, replace(samples, samples=samples.samples[:3]), out, settings=TWO)
    shard = out / "features-00000.safetensors"
    with safe_open(shard, framework="pt") as file:
        stem = json.loads(file.metadata()["zoopraxis.features"])[0]
    (out / "parts" / f"{stem}.safetensors").write_bytes(shard.read_bytes())
    seen = count_clips(net)

    found = extract_list(net, samples, out, settings=TWO)

    assert seen[0] == 2 * (len(samples) - 3)
    assert not list((out / "parts").iterdir())
    np.testing.assert_allclose(found.read("pooled"), whole.read("pooled"), rtol=1e-5, atol=1e-6)


def test_finished_it_computes_nothing(run, folder, tmp_path):
    net, samples = open_model(run), read_samples(folder)
    extract_list(net, samples, tmp_path, settings=TWO)
    seen = count_clips(net)

    extract_list(net, samples, tmp_path, settings=TWO)

    assert seen[0] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clips": 3}, "clips 2, not 3"),
        ({"layers": ("pooled",)}, "layers .*'layer2'.*, not .*'pooled'"),
        ({"dtype": "float16"}, "dtype 'float32', not 'float16'"),
        ({"keep": "clips"}, "keep 'video', not 'clips'"),
    ],
)
def test_other_settings_are_refused(run, folder, tmp_path, changes, said):
    net, samples = open_model(run), read_samples(folder)
    samples = replace(samples, samples=samples.samples[:1])
    extract_list(net, samples, tmp_path, settings=TWO)

    with pytest.raises(DataError, match=said):
        extract_list(net, samples, tmp_path, settings=replace(TWO, **changes))


def test_other_weights_are_refused(run, folder, tmp_path):
    net, samples = open_model(run), read_samples(folder)
    samples = replace(samples, samples=samples.samples[:1])
    extract_list(net, samples, tmp_path, settings=TWO)
    other = replace(net, config=replace(net.config, sha256="0"))

    with pytest.raises(DataError, match="of other weights"):
        extract_list(other, samples, tmp_path, settings=TWO)


def test_a_video_that_changed_is_extracted_again(painted, tmp_path):
    once = FeatureSettings(clips=1, dtype="float32")
    extract_list(colours(), painted, tmp_path / "f", settings=once)
    red = next(s for s in painted if "red" in s.path)
    frames = np.broadcast_to(np.array(BLUE, np.uint8), (9, 32, 32, 3))
    write_frames(tmp_path / "videos" / "red" / "0.mp4", np.ascontiguousarray(frames))

    found = extract_list(colours(), painted, tmp_path / "f", settings=once)

    assert found.read()[found.names.index(red.name)].argmax() == 2  # blue


def test_clips_and_maps(painted, tmp_path):
    clips = extract_list(
        colours(), painted, tmp_path / "c", settings=FeatureSettings(clips=2, crops=3, keep="clips")
    )
    maps = extract_list(
        colours(), painted, tmp_path / "m", settings=FeatureSettings(clips=2, keep="maps")
    )

    assert clips.read().shape == (3, 6, 3)
    assert maps.read().shape == (3, 2, 3, 4, 16, 16)
    np.testing.assert_allclose(
        maps.read().mean(axis=(3, 4, 5))[:, 0], clips.read()[:, 0], atol=2e-3
    )


def test_a_video_that_cannot_be_read_is_named_and_tried_again(painted, tmp_path):
    bad = tmp_path / "videos" / "red" / "0.mp4"
    good = bad.read_bytes()
    bad.write_bytes(b"no video")
    settings = FeatureSettings(clips=1)

    found = extract_list(colours(), painted, tmp_path / "f", settings=settings)
    bad.write_bytes(good)
    again = extract_list(colours(), painted, tmp_path / "f", settings=settings)

    assert len(found) == 2
    (name,) = found.unread
    assert "red" in name
    assert len(again) == 3
    assert not again.unread
    assert [int(x.argmax()) for x in again.read()] == [
        ("red", "green", "blue").index(again.labels[k]) for k in again.classes
    ]


def test_numbers_too_large_for_float16(painted, tmp_path):
    net = colours()
    net.model.forward_features = lambda x: x * 1e6

    with pytest.raises(ZoopraxisError, match="does not fit float16\nextract with --dtype float32"):
        extract_list(net, painted, tmp_path, settings=FeatureSettings(clips=1))


def test_damage_is_named(painted, tmp_path):
    found = extract_list(colours(), painted, tmp_path, settings=FeatureSettings(clips=1))
    with pytest.raises(DataError, match="has no features of 'layer9'\nit has pooled"):
        found.read("layer9")
    shard = tmp_path / "features-00000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-2])

    with pytest.raises(DataError, match="is damaged"):
        found.read()
    with pytest.raises(DataError, match="holds no features"):
        open_features(tmp_path)
    with pytest.raises(DataError, match="is damaged"):
        extract_list(colours(), painted, tmp_path, settings=FeatureSettings(clips=1))


def test_where_nothing_was_extracted(tmp_path):
    with pytest.raises(DataError, match="holds no features"):
        open_features(tmp_path)
