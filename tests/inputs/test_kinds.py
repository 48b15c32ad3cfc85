"""What every kind of input promises: one row each."""

import json
import math
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from videos import write
from zoopraxis.errors import RecipeError, VideoError, ZoopraxisError
from zoopraxis.flow import Farneback, compute_flow
from zoopraxis.flow.codes import to_codes
from zoopraxis.inputs import (
    KINDS,
    RGB,
    ClipSpec,
    Compressed,
    Depth,
    Flow,
    Grey,
    Heatmap,
    Media,
    Regions,
    RGBDiff,
    RGBFlow,
    Sampling,
    Skeleton,
    change_clip,
    clip_from_dict,
    clip_to_dict,
)
from zoopraxis.inputs._flow_computed import ComputedFlow
from zoopraxis.inputs.augment import Augment, Draw
from zoopraxis.inputs.base import map_inputs, segment_range, train_indices, view_indices
from zoopraxis.video import open_video

EXAMPLES = [
    RGB(resize=32, size=24, channel_order="bgr"),
    Grey(resize=32, size=24),
    RGBDiff(resize=32, size=24, value_range=255.0),
    Flow(resize=32, size=24, mean=(0.4, 0.6)),
    RGBFlow(resize=32, size=24),
    Compressed(resize=32, size=24, stream="vectors_residual", std=(0.2, 0.2, 0.3, 0.3, 0.4)),
    Depth(resize=32, size=24, near=0.0, far=255.0),
    Skeleton(move=1.0),
    Heatmap(layout="openpose-18", resize=32, size=24),
    Regions(resize=32, size=24, num_boxes=2),
]
FRAMES = 12


@pytest.fixture(params=EXAMPLES, ids=lambda kind: kind.kind)
def kind(request):
    return request.param


@pytest.fixture
def media(tmp_path):
    """A video in GOPs of 4 frames, with flow and skeletons of noise, and boxes."""
    path = write(tmp_path / "clip.avi", "mpeg4", frames=FRAMES, options={"g": "4"})
    np.save(tmp_path / "flow.npy", np.random.default_rng(0).normal(0, 5, (FRAMES - 1, 2, 48, 64)))
    np.save(tmp_path / "joints.npy", np.random.default_rng(1).random((2, FRAMES, 18, 3)) - 0.5)
    lines = [f"{n},{2 * n},{n},{2 * n + 20},30" for n in range(FRAMES)]
    (tmp_path / "boxes.csv").write_text("\n".join(["frame,x1,y1,x2,y2", *lines]))
    names = {"flow": "flow.npy", "skeleton": "joints.npy", "boxes": "boxes.csv"}
    return Media(path=path, **{name: str(tmp_path / file) for name, file in names.items()})


def prepared(kind, track, indices, draw):
    """What a network takes, always a tuple; the clip is the first."""
    return as_tuple(kind.prepare(kind.read(track, indices, draw), draw))


def as_tuple(inputs):
    return inputs if isinstance(inputs, tuple) else (inputs,)


def test_every_kind_has_its_row():
    assert {type(kind) for kind in EXAMPLES} == set(KINDS.values())


def test_a_clip_survives_json(kind):
    clip = ClipSpec(sampling=Sampling(num_frames=4, fps=12.5), input=kind)

    again = clip_from_dict(json.loads(json.dumps(clip_to_dict(clip))))

    assert again == clip
    assert type(again.input) is type(kind)


def test_a_track_has_times_and_a_prepared_clip_the_shape_that_was_said(kind, media):
    with kind.open(media) as track:
        assert len(track.timestamps) == track.num_frames
        assert FRAMES - 1 <= track.num_frames <= FRAMES
        assert track.duration > track.timestamps[-1]
        (draw,) = kind.crops(track, 1)
        out = prepared(kind, track, np.array([[0, 1, 2, 3], [4, 5, 6, 7]]), draw)

    assert kind.shapes(4)[0] == kind.shape(4)
    assert [x.shape for x in out] == [(2, *shape) for shape in kind.shapes(4)]
    assert {x.dtype for x in out} == {torch.float32}
    assert not torch.equal(out[0][0], out[0][1])
    example = as_tuple(kind.example(4, batch=2))
    assert [x.shape for x in example] == [x.shape for x in out]


