"""Motion vectors of codecs: what is read of known motion, and how it is traced back."""

import subprocess
from dataclasses import replace
from itertools import islice

import av
import cv2
import numpy as np
import pytest

from videos import KINDS, ffmpeg, make
from zoopraxis.errors import VideoError
from zoopraxis.video import open_video
from zoopraxis.video._motion import (
    MotionFrame,
    accumulate,
    compensated_residual,
    paint,
    trace_back,
)
from zoopraxis.video._motion_vectors import CODECS, MotionVideo, read_motion
from zoopraxis.video._remedies import ONE_REFERENCE, arguments, command

HEIGHT, WIDTH, FRAMES, GOP = 144, 176, 14, 12
SHIFT = np.array([3, -2])  # pixels a frame, to the right and upwards
# Where content of the first I-frame is still seen 11 frames later.
KEPT = np.s_[..., 8:112, 48:168]


def x264(settings=""):
    options = f"keyint={GOP}:min-keyint={GOP}:scenecut=0:{settings}"
    return {"x264-params": options, "crf": "10"}


# codec as the decoder calls it -> suffix, encoder, options
ENCODERS = {
    "flv1": ("flv", "flv1", {}),
    "h263": ("avi", "h263", {}),
    "h264": ("mp4", "libx264", x264("bframes=0:ref=1")),
    "mpeg4": ("avi", "mpeg4", {}),
    "msmpeg4v2": ("avi", "msmpeg4v2", {}),
    "msmpeg4v3": ("avi", "msmpeg4", {}),
    "wmv1": ("avi", "wmv1", {}),
    "wmv2": ("avi", "wmv2", {}),
}


def texture(number):
    """Smooth grey noise (H, W, 3), moved by `SHIFT` as often as the number says.

    Without colours, which codecs store at half the resolution: they would move by 1.5 pixels.
    """
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 1), dtype=np.uint8)
    large = cv2.resize(noise, (400, 300), interpolation=cv2.INTER_CUBIC)
    x, y = np.array([100, 60]) - number * SHIFT
    return np.repeat(large[y : y + HEIGHT, x : x + WIDTH, None], 3, axis=2)


