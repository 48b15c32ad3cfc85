"""Weights on disk and from afar."""

import dataclasses
import hashlib
import http.server
import json
import pickle
import threading
from typing import ClassVar

import pytest
import torch

from zoopraxis import hub
from zoopraxis.errors import CheckpointError, DownloadError, ModelNotFoundError
from zoopraxis.checkpoints.hub import (
    cached_file,
    convert_file,
    fetch,
    find_by_file,
    find_weights,
    open_model,
    read_state_dict,
    save_model,
)
from zoopraxis.models import create_model, model_spec
from zoopraxis.spec import Weights
from zoopraxis.testing import noise_clip, read_golden

TINY = "test_r2plus1d"


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = create_model(TINY, num_classes=3).eval()
    clip = dataclasses.replace(model_spec(TINY).clip, frames=4, mean=(0.5,) * 3)
    path = tmp_path / "run" / "final.safetensors"
    save_model(path, model, name=TINY, args={}, clip=clip, labels=["a", "b", "c"], epoch=7)
    return model, clip, path


@torch.no_grad()
def test_a_saved_model_opens_as_it_was(saved):
    model, clip, path = saved

    net = open_model(path)

    assert net.labels == ("a", "b", "c")
    assert net.clip == clip
    x = noise_clip((1, *clip.shape))
    assert torch.equal(net.model(x), model(x))
    assert json.loads(path.with_suffix(".json").read_text())["epoch"] == 7


def test_a_file_without_its_sidecar(saved):
    saved[2].with_suffix(".json").unlink()

    with pytest.raises(CheckpointError, match=r"no sidecar final\.json"):
        open_model(saved[2])


def test_a_broken_sidecar_and_broken_weights(saved):
    path = saved[2]
    side = path.with_suffix(".json").read_text()
    path.with_suffix(".json").write_text("{")
    with pytest.raises(CheckpointError, match="not a sidecar of ours"):
        open_model(path)
    path.with_suffix(".json").write_text(side)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="does not hold a test_r2plus1d"):
        open_model(path)


def test_a_bare_name_opens_with_numbers_for_labels():
    assert open_model(TINY).labels == tuple(str(k) for k in range(12))


def test_unknown_names_files_and_tags(tmp_path):
    with pytest.raises(ModelNotFoundError, match="no model called 'r2plus1d_19'") as caught:
        open_model("r2plus1d_19")
    assert "r2plus1d_18" in caught.value.hint
    with pytest.raises(CheckpointError, match="no file"):
        open_model(tmp_path / "absent.safetensors")
    with pytest.raises(ModelNotFoundError, match="no weights called 'ucf101'") as caught:
        open_model("r3d_18.ucf101")
    assert "kinetics400" in caught.value.hint


class Attack:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize("name", ["weights.pth", "weights.pkl"])
def test_a_checkpoint_with_code_is_refused(tmp_path, name, capsys):
    path = tmp_path / name
    path.write_bytes(pickle.dumps({"w": Attack()}, protocol=2))

    with pytest.raises(CheckpointError):
        read_state_dict(path)
    assert "must not run" not in capsys.readouterr().out


def test_a_wrapped_state_dict_is_opened(tmp_path):
    state = {"w": torch.ones(2)}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "a.pth")
    torch.save({"model_state": state}, tmp_path / "b.pyth")
    torch.save({"epoch": 3, "model_state_dict": state}, tmp_path / "c.pth.tar")

    for name in ("a.pth", "b.pyth", "c.pth.tar"):
        assert torch.equal(read_state_dict(tmp_path / name)["w"], torch.ones(2))


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A checkpoint at a URL, the size of a tiny model."""
    monkeypatch.setenv("ZOOPRAXIS_HOME", str(tmp_path / "cache"))
    file = tmp_path / "server" / "tiny-weights.pth"
    file.parent.mkdir()
    torch.save({"w": torch.arange(1000.0)}, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    weights = Weights(
        tag="t", url=file.as_uri(), source="s", dataset="d", num_classes=3, sha256=digest[:8]
    )
    return file, weights


def test_fetched_once_and_kept(published):
    file, weights = published
    path = fetch(weights)
    file.unlink()

    assert fetch(weights) == path
    assert torch.equal(read_state_dict(path)["w"], torch.arange(1000.0))


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one file, in ranges; the first answer breaks off in the middle."""

    content = b""
    asked: ClassVar[list[str | None]] = []

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        body = self.content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if len(self.asked) == 1 else body)

    def log_message(self, *_):
        pass


