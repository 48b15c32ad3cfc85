"""Downloads over real connections: servers on this machine that resume, break, change and lie."""

import hashlib
import http.server
import inspect
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import gdown
import pytest
import torch

from zoopraxis.checkpoints.create import create_model, load_published
from zoopraxis.checkpoints.hub import (
    cache_folder,
    cached_file,
    fetch,
    is_non_commercial,
)
from zoopraxis.checkpoints.read import read_state_dict
from zoopraxis.errors import DownloadError
from zoopraxis.spec import Weights

CONTENT = bytes(range(256)) * 40  # 10240 bytes
HALF = len(CONTENT) // 2
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NOWHERE = "http://127.0.0.1:9"  # nobody listens there


class Server:
    """One file at every path, served as the attributes say; it keeps what it was asked."""

    def __init__(self):
        self.content = CONTENT
        self.etag = '"1"'
        self.ranges = True
        self.answers_whole = True  # else it breaks off in the middle
        self.status = 200
        self.headers = {}  # more of them, or None in place of one
        self.asked = []
        self.url = ""


def _handler(server):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            server.asked.append(wanted)
            start = int(wanted[len("bytes=") : -1]) if wanted and server.ranges else 0
            body = server.content[start:]
            total = len(server.content)
            headers = {"Content-Length": str(len(body)), "ETag": server.etag}
            status = server.status
            if start >= total:
                status, body = 416, b""
                headers = {"Content-Length": "0", "Content-Range": f"bytes */{total}"}
            elif start and status == 200:
                status = 206
                headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
            self.send_response(status)
            for key, value in {**headers, **server.headers}.items():
                if value is not None:
                    self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body if server.answers_whole else body[: len(body) // 2])

        def log_message(self, *_):
            pass

    return Handler


@contextmanager
def serving():
    state = Server()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(state)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server():
    with serving() as state:
        yield state


@pytest.fixture
def mirror():
    with serving() as state:
        yield state


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOOPRAXIS_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("ZOOPRAXIS_ACCEPT_LICENCE", raising=False)
    return tmp_path / "cache"


def published(*urls, **fields):
    values = {"model": "test_r2plus1d", "tag": "k400", "source": "s", "dataset": "d"}
    return Weights(**{**values, "num_classes": 3, "urls": urls, "licence": "MIT", **fields})


def left_in(cache):
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


# What arrives


def test_downloaded_once_and_kept(server, cache):
    weights = published(f"{server.url}/a/net.pth?dl=1", sha256=SHA256[:8])

    path = fetch(weights)

    assert path.read_bytes() == CONTENT
    assert path == cached_file(weights)
    assert fetch(weights) == path
    assert server.asked == [None]
    assert left_in(cache) == ["net.pth"]


def test_it_says_what_comes_from_where_under_which_licence(server, capsys):
    lines = []
    fetch(published(f"{server.url}/a.pth", licence="BSD-3-Clause"), say=lines.append)
    fetch(published(f"{server.url}/b.pth", licence=""))

    assert lines == ["downloading a.pth from 127.0.0.1 (0.0 MB); licence: BSD-3-Clause"]
    said = capsys.readouterr()
    assert said.err == "downloading b.pth from 127.0.0.1 (0.0 MB); licence: not stated\n"
    assert said.out == ""


def test_progress_counts_what_a_broken_download_left(server):
    weights = published(f"{server.url}/net.pth")
    server.answers_whole = False
    with pytest.raises(DownloadError):
        fetch(weights)
    server.answers_whole = True
    calls, lines = [], []

    fetch(weights, progress=lambda *call: calls.append(call), say=lines.append)

    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert all(HALF < done <= total == len(CONTENT) for done, total in calls)
    assert "resuming at" in lines[0]


def test_a_server_that_does_not_say_how_much_comes(server):
    server.headers = {"Content-Length": None}
    calls = []

    path = fetch(published(f"{server.url}/net.pth"), progress=lambda *call: calls.append(call))

    assert path.read_bytes() == CONTENT
    assert calls[-1] == (len(CONTENT), None)


def test_files_of_one_name_do_not_mix(server, mirror):
    # PyTorchVideo has SLOW_8x8_R50.pyth for each of three data sets
    mirror.content = b"other"

    first, second = (fetch(published(f"{s.url}/SLOW_8x8_R50.pyth")) for s in (server, mirror))

    assert (first.read_bytes(), second.read_bytes()) == (CONTENT, b"other")


def test_a_file_comes_with_its_folder(server):
    weights = published(f"{server.url}/x", file="rgb_scratch/model.ckpt.index")

    assert fetch(weights).parts[-2:] == ("rgb_scratch", "model.ckpt.index")


# Broken downloads


def break_off(server, weights):
    """Begin a download that the server breaks off in the middle."""
    server.answers_whole = False
    with pytest.raises(DownloadError, match=f"broke after {HALF} of {len(CONTENT)} bytes"):
        fetch(weights)
    server.answers_whole = True
    server.asked.clear()


def test_a_broken_download_resumes_where_it_stopped(server, cache):
    weights = published(f"{server.url}/net.pth", sha256=SHA256)
    break_off(server, weights)

    assert fetch(weights).read_bytes() == CONTENT
    assert server.asked == [f"bytes={HALF}-"]
    assert left_in(cache) == ["net.pth"]


def test_it_resumes_more_than_once(server):
    weights = published(f"{server.url}/net.pth", sha256=SHA256)
    break_off(server, weights)
    server.answers_whole = False
    with pytest.raises(DownloadError, match=f"broke after {HALF + HALF // 2} of"):
        fetch(weights)
    server.answers_whole = True

    assert fetch(weights).read_bytes() == CONTENT
    assert server.asked == [f"bytes={HALF}-", f"bytes={HALF + HALF // 2}-"]


def test_without_ranges_it_starts_over(server):
    server.ranges = False
    weights = published(f"{server.url}/net.pth")
    break_off(server, weights)

    assert fetch(weights).read_bytes() == CONTENT
    assert server.asked == [f"bytes={HALF}-"]  # the answer is the whole file


NEWER = bytes(reversed(CONTENT))


@pytest.mark.parametrize(
    ("content", "etag"),
    [
        (NEWER, '"2"'),  # same size
        (NEWER + b"more", '"1"'),
        (NEWER[: HALF // 2], '"2"'),  # the part is longer now
    ],
    ids=["etag", "size", "shorter"],
)
def test_a_file_that_changed_meanwhile_is_not_continued(server, content, etag):
    weights = published(f"{server.url}/net.pth")
    break_off(server, weights)
    server.content, server.etag = content, etag

    assert fetch(weights).read_bytes() == content
    assert server.asked == [f"bytes={HALF}-", None]


def test_a_date_tells_versions_apart_where_there_is_no_etag(server):
    server.headers = {"ETag": 'W/"weak"', "Last-Modified": "Tue, 01 Jan 2019 00:00:00 GMT"}
    weights = published(f"{server.url}/net.pth")
    break_off(server, weights)

    assert fetch(weights).read_bytes() == CONTENT
    assert server.asked == [f"bytes={HALF}-"]

    other = published(f"{server.url}/other.pth")
    break_off(server, other)
    server.content = NEWER
    server.headers["Last-Modified"] = "Wed, 02 Jan 2019 00:00:00 GMT"

    assert fetch(other).read_bytes() == NEWER


def test_without_etag_and_date_it_starts_over(server):
    server.headers = {"ETag": None}
    weights = published(f"{server.url}/net.pth")
    break_off(server, weights)
    server.content = NEWER

    assert fetch(weights).read_bytes() == NEWER
    assert server.asked == [None]


def test_a_part_is_not_continued_from_another_address(server, mirror):
    weights = published(f"{server.url}/net.pth", f"{mirror.url}/net.pth")
    mirror.status = 404
    server.answers_whole = False
    with pytest.raises(DownloadError):
        fetch(weights)
    server.status, mirror.status, mirror.content = 404, 200, NEWER
    mirror.asked.clear()

    assert fetch(weights).read_bytes() == NEWER
    assert mirror.asked == [None]


def test_an_address_that_is_down_does_not_cost_the_part_of_another(server, mirror):
    weights = published(f"{server.url}/net.pth", f"{mirror.url}/net.pth", sha256=SHA256)
    mirror.status = 503
    server.answers_whole = False
    with pytest.raises(DownloadError):
        fetch(weights)
    server.answers_whole = True
    server.asked.clear()

    assert fetch(weights).read_bytes() == CONTENT
    assert server.asked == [f"bytes={HALF}-"]


@pytest.mark.parametrize("text", ["{", "[1]", "[1, 2, 3]", "3", '["a", "", null]'])
def test_a_note_that_cannot_be_read_starts_over(server, text, cache):
    weights = published(f"{server.url}/net.pth")
    break_off(server, weights)
    next(cache.rglob("*.json")).write_text(text)

    assert fetch(weights).read_bytes() == CONTENT
    assert server.asked == [None]


# Mirrors, and errors


def test_the_second_address_serves_where_the_first_is_down(server, mirror, capsys):
    server.status = 404

    path = fetch(published(f"{server.url}/net.pth", f"{mirror.url}/elsewhere.pth"))

    assert path.read_bytes() == CONTENT
    assert path.name == "net.pth"
    assert (len(server.asked), len(mirror.asked)) == (1, 1)


def test_the_second_address_serves_where_the_first_has_another_file(server, mirror, cache):
    server.content = b"something else"

    weights = published(f"{server.url}/net.pth", f"{mirror.url}/net.pth", sha256=SHA256[:8])

    assert fetch(weights).read_bytes() == CONTENT
    assert left_in(cache) == ["net.pth"]


def test_a_wrong_hash_is_an_error_and_leaves_nothing(server, cache):
    weights = published(f"{server.url}/net.pth", sha256="00000000")

    with pytest.raises(DownloadError, match=rf"has the SHA-256 {SHA256[:8]}.*expected 00000000"):
        fetch(weights)
    assert left_in(cache) == []


def test_the_error_names_every_address_why_it_failed_and_the_way_by_hand(server, mirror):
    server.status = 404
    mirror.headers = {"Content-Type": "text/html; charset=utf-8"}
    closed = f"{NOWHERE}/net.pth"
    weights = published(f"{server.url}/net.pth", f"{mirror.url}/net.pth", closed)

    with pytest.raises(DownloadError) as caught:
        fetch(weights)

    first, *lines = caught.value.problem.splitlines()
    assert first == "cannot download test_r2plus1d.k400:"
    assert lines[0] == f"  {server.url}/net.pth: HTTP 404 Not Found"
    assert lines[1] == f"  {mirror.url}/net.pth: the answer is a web page, not a file"
    assert lines[2].startswith(f"  {closed}: ")
    assert "refused" in lines[2]
    assert f"save it as {cached_file(weights)}" in caught.value.hint


def test_what_was_put_there_by_hand_is_used():
    weights = published("https://example.invalid/net.pth")
    path = cached_file(weights)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"by hand")

    assert fetch(weights) == path


def test_a_file_that_only_a_person_can_download():
    weights = published(page="https://example.invalid/folder", file="r3d.pth")

    with pytest.raises(
        DownloadError, match=r"test_r2plus1d\.k400 can only be downloaded in a"
    ) as caught:
        fetch(weights)
    expected = "download r3d.pth from https://example.invalid/folder and save it as "
    assert caught.value.hint == f"{expected}{cached_file(weights)}"


@pytest.mark.parametrize(
    ("address", "in_a_browser"),
    [
        ("gdrive://1IysdsJ", "https://drive.google.com/file/d/1IysdsJ/view"),
        ("hf://owner/repo/a/net.pth", "https://huggingface.co/owner/repo"),
        (f"{NOWHERE}/net.pth", f"{NOWHERE}/net.pth"),
    ],
)
def test_the_way_by_hand_is_an_address_for_a_browser(address, in_a_browser, monkeypatch):
    for package in ("gdown", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(DownloadError) as caught:
        fetch(published(address, file="net.pth"))
    assert f"download net.pth from {in_a_browser} and save it as" in caught.value.hint


def test_of_a_tensorflow_checkpoint_the_data_files_are_named():
    weights = published(page="https://example.invalid/folder", file="rgb/model.ckpt.index")

    with pytest.raises(DownloadError) as caught:
        fetch(weights)
    assert ".data files" in caught.value.hint


def test_without_a_network_the_error_comes_at_once(monkeypatch):
    start = time.monotonic()

    with pytest.raises(DownloadError, match=r"https://example\.invalid/net\.pth: .+") as caught:
        fetch(published("https://example.invalid/net.pth"))

    assert time.monotonic() - start < 30  # a resolver may take its time; it is asked once
    assert "check the network" in caught.value.hint


def test_two_processes_that_ask_at_once_download_once(server, cache):
    weights = published(f"{server.url}/net.pth", sha256=SHA256)
    lines, paths, begun = [], [], threading.Event()

    def slowly(done, total):
        begun.set()
        deadline = time.monotonic() + 30
        while not lines and time.monotonic() < deadline:  # until the other one waits
            time.sleep(0.01)

    first = threading.Thread(target=lambda: paths.append(fetch(weights, progress=slowly)))
    first.start()
    assert begun.wait(30)
    paths.append(fetch(weights, say=lines.append))
    first.join()

    assert paths == [cached_file(weights)] * 2
    assert lines == ["waiting for another process that is downloading net.pth"]
    assert server.asked == [None]
    assert left_in(cache) == ["net.pth"]


# Security


@pytest.mark.parametrize(
    "url",
    [
        "http://example.invalid/net.pth",
        "http://127.0.0.1.example.invalid/net.pth",
        "ftp://127.0.0.1/net.pth",
        "/etc/hostname",
        "data:text/plain,hello",
    ],
)
def test_what_is_not_secure_is_refused(url):
    with pytest.raises(DownloadError, match="not secure: only https://"):
        fetch(published(url, file="net.pth"))


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("file:///etc/hostname", "not allowed"),
        ("http://example.invalid/net.pth", "is not secure"),
        ("ftp://example.invalid/net.pth", "is not secure"),
    ],
)
def test_a_redirect_leads_to_secure_addresses_alone(server, cache, target, problem):
    server.status, server.headers = 302, {"Location": target}

    with pytest.raises(DownloadError, match=problem):
        fetch(published(f"{server.url}/net.pth"))
    assert left_in(cache) == []


def test_a_redirect_is_followed(server, mirror):
    server.status, server.headers = 302, {"Location": f"{mirror.url}/long-name"}

    assert fetch(published(f"{server.url}/net.pth")).read_bytes() == CONTENT


def test_no_more_is_written_than_was_announced(server, cache):
    weights = published(f"{server.url}/net.pth")
    break_off(server, weights)
    # the range goes on for longer than the file is long
    whole = len(CONTENT)
    server.content = CONTENT + NEWER
    server.headers = {"Content-Range": f"bytes {HALF}-{whole - 1}/{whole}"}

    with pytest.raises(DownloadError, match=f"sends more than {whole} bytes"):
        fetch(weights)
    assert sum(path.stat().st_size for path in cache.rglob("*.part")) <= whole


# Licences


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC BY-NC 4.0 (video-nonlocal-net)", True),
        ("CC-BY-NC-SA-4.0", True),
        ("CC-BY-NC-3.0", True),
        ("research only (the code)", True),
        ("research use only", True),
        ("Non-commercial use", True),
        ("noncommercial", True),
        ("CC-BY-4.0", False),
        ("CC-BY-SA-4.0", False),
        ("Apache-2.0 (PySlowFast)", False),
        ("MIT (the port); Apache-2.0 (VMZ)", False),
        ("", False),
    ],
)
def test_licences_that_forbid_commercial_use(licence, expected):
    assert is_non_commercial(licence) is expected