def test_items_in_reverse_are_the_clip_reversed_if_and_only_if_items_stand_alone(kind, media):
    with kind.open(media) as track:
        (draw,) = kind.crops(track, 1)
        indices = np.array([[1, 2, 3, 4, 6, 7]])
        forwards = kind.prepare(kind.read(track, indices, draw), draw)
        backwards = prepared(kind, track, indices[:, ::-1].copy(), draw)

    pairs = zip(as_tuple(kind.reverse(forwards)), backwards, strict=True)
    assert all(torch.equal(x, y) for x, y in pairs) == kind.items_stand_alone


def test_an_item_does_not_depend_on_what_is_read_with_it(kind, media):
    with kind.open(media) as track:
        (draw,) = kind.crops(track, 1)
        together = prepared(kind, track, np.array([[7, 2, 2]]), draw)
        alone = prepared(kind, track, np.array([[2]]), draw)

    for x, y in zip(together, alone, strict=True):
        time = 2 if x.ndim == 5 else 1  # of a clip, and of boxes
        torch.testing.assert_close(x.narrow(time, 1, 1), y)
        torch.testing.assert_close(x.narrow(time, 2, 1), y)


def test_a_track_in_memory_gives_the_same(kind, media):
    with kind.open(media) as track:
        (draw,) = kind.crops(track, 1)
        indices = np.array([[0, 3, 10]])
        read, kept = (prepared(kind, t, indices, draw) for t in (track, kind.keep(track)))

    torch.testing.assert_close(kept, read)


def test_a_draw_is_a_function_of_the_generator(kind, media):
    with kind.open(media) as track:
        draws = [kind.draw(track, Augment(), rng=np.random.default_rng(s)) for s in (3, 3, 4)]
        out = [prepared(kind, track, np.array([[1, 2]]), draw) for draw in draws]

    assert all(torch.equal(x, y) for x, y in zip(out[0], out[1], strict=True))
    assert not torch.equal(out[0][0], out[2][0])
    assert out[0][0].shape == (1, *kind.shape(2))


ORDERS = [torch.contiguous_format, torch.channels_last_3d]


@pytest.mark.parametrize("order", ORDERS)
def test_what_is_packed_unpacks_to_what_is_prepared(kind, media, order):
    assert_packed(kind, media, Augment(flip=1.0), order)


@pytest.mark.parametrize("kind", [k for k in EXAMPLES if getattr(k, "has_colours", False)])
@pytest.mark.parametrize("order", ORDERS)
def test_what_is_packed_keeps_changed_colours(kind, media, order):
    assert_packed(kind, media, Augment(brightness=0.4, contrast=0.4, saturation=0.4), order)


def assert_packed(kind, media, augment, order):
    with kind.open(media) as track:
        draw = kind.draw(track, augment, rng=np.random.default_rng(5))
        raw = kind.read(track, np.array([[0, 3, 5], [1, 2, 6]]), draw)
        prepared_, packed = as_tuple(kind.prepare(raw, draw)), as_tuple(kind.pack(raw, draw))
    unpacked = map_inputs(packed, torch.device("cpu"), order, packed=kind)
    for x, y in zip(unpacked, prepared_, strict=True):
        assert torch.equal(x, y)
        assert x.ndim != 5 or x.is_contiguous(memory_format=order)


def test_frames_are_packed_as_bytes():
    frames = torch.randint(0, 256, (1, 2, 3, 12, 12), dtype=torch.uint8)
    kind, draw = RGB(resize=12, size=8), Draw(scaled=(12, 12), box=(1, 2, 8, 8), flip=True)
    bytes_, brighter = (
        kind.pack(frames, d) for d in (draw, replace(draw, colour=(("brightness", 1.2),)))
    )

    assert torch.equal(bytes_, frames[..., 1:9, 2:10].flip(-1).transpose(1, 2))
    assert brighter.dtype == kind.pack(frames.float(), draw).dtype == torch.float32


