"""Re-encoding: the same frames at the same times, upright, with key frames where asked for."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from av.codec.codec import UnknownCodecError

from videos import KINDS, X264, make, numbered_frame, numbers_of, write
from zoopraxis.errors import VideoError, ZoopraxisError
from zoopraxis.video import Encoding, open_video, reencode
from zoopraxis.video import _reencode as module


def reencoded(path, out, **settings):
    with open_video(path) as video:
        reencode(video, out, Encoding(**settings), comment="of a test")
    return out


def key_frames(path):
    with av.open(str(path)) as file:
        packets = [p for p in file.demux(video=0) if p.size]
    order = np.argsort([p.pts for p in packets])
    return [rank for rank, i in enumerate(order) if packets[i].is_keyframe]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_keeps_its_frames_and_times(kind, tmp_path):
    source = make(tmp_path, kind)
    out = reencoded(source, tmp_path / "out.mp4")

    with open_video(source) as before, open_video(out) as after:
        indices = np.arange(before.num_frames)
        assert numbers_of(after.frames_at(indices)) == numbers_of(before.frames_at(indices))
        assert after.num_frames == before.num_frames
        np.testing.assert_array_equal(after.timestamps, before.timestamps)
        if kind != "h264-variable-rate-mkv":  # the last frame has no duration there
            assert after.duration == pytest.approx(before.duration, abs=2e-3)
        assert (after.height, after.width) == (before.height, before.width)
        assert (after.rotation, after.mirrored, after.codec) == (0, False, "h264")
    assert key_frames(out) == list(range(0, before.num_frames, 12))
    with av.open(str(out)) as file:
        assert [s.type for s in file.streams] == ["video"]
        assert file.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert file.metadata["comment"] == "of a test"


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_key_frames_do_not_depend_on_those_of_the_source(codec, tmp_path):
    source = write(tmp_path / "a.mp4", options={"g": "5", "bf": "0"}, codec="mpeg4")

    out = reencoded(source, tmp_path / "out.mp4", gop=8, codec=codec)

    assert key_frames(out) == [0, 8, 16, 24, 32]
    with open_video(out) as video:
        assert numbers_of(video.frames_at(np.arange(40))) == list(range(40))
        np.testing.assert_allclose(video.timestamps, np.arange(40) / 25, atol=1e-9)


def test_mpeg4_rounds_times_that_it_cannot_hold(tmp_path):
    source = make(tmp_path, "h264-ts")  # ticks of 1/90000 s

    with open_video(reencoded(source, tmp_path / "out.mp4", codec="mpeg4")) as video:
        np.testing.assert_allclose(video.timestamps, np.arange(40) / 25, atol=1e-5)
        assert video.num_frames == 40


@pytest.mark.parametrize(
    ("size", "aspect", "short", "expected"),
    [
        ((48, 64), 1, 24, (24, 32)),
        ((48, 64), 1, 256, (48, 64)),  # not enlarged
        ((48, 64), 1, 25, (24, 34)),  # 25 x 33.3, made even
        ((35, 51), 1, 256, (34, 50)),  # cut down to even numbers, not up
        ((48, 64), Fraction(4, 3), 256, (48, 84)),
        ((48, 64), Fraction(3, 4), 256, (64, 64)),
        ((48, 64), Fraction(4, 3), 24, (24, 42)),
        ((2, 64), 1, 256, (2, 64)),
    ],
)
def test_sizes_are_even_with_square_pixels(size, aspect, short, expected, tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        ratio = Fraction(aspect)
        parameters = {"x264-params": f"sar={ratio.numerator}/{ratio.denominator}"}
        stream = out.add_stream("libx264", rate=10, options={"qp": "0", **parameters})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv444p"
        for value in (50, 200):
            image = np.full((*size, 3), value, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv444p")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))

    with open_video(reencoded(path, tmp_path / "out.mp4", short=short)) as video:
        assert (video.height, video.width) == expected
        assert video.sample_aspect_ratio == 1
        means = video.arrays_at([0, 1]).mean((1, 2, 3))
    np.testing.assert_allclose(means, [50, 200], atol=2)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 2, 6])
def test_colours_stay_whatever_space_they_are_in(full_range, matrix, tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"qp": "0", "preset": "ultrafast"})
        stream.height, stream.width = 48, 64
        stream.pix_fmt = "yuvj420p" if full_range else "yuv420p"
        stream.codec_context.colorspace = matrix
        frame = av.VideoFrame(64, 48, stream.pix_fmt)
        for plane, value in zip(frame.planes, (120, 60, 200), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    out = reencoded(path, tmp_path / "out.mp4", quality=5)

    with open_video(path) as before, open_video(out) as after:
        colours = [video.arrays_at([0]).mean((0, 1, 2)) for video in (before, after)]
    np.testing.assert_allclose(colours[1], colours[0], atol=3)


def test_a_folder_of_frames_becomes_a_video(tmp_path):
    (tmp_path / "frames").mkdir()
    for n in range(5):
        image = np.ascontiguousarray(numbered_frame(n)[:, :, ::-1])
        cv2.imwrite(str(tmp_path / "frames" / f"{n:05d}.png"), image)

    with open_video(reencoded(tmp_path / "frames", tmp_path / "out.mp4")) as video:
        assert numbers_of(video.frames_at(np.arange(5))) == list(range(5))
        assert video.fps == 25


def test_interlaced_video_is_known(tmp_path):
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    with open_video(write(tmp_path / "a.mp4", options={**X264, **options})) as video:
        assert video.interlaced
    with open_video(make(tmp_path, "h264-b")) as video:
        assert not video.interlaced


def test_a_damaged_video_leaves_nothing(tmp_path):
    source = make(tmp_path, "h264-b")
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 800] = bytes(800)
    source.write_bytes(data)

    with pytest.raises(VideoError, match="h264-b"):
        reencoded(source, tmp_path / "out.mp4")
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"codec": "h264"}, "unknown codec 'h264'"),
        ({"gop": 0}, "gop is 0"),
        ({"short": 1}, "short is 1"),
        ({"quality": 52}, "quality is 52"),
        ({"quality": 0, "codec": "mpeg4"}, "quality is 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, problem):
    with pytest.raises(ZoopraxisError, match=problem):
        Encoding(**settings)


def test_a_build_without_x264_names_what_it_has(monkeypatch):
    def without(name, mode):
        if name == "libx264":
            raise UnknownCodecError(name)

    monkeypatch.setattr(module, "Codec", without)
    with pytest.raises(ZoopraxisError, match="has no libx264") as caught:
        Encoding()
    assert caught.value.hint.endswith("libx265, mpeg4")
    assert Encoding(codec="mpeg4").quality == 3