def test_a_broken_download_goes_on_where_it_stopped(published):
    file, weights = published
    Server.content, Server.asked = file.read_bytes(), []
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{file.name}"
        weights = dataclasses.replace(weights, url=url)
        with pytest.raises(DownloadError, match="broke after"):
            fetch(weights)

        path = fetch(weights)
        server.shutdown()

    assert path.read_bytes() == file.read_bytes()
    assert Server.asked == [None, f"bytes={len(Server.content) // 2}-"]


def test_a_file_that_only_a_browser_can_fetch(published):
    weights = dataclasses.replace(published[1], url="https://drive/folder", file="r3d.pth")

    with pytest.raises(
        DownloadError, match=r"r3d\.pth is published where only a browser"
    ) as caught:
        fetch(weights)
    assert "https://drive/folder" in caught.value.hint


def test_a_wrong_hash_is_an_error_and_leaves_nothing(published):
    weights = dataclasses.replace(published[1], sha256="00000000")

    with pytest.raises(DownloadError, match="expected 00000000"):
        fetch(weights)
    assert not [path for path in hub.cache_folder().rglob("*") if path.is_file()]


def test_offline_says_what_to_do(published):
    published[0].unlink()

    with pytest.raises(DownloadError, match="cannot fetch") as caught:
        fetch(published[1])
    assert str(cached_file(published[1])) in caught.value.hint


@torch.no_grad()
def test_convert_writes_a_model_that_opens(request, tmp_path):
    golden = read_golden("tv_r3d_18", request.config.rootpath / "tests/golden")
    torch.save(golden.state_dict(), tmp_path / "r3d_18-b3b3357e.pth")

    out = convert_file(
        tmp_path / "r3d_18-b3b3357e.pth",
        model="r3d_18",
        source="torchvision",
        out=tmp_path / "ours.safetensors",
    )

    net = open_model(out)
    assert net.labels[0] == "abseiling"
    side = json.loads(out.with_suffix(".json").read_text())
    assert side["url"].endswith("r3d_18-b3b3357e.pth")
    assert len(side["sha256"]) == 64
    output = net.model(golden.input())
    torch.testing.assert_close(output, golden.output, rtol=1e-5, atol=1e-5 * output.abs().max())


def test_weights_that_want_another_clip_bring_it(request, tmp_path, monkeypatch):
    spec = model_spec("ir_csn_50")  # VMZ's means; mmaction2 trained these with ImageNet's
    weights = find_weights(spec, "ig65m_kinetics400")
    monkeypatch.setenv("ZOOPRAXIS_HOME", str(tmp_path))
    file = cached_file(weights)
    file.parent.mkdir()
    golden = read_golden("mm_ircsn_50", request.config.rootpath / "tests/golden")
    torch.save({"state_dict": golden.state_dict()}, file)

    out = convert_file(
        file, model="ir_csn_50", source="mmaction2", out=tmp_path / "ours.safetensors"
    )

    assert spec.clip.mean == (0.43216, 0.394666, 0.37645)
    for net in (open_model("ir_csn_50.ig65m_kinetics400"), open_model(out)):
        assert net.clip.mean == (0.485, 0.456, 0.406)
        assert (net.clip.frames, net.clip.stride) == (32, 2)
        assert net.labels[0] == "abseiling"


def test_files_of_one_name_do_not_mix(published):
    # PyTorchVideo has SLOW_8x8_R50.pyth for each of three data sets
    file, weights = published
    twin = file.parent / "ssv2" / file.name
    twin.parent.mkdir()
    torch.save({"w": torch.zeros(3)}, twin)
    other = dataclasses.replace(weights, url=twin.as_uri(), sha256="")

    first, second = read_state_dict(fetch(weights)), read_state_dict(fetch(other))

    assert (len(first["w"]), len(second["w"])) == (1000, 3)


def test_a_file_is_known_by_its_name_and_what_is_inside(tmp_path):
    by_url = Weights(
        tag="k", url="https://box/s/a/net.pkl?dl=1", source="s", dataset="d", num_classes=400
    )
    by_folder = dataclasses.replace(by_url, tag="f", file="rgb_scratch/model.ckpt.index")
    elsewhere = dataclasses.replace(by_url, tag="c", num_classes=157)
    twin = dataclasses.replace(by_url, tag="t", num_classes=157)
    weights = (by_url, by_folder, elsewhere, twin)
    spec = dataclasses.replace(model_spec(TINY), weights=weights)

    def tag(path, source="s", num_classes=400):
        found = find_by_file(spec, tmp_path / path, source=source, num_classes=num_classes)
        return found and found.tag

    assert tag("net.pkl") == "k"
    assert tag("rgb_scratch/model.ckpt.index") == "f"
    assert tag("rgb_imagenet/model.ckpt.index") is None
    assert tag("net.pkl", source="other") is None
    assert tag("net.pkl", num_classes=157) is None  # it may be either of two