def test_crops_of_a_view_stand_together(kind, media):
    with kind.open(media) as track:
        draws = kind.crops(track, 3)
        raw = kind.read(track, np.array([[0, 1], [5, 6]]), draws[0])
        out = as_tuple(kind.prepare_crops(raw, draws))
        second = as_tuple(kind.prepare(raw, draws[1]))

    assert [x.shape for x in out] == [(6, *shape) for shape in kind.shapes(2)]
    for x, y in zip(out, second, strict=True):
        torch.testing.assert_close(x[[1, 4]], y)


def test_backwards_twice_is_forwards(kind, media):
    with kind.open(media) as track:
        (draw,) = kind.crops(track, 1)
        clip = kind.prepare(kind.read(track, np.array([[0, 1, 2]]), draw), draw)

    back, again = kind.reverse(clip), kind.reverse(kind.reverse(clip))
    assert not torch.allclose(as_tuple(back)[0], as_tuple(clip)[0])
    torch.testing.assert_close(again, clip)


def test_motion_backwards_changes_its_sign():
    # what flows 3 pixels to the right flows 3 to the left when it is played backwards
    kind = Flow(resize=8, size=8, mean=(0.5,), std=(0.5 / 20,))  # normalised to pixels
    clip = torch.full((1, 2, 3, 8, 8), 3.0)

    torch.testing.assert_close(kind.reverse(clip), -clip)
    assert torch.equal(RGBDiff().reverse(clip), -clip)


def test_frames_of_a_reference_become_differences_within_segments():
    # two segments of three frames
    frames = torch.tensor([0.0, 1.0, 3.0, 100.0, 110.0, 130.0])[None, None, :, None, None]

    assert RGBDiff().from_reference(frames, stack=2).flatten().tolist() == [1, 2, 10, 20]
    assert Flow().from_reference(frames, stack=2) is frames


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "no sampling and input"),
        ({"sampling": {}, "input": {"kind": "smell"}}, "unknown kind 'smell'"),
        ({"sampling": {"num_frames": "8"}, "input": {"kind": "rgb"}}, "num_frames = '8'"),
        ({"sampling": {}, "input": {"kind": "rgb", "sise": 3}}, "input.sise"),
        ({"sampling": {}, "input": {"kind": "rgb", "channel_order": "gbr"}}, "one of rgb, bgr"),
    ],
)
def test_json_that_is_no_clip_is_refused(values, problem):
    with pytest.raises(RecipeError, match=problem):
        clip_from_dict(values)


def test_fields_are_changed_by_name_wherever_they_are():
    clip = ClipSpec(sampling=Sampling(), input=Flow())

    changed = change_clip(clip, {"num_frames": 4, "size": 112, "mean": [0.5, 0.5]})

    assert changed.shape == (2, 4, 112, 112)
    assert changed == clip.change(num_frames=4, size=112, mean=(0.5, 0.5))
    with pytest.raises(RecipeError, match=r"clip\.channel_order"):
        change_clip(clip, {"channel_order": "bgr"})  # flow has none
    with pytest.raises(RecipeError) as caught:
        change_clip(clip, {"num_frame": 4})
    assert "num_frames" in caught.value.hint


# Segments


def video(frames, fps=10.0):
    from zoopraxis.video import open_video

    return open_video(torch.zeros(frames, 3, 4, 4, dtype=torch.uint8), fps=fps)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, range(20)),
        (0.5, 1.0, range(5, 10)),
        (None, 0.35, range(4)),  # frame 3 is shown from 0.3 on
        (1.95, None, range(20, 20)),
        (1.9, 99.0, range(19, 20)),
    ],
)
def test_a_segment_is_the_frames_shown_in_it(start, end, expected):
    media = Media(path="", start=start, end=end)
    if len(expected):
        assert segment_range(video(20), media) == expected
    else:
        with pytest.raises(VideoError, match=r"no frame is shown in \[1.95, 2\)"):
            segment_range(video(20), media)


@pytest.mark.parametrize(("start", "end"), [(1.0, 1.0), (1.0, 0.5), (5.0, 6.0), (-1.0, 1.0)])
def test_a_segment_without_frames_is_refused(start, end):
    with pytest.raises(VideoError, match="check start and end"):
        segment_range(video(20), Media(path="", start=start, end=end))


