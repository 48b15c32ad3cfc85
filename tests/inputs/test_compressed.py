"""Streams of compressed videos: which frames are read, and the numbers that they become."""

import av
import cv2
import numpy as np
import pytest
import torch
from av.video.frame import PictureType

from videos import make, write
from zoopraxis.errors import RecipeError, VideoError
from zoopraxis.inputs import Compressed, Media
from zoopraxis.inputs.augment import Augment, Draw
from zoopraxis.inputs.base import segment_range
from zoopraxis.theatre.make import encode
from zoopraxis.video import open_video
from zoopraxis.video._motion import accumulate, compensated_residual, from_previous
from zoopraxis.video._motion_vectors import MotionVideo, read_motion

HEIGHT, WIDTH, FRAMES, GOP = 64, 96, 11, 4
SIZE = (HEIGHT, WIDTH)
X264 = {"x264-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=0:ref=1", "crf": "10"}
MPEG4 = {"g": str(GOP), "qscale": "2"}


def textured(path, codec, options, *, frames=FRAMES, size=SIZE, shift=(3, -2), i_frames=()):
    """Write smooth grey noise that moves by a number of pixels a frame."""
    noise = np.random.default_rng(0).integers(0, 255, (40, 50, 1), dtype=np.uint8)
    large = cv2.resize(noise, (400, 300), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        (stream.height, stream.width), stream.pix_fmt = size, "yuv420p"
        stream.codec_context.thread_count = 1
        for number in range(frames):
            x, y = np.array([150, 100]) - number * np.array(shift)
            image = np.repeat(large[y : y + size[0], x : x + size[1], None], 3, axis=2)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pict_type = PictureType.I if number in i_frames else PictureType.NONE
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


@pytest.fixture(scope="module", params=["mpeg4.avi", "mpeg4.mp4", "h264.mp4", "h264.h264"])
def clip(request, tmp_path_factory):
    """A video in GOPs of 4: IPPPIPPPIPP."""
    path = tmp_path_factory.mktemp("clip") / request.param
    codec, options = ("mpeg4", MPEG4) if "mpeg4" in path.name else ("libx264", X264)
    return textured(path, codec, options)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return textured(tmp_path_factory.mktemp("film") / "a.avi", "mpeg4", MPEG4)


def read(kind, path, indices):
    """Codes (T, C, H, W) of items at the size of the video."""
    with kind.open(Media(path=path)) as track:
        return track.codes_at(np.array(indices), resize=(track.height, track.width))


MOVED = [1, 2, 3, 3, 5, 6, 7, 7, 9, 10]  # frames of the items: the I-frames 4 and 8 have none


@pytest.mark.parametrize(
    ("reference", "motions"), [("i_frame", accumulate), ("previous", from_previous)]
)
def test_items_are_the_motion_of_p_frames(clip, reference, motions):
    kind = Compressed(stream="vectors_residual", reference=reference, frame_size=SIZE)

    codes = read(kind, clip, range(FRAMES - 1))

    expected = list(motions(read_motion(clip)))
    assert "".join(m.picture for m in expected) == "IPPPIPPPIPP"
    for item, frame in zip(codes.int().numpy(), MOVED, strict=True):
        # the authors' arithmetic: ±20 pixels to ±127.5, cut off, 128 added, 8 bits
        vectors = (expected[frame].vectors * (127.5 / 20)).astype(np.int32) + 128
        np.testing.assert_array_equal(item[:2], vectors.clip(0, 255))
        np.testing.assert_array_equal(item[2:], (expected[frame].residual + 128).clip(0, 255))


def test_i_frames_are_those_of_their_gops(clip):
    codes = read(Compressed(stream="i_frame"), clip, range(FRAMES))

    with open_video(clip) as video:
        images = video.frames_at([0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8])
    assert torch.equal(codes, images)


def test_motion_adds_up_since_the_i_frame(film):
    whole = read(Compressed(frame_size=SIZE), film, [2])[0, :, 16:-16, 16:-16]
    single = read(Compressed(frame_size=SIZE, reference="previous"), film, [2])[
        0, :, 16:-16, 16:-16
    ]

    # frame 3 is 3 frames of (3, -2) pixels away from the I-frame
    assert whole.flatten(1).median(dim=1).values.tolist() == [
        128 + int(9 * 6.375),
        128 - int(6 * 6.375),
    ]
    assert single.flatten(1).median(dim=1).values.tolist() == [
        128 + int(3 * 6.375),
        128 - int(2 * 6.375),
    ]


def test_the_residual_of_one_step_is_against_the_frame_before(film):
    frames = list(read_motion(film))
    motion = list(from_previous(frames))[6]

    expected = compensated_residual(frames[6].image, frames[5].image, frames[6].vectors)
    np.testing.assert_array_equal(motion.residual, expected)


def test_vectors_are_in_pixels_of_the_papers_frames(film):
    papers = read(Compressed(), film, [2])[0].int() - 128
    stored = read(Compressed(frame_size=SIZE), film, [2])[0].int() - 128
    free = (papers.abs() < 127) & (stored.abs() < 127)

    expected = stored * torch.tensor([340 / WIDTH, 256 / HEIGHT])[:, None, None]
    assert (papers - expected).abs()[free].max() <= 340 / WIDTH + 1  # rounded before, and after


def test_order_of_the_colours(film):
    for stream in ("i_frame", "residual"):
        rgb = read(Compressed(stream=stream), film, [5])
        bgr = read(Compressed(stream=stream, channel_order="bgr"), film, [5])
        assert torch.equal(rgb.flip(1), bgr)


@pytest.mark.parametrize("stream", ["vectors", "vectors_residual", "residual", "i_frame"])
def test_a_flip_mirrors_and_negates_what_moves_across(stream):
    kind = Compressed(stream=stream, size=8, resize=8, mean=(0.0,), std=(1.0,), value_range=255.0)
    raw = torch.randint(1, 256, (1, 2, kind.channels, 8, 8), dtype=torch.uint8)
    plain, flipped = (
        kind.prepare(raw, Draw(scaled=(8, 8), box=(0, 0, 8, 8), flip=flip)).flip(-1 if flip else ())
        for flip in (False, True)
    )

    if stream.startswith("vectors"):
        assert torch.equal(flipped[:, 0].round(), 256 - plain[:, 0].round())  # 128 is no motion
        flipped, plain = flipped[:, 1:], plain[:, 1:]
    torch.testing.assert_close(flipped, plain)


def test_backwards_motion_changes_its_sign_and_images_do_not():
    clip = torch.arange(3.0).reshape(1, 1, 3, 1, 1).expand(1, 5, 3, 4, 4)
    kind = Compressed(stream="vectors_residual", mean=(128.0,), std=(2.0,), value_range=255.0)

    torch.testing.assert_close(kind.reverse(clip), -clip.flip(2))
    frames = clip[:, :3]
    assert torch.equal(Compressed(stream="i_frame").reverse(frames), frames.flip(2))


def test_each_gop_is_decoded_once_and_no_further_than_needed(film, monkeypatch):
    decoded = []
    plain = MotionVideo.frames

    def counted(video, first=0):
        for frame in plain(video, first):
            decoded.append(frame.index)
            yield frame

    monkeypatch.setattr(MotionVideo, "frames", counted)
    read(Compressed(), film, [[9, 1], [0, 9]])  # frames 10, 2, 1 and 10
    assert decoded == [0, 1, 2, 8, 9, 10]
    decoded.clear()
    read(Compressed(stream="i_frame"), film, [1, 2, 9])
    assert decoded == [0, 8]


def test_a_segment_is_found_by_time(film):
    with Compressed().open(Media(path=film)) as track:
        # the items of frames 5, 6 and 7 lie from frames 4, 5 and 6 to the next
        assert segment_range(track, Media(path=film, start=0.16, end=0.28)) == range(4, 7)


@pytest.mark.parametrize("size", [(50, 66), (49, 65), (33, 47)])
def test_sizes_that_are_no_multiples_of_a_block(size, tmp_path):
    path = textured(tmp_path / "a.avi", "mpeg4", MPEG4, size=size)
    kind = Compressed(stream="vectors_residual", size=32, resize=40)
    with kind.open(Media(path=path)) as track:
        draw = kind.draw(track, Augment(), rng=np.random.default_rng(0))
        out = kind.prepare(kind.read(track, np.array([[0, 5, 9]]), draw), draw)

    assert out.shape == (1, 5, 3, 32, 32)
    assert out[:, :2].std() > 0


def test_an_i_frame_after_an_i_frame_takes_the_motion_after_it(tmp_path):
    path = textured(tmp_path / "a.avi", "mpeg4", MPEG4, frames=4, i_frames={0, 1})
    assert "".join(f.picture for f in read_motion(path)) == "IIPP"
    with Compressed().open(Media(path=path)) as track:
        assert track._targets.tolist() == [2, 2, 3]


# Videos without motion


def refused(media, kind=None):
    with pytest.raises(VideoError) as caught, (kind or Compressed()).open(media) as track:
        track.codes_at(np.arange(track.num_frames), resize=(32, 32))
    return caught.value


def test_a_still_is_refused_but_has_an_i_frame(tmp_path):
    path = write(tmp_path / "still.avi", "mpeg4", frames=1)

    assert "still.avi: one frame, and motion lies between two" in refused(Media(path=path)).problem
    assert read(Compressed(stream="i_frame"), path, [0]).shape == (1, 3, 48, 64)


def test_i_frames_alone_are_refused_with_a_remedy(tmp_path):
    path = tmp_path / "intra.mp4"
    path.write_bytes(encode(np.zeros((5, 32, 32, 3), np.uint8), fps=25))

    error = refused(Media(path=path))

    assert "intra.mp4: each of its 5 frames is an I-frame" in error.problem
    assert "ffmpeg -i FILE" in error.hint
    assert len(read(Compressed(stream="i_frame"), path, range(5))) == 5


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("vp9", "exports no motion vectors of vp9"),
        ("hevc", "exports no motion vectors of hevc"),
        ("h264-b", "may be predicted from|is a B-frame"),
        ("mpeg4-b-avi", "is a B-frame"),
        ("h264-rotated-90", "stored turned or mirrored"),
    ],
)
def test_videos_whose_motion_cannot_be_traced_are_refused(kind, problem, tmp_path):
    error = refused(Media(path=make(tmp_path, kind)))

    assert any(part in error.problem for part in problem.split("|"))
    assert "ffmpeg -i FILE -map 0:V:0 -c:v mpeg4" in error.hint