def write(path, encoder, options, frames=FRAMES):
    with av.open(str(path), "w") as out:
        stream = out.add_stream(encoder, rate=25, options={"g": str(GOP), **options})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        if encoder != "libx264":
            stream.bit_rate = 4_000_000
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(texture(number), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module", params=sorted(CODECS))
def moving(request, tmp_path_factory):
    suffix, encoder, options = ENCODERS[request.param]
    return write(tmp_path_factory.mktemp(request.param) / f"a.{suffix}", encoder, options)


def fraction(vectors, wanted):
    """How many of vectors (2, H, W) are the wanted one, of those in `KEPT`."""
    return (vectors == np.reshape(wanted, (2, 1, 1))).all(axis=0)[KEPT].mean()


def test_vectors_are_the_motion(moving):
    frames = list(read_motion(moving))

    assert [f.index for f in frames] == list(range(FRAMES))
    assert "".join(f.picture for f in frames) == "I" + "P" * 11 + "IP"
    for frame in frames:
        wanted = SHIFT if frame.picture == "P" else (0, 0)
        assert frame.vectors.shape == (2, HEIGHT, WIDTH)
        assert fraction(frame.vectors, wanted) > 0.95


def test_frames_and_times_are_those_of_the_video(moving):
    frames = list(read_motion(moving))

    with open_video(moving) as video:
        images = video.frames_at(range(FRAMES)).permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose([f.time for f in frames], video.timestamps)
    np.testing.assert_array_equal([f.image for f in frames], images)


def test_a_frame_that_is_read_alone_is_the_same(moving):
    # of H.263 in AVI, FFmpeg says of every packet that decoding can start there
    with open_video(moving) as video:
        whole = video.frames_at(range(FRAMES))
        for number in (GOP - 1, FRAMES - 1):
            assert (video.frames_at([number])[0] == whole[number]).all()


def test_decoding_starts_at_any_key_frame(moving):
    whole = list(read_motion(moving))

    with MotionVideo(moving) as video:
        assert video.keys.tolist() == [0, GOP]
        assert video.starts(np.arange(FRAMES)).tolist() == [0] * GOP + [GOP] * (FRAMES - GOP)
        parts = [*islice(video.frames(GOP), 1), *video.frames(GOP), *islice(video.frames(), 2)]

    for part, number in zip(parts, [GOP, *range(GOP, FRAMES), 0, 1], strict=True):
        assert (part.index, part.time, part.picture) == (
            number,
            whole[number].time,
            whole[number].picture,
        )
        np.testing.assert_array_equal(part.vectors, whole[number].vectors)
        np.testing.assert_array_equal(part.image, whole[number].image)


def test_a_raw_stream_is_decoded_from_its_start(tmp_path):
    path = write(tmp_path / "a.h264", "libx264", x264("bframes=0:ref=1"))
    with MotionVideo(path) as video:
        assert video.keys.tolist() == [0, GOP]
        assert video.starts(np.array([1, GOP])).tolist() == [0, 0]


def test_motion_accumulates_back_to_the_i_frame(moving):
    first, *others = accumulate(read_motion(moving))

    assert not first.vectors.any()
    assert not first.residual.any()
    for t, motion in enumerate(others, start=1):
        # times 1 to 11, then an I-frame, then 1 again
        assert fraction(motion.vectors, t % GOP * SHIFT) > 0.9


def test_moved_pixels_leave_no_residual(moving):
    motions = list(accumulate(read_motion(moving)))
    images = [texture(number).astype(int) for number in range(FRAMES)]

    for t in range(1, GOP):
        unmoved = np.abs(images[t] - images[0]).transpose(2, 0, 1)[KEPT].mean()
        assert np.abs(motions[t].residual[KEPT]).mean() < 0.05 * unmoved


def test_blocks_are_painted_and_traced_as_the_authors_do_pixel_by_pixel(tmp_path):
    path = write(tmp_path / "a.mp4", "libx264", ENCODERS["h264"][2], frames=4)
    frames = list(read_motion(path))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"flags2": "+export_mvs"}
        blocks = [frame.side_data.get("MOTION_VECTORS") for frame in container.decode(stream)]

    places = {(x, y): (x, y) for x in range(WIDTH) for y in range(HEIGHT)}
    for frame, motion, found in zip(frames, accumulate(frames), blocks, strict=True):
        single, before = np.zeros((2, HEIGHT, WIDTH)), dict(places)
        for block in found.to_ndarray() if found else ():
            half = int(block["w"]) // 2, int(block["h"]) // 2
            source = int(block["src_x"]), int(block["src_y"])
            target = int(block["dst_x"]), int(block["dst_y"])
            for i in range(-half[0], half[0]):
                for j in range(-half[1], half[1]):
                    origin, pixel = (source[0] + i, source[1] + j), (target[0] + i, target[1] + j)
                    if origin in before and pixel in before:  # both in the frame
                        places[pixel] = before[origin]
                        single[:, pixel[1], pixel[0]] = np.subtract(target, source)
        np.testing.assert_array_equal(frame.vectors, single)
        for (x, y), (from_x, from_y) in places.items():
            assert motion.vectors[:, y, x].tolist() == [x - from_x, y - from_y]


BLOCK = np.dtype([(n, int) for n in ("source", "w", "h", "src_x", "src_y", "dst_x", "dst_y")])