def test_clips_stay_within_their_segment():
    track, media = video(40), Media(path="", start=1.0, end=2.0)
    sampling = Sampling(num_frames=4, stride=2)
    rng = np.random.default_rng(0)

    drawn = np.concatenate([train_indices(track, media, sampling, rng=rng) for _ in range(99)])

    assert (drawn.min(), drawn.max()) == (10, 19)
    assert view_indices(track, media, sampling, views=2).tolist() == [
        [10, 12, 14, 16],
        [13, 15, 17, 19],
    ]


def test_a_segment_shorter_than_the_clip_loops_within_it():
    media = Media(path="", start=1.0, end=1.3)
    indices = view_indices(video(40), media, Sampling(num_frames=5))
    assert indices.tolist() == [[10, 11, 12, 10, 11]]


# Flow


def flow_folder(folder, count, *, skip_y=()):
    import cv2

    folder.mkdir()
    for n in range(1, count + 1):
        cv2.imwrite(str(folder / f"flow_x_{n:05d}.png"), np.full((6, 8), 100 + n, np.uint8))
        if n not in skip_y:
            cv2.imwrite(str(folder / f"flow_y_{n:05d}.png"), np.full((6, 8), 50 + n, np.uint8))
    return folder


def test_flow_images_are_read_by_number(tmp_path):
    folder = flow_folder(tmp_path / "v", 11)
    kind = Flow(resize=6, size=6, mean=(0.0,), std=(1.0,), value_range=255.0)
    with kind.open(Media(path="v.mp4", flow=str(folder))) as track:
        (draw,) = kind.crops(track, 1)
        (out,) = prepared(kind, track, np.array([[0, 9, 10]]), draw)

    assert out[0, :, :, 0, 0].tolist() == [[101, 110, 111], [51, 60, 61]]


def test_flow_beside_the_frames_is_found(tmp_path):
    folder = flow_folder(tmp_path / "v", 2)
    with Flow().open(Media(path=folder)) as track:
        assert track.num_frames == 2


def test_flow_with_gaps_twins_or_hidden_files(tmp_path):
    folder = flow_folder(tmp_path / "v", 4)
    (folder / "._flow_x_00002.png").write_bytes(b"resource fork")
    with Flow().open(Media(path="", flow=str(folder))) as track:
        assert track.num_frames == 4

    (folder / "flow_x_00003.png").rename(tmp_path / "x.png")
    (folder / "flow_y_00003.png").rename(tmp_path / "y.png")
    with pytest.raises(VideoError, match="field 3 is missing between fields 1 and 4"):
        Flow().open(Media(path="", flow=str(folder)))

    (folder / "flow_x_2.png").write_bytes((folder / "flow_x_00002.png").read_bytes())
    with pytest.raises(VideoError, match=r"flow_x_2.png and flow_x_00002.png are the same field"):
        Flow().open(Media(path="", flow=str(folder)))


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda p: Media(path=p / "clip.mp4"), r"clip\.mp4.*no such file"),
        (lambda p: Media(path="a.mp4", flow=str(p / "none")), "there is no flow here"),
        (lambda p: Media(path="a.mp4", flow=str(flow_folder(p / "v", 3, skip_y=(2,)))), "field 2"),
        (lambda p: Media(path="a.mp4", flow=str(p)), "no images of flow"),
    ],
)
def test_flow_that_is_not_there_is_an_error_that_names_it(tmp_path, make, problem):
    with pytest.raises(VideoError, match=problem):
        Flow().open(make(tmp_path))


def test_an_array_that_is_no_flow_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 4)))
    with pytest.raises(VideoError, match=r"a.npy: flow of shape \(3, 4, 4\)"):
        Flow().open(Media(path="", flow=str(tmp_path / "a.npy")))
    (tmp_path / "b.npz").write_bytes(b"no zip")
    with pytest.raises(VideoError, match=r"b\.npz: holds no flow"):
        Flow().open(Media(path="", flow=str(tmp_path / "b.npz")))