def test_a_non_commercial_licence_must_be_accepted(server, monkeypatch, capsys):
    weights = published(
        f"{server.url}/net.pth", licence="CC BY-NC 4.0", page="https://example.invalid/LICENSE"
    )

    with pytest.raises(DownloadError, match=r"CC BY-NC 4\.0.*https://example.inv") as caught:
        fetch(weights)

    assert server.asked == []
    for remedy in ("--accept-licence", "accept_licence=True", "ZOOPRAXIS_ACCEPT_LICENCE=1"):
        assert remedy in caught.value.hint
    monkeypatch.setenv("ZOOPRAXIS_ACCEPT_LICENCE", "0")
    with pytest.raises(DownloadError):
        fetch(weights)

    path = fetch(weights, accept_licence=True)

    assert "licence: CC BY-NC 4.0" in capsys.readouterr().err
    path.unlink()
    monkeypatch.setenv("ZOOPRAXIS_ACCEPT_LICENCE", "1")
    assert fetch(weights) == path


def test_the_library_passes_the_acceptance_on(server, tmp_path, monkeypatch):
    state = create_model("test_r2plus1d", num_classes=3).state_dict()
    torch.save(state, tmp_path / "net.pth")
    server.content = (tmp_path / "net.pth").read_bytes()
    name = "zoopraxis.checkpoints.create"
    weights = published(f"{server.url}/net.pth", licence="research only", source="")
    monkeypatch.setattr(f"{name}.find_weights", lambda *_: weights)
    monkeypatch.setattr(f"{name}.convert_state_dict", lambda _, state, **__: state)

    with pytest.raises(DownloadError, match="research only"):
        create_model("test_r2plus1d.k400")
    with pytest.raises(DownloadError, match="research only"):
        load_published(weights)
    model = create_model("test_r2plus1d.k400", accept_licence=True)

    assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())