def test_only_what_comes_from_inside_an_earlier_frame_is_painted():
    blocks = np.array(
        [
            (-1, 4, 2, 1, 1, 2, 1),  # over x 0 to 3 and y 0 and 1, from one pixel to the left
            (1, 4, 2, 4, 5, 2, 5),  # from a later frame
            (-1, 2, 2, 5, 4, 5, 6),  # over y 5 and 6, of which only 5 is in the frame
        ],
        BLOCK,
    )

    dx, dy = paint(np.zeros((2, 6, 6), np.int32), blocks)

    assert dx.tolist() == [[0, 1, 1, 1, 0, 0]] * 2 + [[0] * 6] * 4  # x = 0 came from x = -1
    assert dy.tolist() == [[0] * 6] * 5 + [[0, 0, 0, 0, 2, 2]]


def test_a_place_is_looked_up_where_the_pixel_was():
    places = np.stack(np.meshgrid(np.arange(4), np.arange(2))).astype(np.int32)  # (2, 2, 4)
    right = np.zeros((2, 2, 4), np.int32)
    right[0, :, 1:] = 1

    once = trace_back(places, right)
    twice = trace_back(once, right)

    assert once[0, 0].tolist() == [0, 0, 1, 2]
    assert twice[0, 0].tolist() == [0, 0, 0, 1]
    assert twice[1].tolist() == [[0] * 4, [1] * 4]


def test_residuals_have_a_sign():
    reference = np.full((1, 2, 3), 255, np.uint8)
    image = np.array([[[0, 10, 255], [255, 0, 1]]], np.uint8)

    residual = compensated_residual(image, reference, np.zeros((2, 1, 2), np.int32))

    assert residual.tolist() == [[[-255, 0]], [[-245, -255]], [[0, -254]]]


NONE = ["av1", "gif", "hevc", "mjpeg", "vp8", "vp9"]
NOT_THE_LAST = ["mpeg1-b", "mpeg2-b-ts"]


@pytest.mark.parametrize("kind", NONE + NOT_THE_LAST)
def test_codecs_without_vectors_are_refused(kind, tmp_path):
    path, codec = make(tmp_path, kind), kind.split("-")[0]

    with pytest.raises(VideoError, match=f"exports no motion vectors of {codec}") as raised:
        next(read_motion(path))

    assert command(ONE_REFERENCE, out="REENCODED.avi") in raised.value.hint


