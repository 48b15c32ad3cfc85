"""zoopraxis explain: a film, a sheet, gates, and what is refused."""

import json

import pytest
from matplotlib.image import imread
from PIL import Image
from typer.testing import CliRunner

from videos import write
from zoopraxis.cli import app
from zoopraxis.video import open_video


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write(tmp_path_factory.mktemp("video") / "clip.mp4")


def run(*words):
    return CliRunner().invoke(app, ["explain", *map(str, words)])


def test_cam_writes_a_film(video, tmp_path):
    out = tmp_path / "cam.mp4"
    done = run("cam", video, "--model", "test_r2plus1d", "--views", 2, "--out", out, "--json")

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["layer"] == "features"
    assert facts["map"] == [1, 4, 4]
    assert len(facts["scores"]) == 2
    with open_video(out) as film:
        assert film.num_frames == 2 * 8
        assert (film.height, film.width) == (224, 224)


def test_cam_of_flow_is_drawn_over_frames(video, tmp_path):
    out = tmp_path / "cam.png"
    done = run("cam", video, "--model", "test_i3d_two_stream", "--label", "1", "--out", out)

    assert done.exit_code == 0, done.output
    assert imread(out).shape[:2] == (256, 8 * 256)


def test_attention_writes_a_gif(video, tmp_path):
    out = tmp_path / "row.gif"
    done = run("attention", video, "--model", "test_nonlocal_net", "--out", out, "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["map"] == [4, 4, 4]
    with Image.open(out) as film:
        assert film.n_frames == 8


def test_gates_are_a_sheet(video, tmp_path):
    out = tmp_path / "new" / "gates.png"
    done = run("gates", video, "--model", "test_gsm", "--out", out)

    assert done.exit_code == 0, done.output
    assert imread(out).shape[:2] == (21 * 64, 4 * 64)


def test_draw_writes_a_still(tmp_path):
    out = tmp_path / "still.png"
    quick = ("--steps", 2, "--octaves", 1, "--motion", "still")
    done = run("draw", "--model", "test_tsm", "--label", "1", *quick, "--out", out, "--json")

    assert done.exit_code == 0, done.output
    assert 0 <= json.loads(done.stdout)["score"] <= 1
    assert imread(out).shape[:2] == (256, 256)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("cam", "--model", "test_tsm", "--out", "a.avi"), "a.avi does not end in .mp4"),
        (("cam", "--model", "test_tsm", "--out", "a.png", "--label", "x"), "has no class 'x'"),
        (("gates", "--model", "test_tsm", "--out", "a.png"), "has no gates"),
        (("gates", "--model", "test_gsm", "--out", "a.gif"), "a.gif is no .png"),
        (("attention", "--model", "test_tsm", "--out", "a.png"), "no non-local blocks"),
        (("cam", "--model", "test_stgcn", "--out", "a.png"), "expects skeletons"),
    ],
)
def test_what_cannot_be_drawn_is_said(video, words, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    verb, *rest = words
    done = run(verb, video, *rest)

    assert done.exit_code == 1
    assert problem in str(done.exception)
    assert not list(tmp_path.iterdir())