# Flow that is computed


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """A video of 12 frames, and an empty cache."""
    monkeypatch.setenv("ZOOPRAXIS_HOME", str(tmp_path / "cache"))
    return write(tmp_path / "clip.mp4", frames=FRAMES)


def fields_of(kind, clip, indices):
    with kind.open(Media(path=clip)) as track:
        assert track.num_frames == FRAMES - 1
        return track.fields_at(np.array(indices), resize=(24, 32))


def test_flow_that_lies_nowhere_is_computed(clip):
    kind = Flow(resize=24, size=24, method="farneback")
    with open_video(clip) as video:
        frames = video.frames_at([3, 4], resize=(24, 32))

    codes = fields_of(kind, clip, [[3]])

    assert torch.equal(codes[0], to_codes(compute_flow(frames, Farneback())))


def test_the_cache_changes_no_answer(clip, tmp_path, monkeypatch):
    kind = Flow(resize=24, size=24)
    computed = fields_of(kind, clip, [[2, 3, 7]])
    kept = list((tmp_path / "cache" / "flow").glob("*/*.png"))
    assert sorted(f.name for f in kept) == ["000002.png", "000003.png", "000007.png"]

    monkeypatch.setattr("zoopraxis.inputs._flow_computed.compute_flow", None)  # it is not called
    assert torch.equal(fields_of(kind, clip, [[2, 3, 7]]), computed)
    monkeypatch.undo()

    monkeypatch.setenv("ZOOPRAXIS_HOME", str(tmp_path / "cache"))
    kept[0].write_bytes(kept[0].read_bytes()[:40])  # a machine lost its power
    assert torch.equal(fields_of(kind, clip, [[2, 3, 7]]), computed)
    monkeypatch.setenv("ZOOPRAXIS_FLOW_CACHE", "off")
    monkeypatch.setenv("ZOOPRAXIS_HOME", str(tmp_path / "none"))
    assert torch.equal(fields_of(kind, clip, [[2, 3, 7]]), computed)
    assert not (tmp_path / "none").exists()


def used(folder, ago):
    """Say that a folder of the cache was used some seconds ago."""
    now = time.time()
    os.utime(folder, (now - ago, now - ago))


def test_the_cache_forgets_what_was_used_longest_ago(clip, tmp_path, monkeypatch):
    folders = tmp_path / "cache" / "flow"
    sizes = [(24, 24), (24, 28), (24, 36)]
    places = []
    for ago, size in zip((300, 200, 100), sizes, strict=True):
        fields_of(Flow(resize=size, size=24), clip, [[2, 3, 4]])
        places.append(next(f for f in folders.iterdir() if f not in places))
        used(places[-1], ago)
    fields_of(Flow(resize=sizes[0], size=24), clip, [[2]])  # a use makes it the newest
    held = [sum(f.stat().st_size for f in place.iterdir()) for place in places]

    monkeypatch.setattr(ComputedFlow, "_unchecked", math.inf)  # a new process
    monkeypatch.setenv("ZOOPRAXIS_FLOW_CACHE", str((sum(held) - 1) / 1e9))
    fields_of(Flow(resize=sizes[0], size=24), clip, [[2]])

    assert sorted(folders.iterdir()) == sorted([places[0], places[2]])
    monkeypatch.setattr(ComputedFlow, "_unchecked", math.inf)
    monkeypatch.setenv("ZOOPRAXIS_FLOW_CACHE", "1e-9")
    fields_of(Flow(resize=sizes[2], size=24), clip, [[2]])
    assert list(folders.iterdir()) == [places[2]]  # what was read last stays
    monkeypatch.setattr(ComputedFlow, "_unchecked", math.inf)
    with RGBFlow(resize=24, size=24).open(Media(path=clip)) as pair:
        pair.flow.fields_at(np.array([[2]]), resize=(24, 32))
    assert len(list(folders.iterdir())) == 1
    assert list(folders.iterdir()) != [places[2]]