def exported(path):
    """Type of each frame in order, in lower case where no vectors are exported."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"flags2": "+export_mvs"}
        letters = [
            ("?IPB"[frame.pict_type], frame.side_data.get("MOTION_VECTORS"))
            for frame in islice(container.decode(stream), FRAMES)
        ]
    return "".join(letter if found else letter.lower() for letter, found in letters)


@pytest.mark.parametrize("codec", NONE)
def test_they_have_none(codec, tmp_path):
    assert exported(make(tmp_path, codec)).islower()


@pytest.mark.parametrize(
    ("name", "options", "letters"),
    [
        ("a.mpg", ("mpeg1video", {}), "iPPPPPPPPp"),
        ("a.ts", ("mpeg2video", {}), "iPPPPPPPPp"),
        ("a.avi", ("mpeg4", {"bf": "2"}), "iBBPBBPBBp"),
        ("a.mp4", ("libx264", x264("bframes=2:b-adapt=0")), "iBBPBBPBBP"),
    ],
)
def test_which_frames_have_none(name, options, letters, tmp_path):
    path = write(tmp_path / name, *options, frames=len(letters))
    assert exported(path) == letters
    if name.endswith((".avi", ".mp4")):
        unknown = [frame.vectors is None for frame in read_motion(path)]
        assert unknown == [letter == "p" for letter in letters]


@pytest.mark.parametrize("kind", ["mpeg4-b-avi", "mpeg4-b-mp4"])
def test_frames_predicted_from_later_ones_are_read_but_not_traced_back(kind, tmp_path):
    path = make(tmp_path, kind)

    assert [f.picture for f in islice(read_motion(path), 4)] == ["I", "B", "B", "P"]
    with pytest.raises(VideoError, match="frame 1 is a B-frame"):
        list(accumulate(read_motion(path)))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("h264")])
def test_h264_of_every_container_is_read(kind, tmp_path):
    path = make(tmp_path, kind)
    if KINDS[kind][1].get("rotation"):
        with pytest.raises(VideoError, match="stored turned or mirrored"):
            next(read_motion(path))
        return

    frames = list(read_motion(path))

    with open_video(path) as video:
        np.testing.assert_allclose([f.time for f in frames], video.timestamps)
        np.testing.assert_array_equal(
            [f.image for f in frames], video.frames_at(range(len(frames))).movedim(1, -1)
        )
    assert {f.picture for f in frames} == ({"I", "P", "B"} if len(frames) > 1 else {"I"})


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts", "h264"])
@pytest.mark.parametrize(
    ("settings", "references"),
    [
        ("bframes=0:ref=1", 1),
        ("bframes=0:ref=1:cqm=jvt", 1),
        ("bframes=0:ref=3", 3),
        ("bframes=0:ref=4:8x8dct=0:cabac=0", 4),
    ],
)
def test_h264_says_how_many_frames_it_predicts_from(settings, references, suffix, tmp_path):
    path = write(tmp_path / f"a.{suffix}", "libx264", x264(settings))

    frames = list(read_motion(path))

    assert {f.references for f in frames} == {references}
    if references == 1:
        assert len(list(accumulate(frames))) == FRAMES
    else:
        with pytest.raises(VideoError, match=f"may be predicted from {references} frames"):
            next(accumulate(frames))


@pytest.mark.parametrize("kind", ["h264-b", "h264-rotated-90", "vp9", "mpeg4-b-avi"])
def test_the_remedy_helps(kind, tmp_path):
    words = arguments(ONE_REFERENCE, file=str(make(tmp_path, kind)), out=str(tmp_path / "b.avi"))
    subprocess.run(
        [ffmpeg(), "-v", "quiet", "-y", *words], stdin=subprocess.DEVNULL, check=True, timeout=60
    )

    motions = list(accumulate(read_motion(tmp_path / "b.avi")))

    assert len(motions) == 40
    assert {m.picture for m in motions} == {"I", "P"}


def motion_frame(picture, size=(4, 4), index=0):
    vectors, image = np.zeros((2, *size), np.int32), np.zeros((*size, 3), np.uint8)
    return MotionFrame("a.avi", index, 0.0, picture, vectors, 1, image)


def test_motion_is_traced_back_only_to_an_i_frame_of_the_same_size():
    with pytest.raises(VideoError, match="frame 0 is a P-frame with no I-frame before it"):
        next(accumulate([motion_frame("P")]))
    with pytest.raises(VideoError, match="frame 1 is 6x4, the I-frame before it 4x4"):
        list(accumulate([motion_frame("I"), motion_frame("P", size=(4, 6), index=1)]))
    with pytest.raises(VideoError, match="frame 2 came where 1 follows"):
        list(accumulate([motion_frame("I"), motion_frame("P", index=2)]))
    unknown = replace(motion_frame("P", index=1), vectors=None)
    with pytest.raises(VideoError, match="no motion vectors of frame 1, the last"):
        list(accumulate([motion_frame("I"), unknown]))


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"absent.avi: cannot be read: No such file"):
        next(read_motion(tmp_path / "absent.avi"))
    (tmp_path / "a.avi").write_text("not a video, but a text\n" * 40)
    with pytest.raises(VideoError, match="text, not a video"):
        next(read_motion(tmp_path / "a.avi"))


@pytest.mark.parametrize("codec", ["h264", "mpeg4"])
def test_damage_is_named(codec, tmp_path):
    suffix, encoder, options = ENCODERS[codec]
    path = write(tmp_path / f"a.{suffix}", encoder, options)
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0)]
    data = bytearray(path.read_bytes())
    start, size = packets[6]
    data[start + 20 : start + size] = bytes(size - 20)
    path.write_bytes(data)

    with pytest.raises(VideoError, match=r"frame 6.*(damaged|cannot be decoded)"):
        list(read_motion(path))
