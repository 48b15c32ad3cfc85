"""Flow in files: it reads back as it was computed, a stopped run resumes, a bad file is named."""

import json

import cv2
import numpy as np
import pytest
import torch

from videos import write
from zoopraxis.errors import DataError
from zoopraxis.flow import compute_flow, flow_method
from zoopraxis.flow.codes import from_codes, to_codes
from zoopraxis.flow.extract import extract_flow
from zoopraxis.inputs import Flow, Media
from zoopraxis.video import open_video

DIS = flow_method("dis")


@pytest.fixture
def video(tmp_path):
    return str(write(tmp_path / "clip.mp4", frames=6))


@pytest.fixture
def truth(video):
    with open_video(video) as opened:
        return compute_flow(opened.frames_at(range(6)), DIS)


def files(folder):
    return {f.name: (f.read_bytes(), f.stat().st_mtime_ns) for f in folder.iterdir()}


def test_images_hold_the_codes_of_the_flow(video, truth, tmp_path):
    (done,) = extract_flow([video], [tmp_path / "f"], method=DIS, resize=None)

    assert done.num_fields == 5
    with Flow().open(Media(path=video, flow=done.flow)) as track:
        codes = track.fields_at(np.arange(5), resize=(48, 64))
    assert (codes.float() - to_codes(truth).float()).abs().mean() < 2  # JPEG
    manifest = json.loads((tmp_path / "f" / "flow.json").read_text())
    assert manifest["flow"] == json.loads(DIS.key)
    assert manifest["bound"] == 20


def test_an_array_holds_the_flow_in_pixels(video, truth, tmp_path):
    (done,) = extract_flow([video], [tmp_path / "f"], method=DIS, form="npz", resize=None)

    with Flow().open(Media(path=video, flow=done.flow)) as track:
        assert torch.equal(track.fields_at(np.arange(5), resize=(48, 64)), truth.half().float())


def test_frames_are_resized_before_flow_is_computed(video, tmp_path):
    extract_flow([video], [tmp_path / "f"], method=DIS, resize=24)

    assert cv2.imread(str(tmp_path / "f" / "flow_x_00001.jpg")).shape[:2] == (24, 32)


def test_a_finished_video_is_kept_and_a_part_of_one_is_not(video, tmp_path):
    place = tmp_path / "f"
    extract_flow([video], [place], method=DIS)
    before = files(place)
    extract_flow([video], [place], method=DIS)
    assert files(place) == before

    place.rename(tmp_path / ".f.writing")  # what a killed run leaves
    (tmp_path / ".f.writing" / "flow_x_00002.jpg").unlink()
    extract_flow([video], [place], method=DIS)
    assert {k: v[0] for k, v in files(place).items()} == {k: v[0] for k, v in before.items()}
    assert not (tmp_path / ".f.writing").exists()


@pytest.mark.parametrize("form", ["jpeg", "npz"])
def test_flow_computed_otherwise_is_not_taken_for_it(form, video, tmp_path):
    extract_flow([video], [tmp_path / "f"], method=DIS, form=form)

    (result,) = extract_flow([video], [tmp_path / "f"], method=flow_method("farneback"), form=form)

    assert isinstance(result.error, DataError)
    assert "farneback" in result.error.problem
    assert "remove it" in result.error.hint


def test_something_else_under_the_name_is_left_alone(video, tmp_path):
    (tmp_path / "f.npz").write_bytes(b"PK\x03\x04 somebody's")

    (result,) = extract_flow([video], [tmp_path / "f"], method=DIS, form="npz")

    assert "holds no flow that was extracted here" in result.error.problem
    assert (tmp_path / "f.npz").read_bytes() == b"PK\x03\x04 somebody's"


def test_a_video_that_cannot_be_read_stops_no_other(video, tmp_path):
    still = str(write(tmp_path / "still.mp4", frames=1))
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    asked = [still, str(tmp_path / "bad.mp4"), video]
    counts = []

    results = extract_flow(
        asked,
        [tmp_path / name for name in "abc"],
        method=DIS,
        workers=2,
        progress=lambda *done: counts.append(done),
    )

    assert [r.video for r in results] == asked
    assert "still.mp4: one frame" in results[0].error.problem
    assert "bad.mp4" in results[1].error.problem
    assert results[2].num_fields == 5
    assert counts == [(1, 3), (2, 3), (3, 3)]
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["c"]


def test_two_videos_do_not_share_a_place(tmp_path):
    with pytest.raises(DataError, match=r"a.mp4 and a.avi would both"):
        extract_flow(["a.mp4", "a.avi"], [tmp_path / "a"] * 2, method=DIS)


def test_the_codes_are_what_networks_read(truth):
    # code 255 of [0, 1] is +bound, as Flow.prepare reads it
    assert torch.allclose(from_codes(to_codes(truth)), truth.clamp(-20, 20), atol=0.08)