def test_the_cache_is_removed_under_a_reader_who_computes_again(clip, tmp_path):
    kind = Flow(resize=24, size=24)
    with kind.open(Media(path=clip)) as track:
        first = track.fields_at(np.array([[2, 3]]), resize=(24, 32))
        for folder in (tmp_path / "cache" / "flow").iterdir():
            shutil.rmtree(folder)
        assert torch.equal(track.fields_at(np.array([[2, 3]]), resize=(24, 32)), first)


def test_several_processes_share_a_small_cache(clip, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOOPRAXIS_FLOW_CACHE", "1e-6")  # a thousand bytes: every exit makes room
    script = """
import sys
import numpy as np
from zoopraxis.inputs import Flow, Media
for turn in range(12):
    size = 24 + 2 * ((turn + int(sys.argv[2])) % 3)
    with Flow(resize=(24, size), size=24).open(Media(path=sys.argv[1])) as track:
        print(track.fields_at(np.arange(11)[None], resize=(24, 32)).float().mean().item())
"""
    command = [sys.executable, "-c", script, str(clip)]
    running = [
        subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, text=True) for n in range(3)
    ]
    answers = [process.communicate()[0].split() for process in running]

    assert [process.returncode for process in running] == [0, 0, 0]
    assert all(len(answer) == 12 for answer in answers)
    assert (
        len({said for answer in answers for said in answer}) == 3
    )  # each size has one answer, whoever made room
    monkeypatch.setattr(ComputedFlow, "_unchecked", math.inf)
    fields_of(Flow(resize=24, size=24), clip, [[2]])
    assert len(list((tmp_path / "cache" / "flow").iterdir())) == 1


@pytest.mark.parametrize("said", ["much", "-1", "nan", "inf"])
def test_a_limit_of_the_cache_that_is_none_is_refused(said, clip, monkeypatch):
    monkeypatch.setenv("ZOOPRAXIS_FLOW_CACHE", said)
    with pytest.raises(ZoopraxisError, match="ZOOPRAXIS_FLOW_CACHE"):
        fields_of(Flow(resize=24, size=24), clip, [[2]])


def test_the_cache_knows_content_method_size_and_bound(clip, tmp_path):
    folders = tmp_path / "cache" / "flow"
    fields_of(Flow(resize=24, size=24), clip, [[2]])
    fields_of(Flow(resize=24, size=24), clip.rename(tmp_path / "moved.mp4"), [[2]])
    assert len(list(folders.iterdir())) == 1

    for kind in (
        Flow(resize=24, size=24, method="farneback"),
        Flow(resize=(24, 24), size=24),
        Flow(resize=24, size=24, bound=8.0),
    ):
        before = len(list(folders.iterdir()))
        fields_of(kind, tmp_path / "moved.mp4", [[2]])
        assert len(list(folders.iterdir())) == before + 1
    write(clip, frames=FRAMES, codec="mpeg4")  # other content under the old name
    before = len(list(folders.iterdir()))
    fields_of(Flow(resize=24, size=24), clip, [[2]])
    assert len(list(folders.iterdir())) == before + 1


def test_rgb_and_computed_flow_come_of_the_same_frames(clip):
    kind = RGBFlow(resize=24, size=24)
    with kind.open(Media(path=clip)) as track:
        (draw,) = kind.crops(track, 1)
        frames, flow = kind.read(track, np.array([[0, 10]]), draw)

    assert frames.shape == (1, 2, 3, 24, 32)
    assert torch.equal(flow, fields_of(Flow(resize=24, size=24), clip, [[0, 10]]))


def test_a_still_has_no_flow(tmp_path):
    still = write(tmp_path / "still.mp4", frames=1)
    with pytest.raises(VideoError, match=r"still.mp4: one frame, and flow lies between two"):
        Flow().open(Media(path=still))


@pytest.mark.parametrize(("field", "value"), [("bound", 0.0), ("bound", float("nan"))])
def test_a_bound_that_clips_nothing_or_all_is_refused(field, value):
    with pytest.raises(RecipeError, match="cannot clip flow"):
        Flow(**{field: value})


def test_a_method_that_is_not_known_is_refused():
    with pytest.raises(RecipeError, match="unknown method of optical flow 'diss'"):
        Flow(method="diss")