def test_the_checkpoint_is_read_and_loaded(server, tmp_path):
    torch.save({"state_dict": {"w": torch.arange(1000.0)}}, tmp_path / "net.pth")
    server.content = (tmp_path / "net.pth").read_bytes()

    state = read_state_dict(fetch(published(f"{server.url}/net.pth")))

    assert torch.equal(state["w"], torch.arange(1000.0))


# Google Drive and Hugging Face, through their libraries


@pytest.mark.parametrize(
    ("address", "package"),
    [("gdrive://1IysdsJ", "gdown"), ("hf://owner/repo/a/net.pth", "huggingface_hub")],
)
def test_without_the_extra_the_error_says_what_to_install(address, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(DownloadError, match=rf"needs {package}: pip install 'zoopraxis\[hub\]'"):
        fetch(published(address, file="net.pth"))


def test_what_gdown_is_asked_for(monkeypatch):
    signature, calls = inspect.signature(gdown.download), []

    def download(*args, **kwargs):
        asked = signature.bind(*args, **kwargs).arguments
        calls.append(asked)
        asked["progress"](3, None)
        Path(asked["output"]).write_bytes(b"abc")
        return asked["output"]

    monkeypatch.setattr(gdown, "download", download)
    progress = []

    path = fetch(
        published("gdrive://1IysdsJ", file="net.pth"), progress=lambda *call: progress.append(call)
    )

    assert path.read_bytes() == b"abc"
    assert progress == [(3, None)]
    assert calls[0]["id"] == "1IysdsJ"
    assert "url" not in calls[0]
    assert left_in(cache_folder()) == ["net.pth"]


def test_google_drive_without_a_network(cache, monkeypatch):
    # Through a proxy that is not there: the real call, offline on any machine.
    monkeypatch.setenv("https_proxy", NOWHERE)
    monkeypatch.delenv("no_proxy")
    start = time.monotonic()

    with pytest.raises(DownloadError, match=r"gdrive://1IysdsJ: .*\S"):
        fetch(published("gdrive://1IysdsJ", file="net.pth"))

    assert time.monotonic() - start < 30
    assert left_in(cache) == []


def test_hugging_face_without_a_network(cache):
    done = fetch_elsewhere("hf://owner/repo/net.pth", https_proxy=NOWHERE, no_proxy="")

    assert "DownloadError" in done.stderr
    assert "hf://owner/repo/net.pth: " in done.stderr
    assert "Retry" not in done.stderr  # huggingface_hub by itself asks for half a minute
    assert left_in(cache) == []


def test_hugging_face_set_offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(DownloadError, match=r"hf://owner/repo/net\.pth: .*unset HF_HUB_OFFLINE"):
        fetch(published("hf://owner/repo/net.pth"))


FETCH = """
from zoopraxis.checkpoints.hub import fetch
from zoopraxis.spec import Weights
print(fetch(Weights(
    model="m", tag="t", urls=("{url}",), source="s", dataset="d", num_classes=3, licence="MIT"
)))
"""


def fetch_elsewhere(url, **environment):
    """Fetch in a process of its own: huggingface_hub reads the environment as it is imported."""
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    } | environment
    code = FETCH.format(url=url)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )


class HuggingFace(http.server.BaseHTTPRequestHandler):
    """As much of the protocol of Hugging Face as a file of a public repository needs."""

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()
        self.wfile.write(CONTENT)

    def answer(self):
        self.send_response(200 if self.path == "/owner/repo/resolve/main/a/net.pth" else 404)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.send_header("ETag", f'"{SHA256}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_hugging_face_downloads_from_a_server_of_its_protocol(cache):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), HuggingFace) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        done = fetch_elsewhere("hf://owner/repo/a/net.pth", HF_ENDPOINT=endpoint)
        server.shutdown()

    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes() == CONTENT
    assert "downloading net.pth from Hugging Face; licence: MIT" in done.stderr
    assert left_in(cache) == ["net.pth"]


@pytest.mark.parametrize("address", ["hf://owner/net.pth", "hf://", "hf://owner//"])
def test_an_address_of_hugging_face_that_is_none(address):
    with pytest.raises(DownloadError, match="expected hf://owner/repo/file"):
        fetch(published(address, file="net.pth"))