def test_what_is_no_file_is_refused(tmp_path):
    cases = {
        "a folder of frames": tmp_path,
        "frames in memory": torch.zeros(4, 3, 32, 32, dtype=torch.uint8),
        "a live video": "camera:0",
    }
    for problem, path in cases.items():
        error = refused(Media(path=path))
        assert problem in error.problem
        assert "the file of a video" in error.hint
    (tmp_path / "present.avi").touch()
    absent = refused(Media(path=tmp_path / "presnet.avi"))
    assert "presnet.avi: no such file" in absent.problem
    assert "did you mean" in absent.hint
    assert "the file is empty" in refused(Media(path=tmp_path / "present.avi")).problem


def test_bytes_are_a_file(film):
    assert torch.equal(read(Compressed(), film.read_bytes(), [3]), read(Compressed(), film, [3]))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"stream": "iframe"}, "there is no stream 'iframe'"),
        ({"bound": 0.0}, "bound = 0.0 cannot clip"),
        ({"bound": float("nan")}, "bound = nan cannot clip"),
        ({"frame_size": (256, 0)}, "is not a height and a width"),
        ({"frame_size": (256,)}, "is not a height and a width"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes, problem):
    with pytest.raises(RecipeError, match=problem):
        Compressed(**changes)


def test_colours_cannot_be_jittered(film):
    with (
        Compressed(size=32, resize=32).open(Media(path=film)) as track,
        pytest.raises(RecipeError, match="cannot be jittered"),
    ):
        Compressed(size=32, resize=32).draw(
            track, Augment(brightness=0.5), rng=np.random.default_rng(0)
        )
