"""Flow in files: it reads back as it was computed, a stopped run resumes, a bad file is named."""

import json
from functools import partial

import cv2
import numpy as np
import pytest
import torch

from videos import numbers_of, write
from zoopraxis.errors import DataError, ZoopraxisError
from zoopraxis.flow import FlowMethod, compute_flow, flow_method
from zoopraxis.flow.codes import from_codes, to_codes
from zoopraxis.flow.extract import extract_flow
from zoopraxis.flow.picture import flow_picture
from zoopraxis.inputs import Flow, Media
from zoopraxis.video import open_video, write_video

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

    assert done.count == 5
    with Flow().open(Media(path=video, flow=done.file)) as track:
        codes = track.fields_at(np.arange(5), resize=(48, 64))
    assert (codes.float() - to_codes(truth).float()).abs().mean() < 2  # JPEG
    manifest = json.loads((tmp_path / "f" / "flow.json").read_text())
    assert manifest["flow"] == json.loads(DIS.key)
    assert manifest["bound"] == 20


def test_an_array_holds_the_flow_in_pixels(video, truth, tmp_path):
    (done,) = extract_flow([video], [tmp_path / "f"], method=DIS, form="npz", resize=None)

    with Flow().open(Media(path=video, flow=done.file)) as track:
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
    assert results[2].count == 5
    assert counts == [(1, 3), (2, 3), (3, 3)]
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["c"]


def test_two_videos_do_not_share_a_place(tmp_path):
    with pytest.raises(DataError, match=r"a.mp4 and a.avi would both be in"):
        extract_flow(["a.mp4", "a.avi"], [tmp_path / "a"] * 2, method=DIS)


def test_the_codes_are_what_networks_read(truth):
    # code 255 of [0, 1] is +bound, as Flow.prepare reads it
    assert torch.allclose(from_codes(to_codes(truth)), truth.clamp(-20, 20), atol=0.08)


def still_frames(folder, size, count=4):
    """A folder of frames of noise, which no codec's rule of even sizes concerns."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number:03d}.png"), image)
    return str(folder)


def test_a_video_shows_each_frame_beside_its_flow(video, tmp_path):
    (done,) = extract_flow(
        [video], [tmp_path / "f"], method=DIS, form="video", resize=None, workers=1
    )

    assert done.file == str(tmp_path / "f.flow.mp4")
    with open_video(video) as opened, open_video(done.file) as drawn:
        assert (drawn.num_frames, drawn.height, drawn.width) == (5, 240, 640)
        np.testing.assert_allclose(drawn.timestamps, opened.timestamps[:-1], atol=1e-3)
        assert numbers_of(drawn.frames_at(range(5))[..., :320]) == [0, 1, 2, 3, 4]
        flow = compute_flow(opened.frames_at([3, 4]), DIS)[0]
        shown = drawn.frames_at([3])[0, :, ::5, 320::5].permute(1, 2, 0).numpy()  # (48, 64, 3)
    assert np.abs(shown[:30].astype(int) - flow_picture(flow.numpy())[:30]).mean() < 12
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_finished_video_of_flow_is_kept_and_another_scale_is_refused(video, tmp_path):
    ask = partial(extract_flow, [video], [tmp_path / "f"], method=DIS, form="video", workers=1)
    (done,) = ask()
    before = files(tmp_path)

    assert ask() == [done]
    assert files(tmp_path) == before
    (other,) = ask(full=4.0)
    assert "'bound': 8.0" in other.error.problem
    (tmp_path / "f.flow.mp4").write_bytes(before["clip.mp4"][0])  # somebody's video
    (taken,) = ask()
    assert "holds no flow that was extracted here" in taken.error.problem
    with pytest.raises(ZoopraxisError, match="full colour"):
        ask(full=0.0)


@pytest.mark.parametrize("form", ["jpeg", "npz", "video"])
@pytest.mark.parametrize("name", ["dis", "farneback", "warped:dis"])
def test_odd_sizes_and_one_colour(name, form, tmp_path):
    grey = write_video(
        tmp_path / "grey.mp4",
        ((t / 25, np.full((48, 64, 3), 120, np.uint8)) for t in range(4)),
        fps=25,
    )
    odd = still_frames(tmp_path / "odd", (17, 33))
    places = [tmp_path / "out" / "a", tmp_path / "out" / "b"]

    results = extract_flow(
        [str(grey), odd], places, method=flow_method(name), form=form, resize=None, workers=1
    )

    assert [r.count for r in results] == [3, 3], [r.error for r in results]
    if form == "npz":
        flows = [np.load(r.file)["flow"] for r in results]
        assert [f.shape for f in flows] == [(3, 2, 48, 64), (3, 2, 17, 33)]
        assert all(np.isfinite(f).all() for f in flows)
        assert np.abs(flows[0]).max() < 0.01


def test_a_size_that_a_method_cannot_process_names_the_video(tmp_path):
    tiny = still_frames(tmp_path / "tiny", (3, 5))

    (result,) = extract_flow([tiny], [tmp_path / "o" / "f"], method=DIS, resize=None, workers=1)

    assert f"{tiny}: dis cannot process frames of 5x3" in result.error.problem
    assert not (tmp_path / "o" / "f").exists()


def test_a_place_that_cannot_be_written_is_an_error_of_ours(video, tmp_path):
    (tmp_path / "taken").write_text("")
    for form in ("jpeg", "npz", "video"):
        (result,) = extract_flow(
            [video], [tmp_path / "taken" / "f"], method=DIS, form=form, workers=1
        )
        assert isinstance(result.error, DataError)
        assert "cannot be written" in result.error.problem


class Infinite(FlowMethod):
    name = "infinite"

    def between(self, first, second):
        return np.full((2, *first.shape[:2]), np.inf, np.float32)


@pytest.mark.parametrize("form", ["jpeg", "npz", "video"])
def test_flow_that_is_not_finite_is_refused_and_nothing_is_written(form, video, tmp_path):
    (result,) = extract_flow(
        [video], [tmp_path / "out" / "f"], method=Infinite(), form=form, workers=1
    )

    assert "clip.mp4: infinite gives flow that is not finite after frame 1" in result.error.problem
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_a_4k_video_is_streamed(tmp_path):
    import resource  # not on Windows

    wide = cv2.GaussianBlur(
        np.random.default_rng(0).integers(0, 256, (2160, 3900, 3), dtype=np.uint8), (0, 0), 5
    )
    clip = write_video(
        tmp_path / "4k.mp4",
        ((t / 25, np.ascontiguousarray(wide[:, 3 * t : 3 * t + 3840])) for t in range(12)),
        fps=25,
    )
    fast = type(DIS)(preset="ultrafast")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (done,) = extract_flow(
        [str(clip)], [tmp_path / "f"], method=fast, form="video", resize=None, workers=1
    )

    assert done.count == 11
    with open_video(done.file) as drawn:
        assert (drawn.height, drawn.width) == (1080, 3840)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) / 1e6 < 2.5  # GB; 12 fields and their frames alone are 2.7
