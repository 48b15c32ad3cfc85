"""MTEB's encoder: what it takes and gives, and a miniature task where mteb is installed."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from colours import BLUE, GREEN, RED, colours
from videos import environment_for_torchcodec, write_frames
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.errors import DataError, VideoError, ZoopraxisError
from zoopraxis.evaluation.mteb import VideoEncoder
from zoopraxis.prediction.pipeline import extract_features

TINY = "test_r2plus1d"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Four videos, their frames (12, 3, 48, 64) each."""
    root = tmp_path_factory.mktemp("clips")
    frames = np.random.default_rng(0).integers(0, 255, (4, 12, 48, 64, 3), dtype=np.uint8)
    for number, one in enumerate(frames):
        write_frames(root / f"{number}.mp4", one)
    return sorted(root.glob("*.mp4"))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return open_model(TINY)


def batches(videos, size=3):
    return [{"video": videos[i : i + size]} for i in range(0, len(videos), size)]


def test_a_vector_of_each_video_in_order(clips, net):
    calls = []
    encoder = VideoEncoder(net, views=2, progress=lambda *done: calls.append(done))

    given = encoder.encode(batches(clips), hf_split="test", hf_subset="default", batch_size=2)

    assert given.dtype == np.float32
    assert given.shape == (4, net.model.num_features)
    for vector, path in zip(given, clips, strict=True):
        wanted = extract_features(path, net, views=2, pool="video").numpy()
        np.testing.assert_allclose(vector, wanted, rtol=1e-5, atol=1e-6)
    assert calls == [(n, 0) for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("form", ["str", "bytes", "row", "file row", "tensor", "array"])
def test_forms_of_a_video(clips, net, form):
    encoder = VideoEncoder(net)
    path = clips[0]
    frames = np.stack([np.full((3, 48, 64), 20 * n, np.uint8) for n in range(12)])
    item, wanted = {
        "str": lambda: (str(path), path),
        "bytes": lambda: (path.read_bytes(), path),
        "row": lambda: ({"path": "elsewhere.mp4", "bytes": path.read_bytes()}, path),
        "file row": lambda: ({"path": str(path), "bytes": None}, path),
        "tensor": lambda: (torch.from_numpy(frames), frames),
        "array": lambda: (frames, frames),
    }[form]()

    given = encoder.encode([{"video": [item]}])

    np.testing.assert_allclose(
        given[0], extract_features(wanted, net, pool="video").numpy(), rtol=1e-5, atol=1e-6
    )


DECODED = """
import sys
import numpy as np
from torchcodec.decoders import VideoDecoder
from zoopraxis.evaluation.mteb import VideoEncoder
from zoopraxis.video import open_video

with open_video(sys.argv[2]) as video:
    frames = video.frames_at(range(video.num_frames))
encoder = VideoEncoder(sys.argv[1], views=2)
given = encoder.encode([{"video": [VideoDecoder(sys.argv[2]), frames]}])
np.testing.assert_allclose(given[0], given[1], rtol=1e-5, atol=1e-6)
"""


def test_a_decoder_of_torchcodec(clips, tmp_path):
    (tmp_path / "ffmpeg").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", DECODED, TINY, str(clips[0])],
        env=environment_for_torchcodec(tmp_path / "ffmpeg"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_loader(clips, net):
    calls = []
    encoder = VideoEncoder(net, progress=lambda *done: calls.append(done))
    rows = [{"video": str(path)} for path in clips]
    given = encoder.encode(DataLoader(rows, batch_size=3))

    np.testing.assert_array_equal(given, encoder.encode(batches(clips)))
    assert calls[:4] == [(n, 4) for n in (1, 2, 3, 4)]


def test_another_layer_and_its_cosines(tmp_path):
    for number, colour in enumerate((RED, GREEN, BLUE)):
        still = np.broadcast_to(np.array(colour, np.uint8), (8, 32, 32, 3))
        write_frames(tmp_path / f"{number}.mp4", np.ascontiguousarray(still))
    encoder = VideoEncoder(colours(), layer="prob")
    given = encoder.encode([{"video": sorted(tmp_path.glob("*.mp4"))}])

    np.testing.assert_allclose(given.sum(axis=1), 1, rtol=1e-5)
    found = encoder.similarity(given, given[:2])
    unit = given / np.linalg.norm(given, axis=1, keepdims=True)
    np.testing.assert_allclose(found, unit @ unit[:2].T, rtol=1e-5, atol=1e-6)
    pairs = encoder.similarity_pairwise(given, given[::-1].copy())
    np.testing.assert_allclose(pairs, (unit * unit[::-1]).sum(axis=1), rtol=1e-5, atol=1e-6)
    assert encoder.similarity(given[0], given).shape == (1, 3)


def test_what_it_refuses(clips, net, tmp_path):
    encoder = VideoEncoder(net)
    with pytest.raises(DataError, match="gives text, and the network reads video"):
        encoder.encode([{"text": ["a wave"]}])
    with pytest.raises(DataError, match="gives no videos"):
        encoder.encode([])
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(VideoError, match=r"video 1 of the loader test: .*broken\.mp4"):
        encoder.encode([{"video": [clips[0], broken]}], hf_split="test")
    with pytest.raises(ZoopraxisError, match="no layer 'pool'"):
        VideoEncoder(net, layer="pool").encode(batches(clips))


def test_without_mteb(net, monkeypatch):
    monkeypatch.setitem(sys.modules, "mteb", None)
    monkeypatch.setitem(sys.modules, "mteb.models", None)
    with pytest.raises(ZoopraxisError, match="needs mteb") as caught:
        _ = VideoEncoder(net).mteb_model_meta
    assert caught.value.hint == "pip install 'zoopraxis[mteb]'"


@pytest.mark.filterwarnings("default")
def test_a_miniature_task(clips, net):
    mteb = pytest.importorskip("mteb")
    datasets = pytest.importorskip("datasets")
    protocols = pytest.importorskip("mteb.models.models_protocols")

    encoder = VideoEncoder(net, views=2)
    assert isinstance(encoder, protocols.EncoderProtocol)
    meta = encoder.mteb_model_meta
    assert (meta.name, meta.modalities) == (f"zoopraxis/{TINY}", ["video"])
    assert meta.revision != VideoEncoder(net, views=1).mteb_model_meta.revision

    class Miniature(mteb.abstasks.AbsTaskClassification):
        metadata = mteb.TaskMetadata(
            name="Miniature",
            description="Four videos of two classes, trained and tested on alike.",
            dataset={"path": "miniature", "revision": "1"},
            type="VideoClassification",
            category="v2c",
            eval_splits=["test"],
            eval_langs=["zxx-Zxxx"],
            main_score="accuracy",
            modalities=["video"],
            bibtex_citation="",
        )
        input_column_name = "video"
        samples_per_label = 2
        n_experiments = 2

        def load_data(self, **options):
            rows = {"video": [str(path) for path in clips], "label": [0, 0, 1, 1]}
            data = datasets.Dataset.from_dict(rows).cast_column("video", datasets.Video())
            self.dataset = datasets.DatasetDict(train=data, test=data)
            self.data_loaded = True

    found = mteb.evaluate(encoder, Miniature(), cache=None, raise_error=True)
    assert found.task_results[0].get_score() == 1
