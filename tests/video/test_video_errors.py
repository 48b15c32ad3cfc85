"""Invalid input raises a `VideoError` that names it; damage is never concealed."""

import contextlib
import http.server
import io
import os
import random
import socket
import struct
import threading
import time
import zlib

import av
import cv2
import numpy as np
import pytest
import torch

from videos import HEIGHT, WIDTH, X264, make, numbered_frame, numbers_of, write, write_sound
from zoopraxis.errors import VideoError
from zoopraxis.video import ArrayVideo, live_frames, open_video
from zoopraxis.video._images import FolderVideo
from zoopraxis.video._input import demuxed, reworded_errors
from zoopraxis.video._live import grab


def missing(folder):
    make(folder, "gif")
    return folder / "gig.gif"


def empty(folder):
    path = folder / "empty.mp4"
    path.touch()
    return path


def text(folder):
    path = folder / "text.mp4"
    path.write_text("This is no video.\n" * 99)
    return path


def terminal_text(folder):
    path = folder / "notes.txt"  # FFmpeg would play it as a terminal recording
    path.write_text("This is no video.\n" * 99)
    return path


def noise(folder):
    path = folder / "noise.mp4"
    path.write_bytes(random.Random(0).randbytes(4000))
    return path


def folder_without_images(folder):
    text(folder)
    return folder


def audio_only(folder):
    return write_sound(folder / "sound.mp4")


def no_packet_table(folder):
    return cut(make(folder, "h264-b"))


def cut_mp4(folder):
    return cut(write(folder / "a.mp4", options=X264, container={"movflags": "+faststart"}))


def cut_mkv(folder):
    return cut(write(folder / "a.mkv", options=X264, frames=100))


def cut_avi(folder):
    return cut(write(folder / "a.avi", "mpeg4"))


def cut_flv(folder):
    return cut(write(folder / "a.flv", options=X264, frames=100))


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    return path


def no_frames(folder):
    path = make(folder, "h264-b")
    with av.open(str(path)) as file, av.open(str(folder / "none.mkv"), "w") as out:
        out.add_stream_from_template(file.streams.video[0])
        out.start_encoding()
    return folder / "none.mkv"


def no_decodable_frames(folder):
    path = make(folder, "mpeg4-b-avi")
    with av.open(str(path)) as file:
        packets = [(p.pos + 8, p.size) for p in file.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for start, size in packets:
        data[start : start + size] = bytes(size)
    path.write_bytes(data)
    return path


def unknown_codec(folder):
    path = make(folder, "h264-b")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))
    return path


def pipe(folder):
    os.mkfifo(folder / "pipe.mp4")
    return folder / "pipe.mp4"


@pytest.mark.parametrize(
    ("make_file", "problem", "advice"),
    [
        (missing, "no such file", "did you mean .*gif.gif"),
        (empty, "empty", "download it again"),
        (text, "text, not a video", "copy or download"),
        (terminal_text, "text, not a video", "pass a video"),
        (noise, "not a video format that FFmpeg recognises", "download it again"),
        (folder_without_images, "no images", "frames are files ending in"),
        (audio_only, "no video stream; its streams are: 0 audio", "file that contains video"),
        (no_packet_table, "truncated or damaged", "copy or download it again"),
        (cut_mp4, "truncated or damaged: its packet table points to byte", "download it again"),
        (cut_avi, "truncated or damaged", "copy or download it again"),
        (cut_mkv, "truncated or damaged: its header declares", "copy or download it again"),
        (cut_flv, "truncated or damaged", "copy or download it again"),
        (no_frames, "ends before the first frame", "copy or download it again"),
        (no_decodable_frames, "holds no frame that can be decoded", "copy or download it again"),
        (unknown_codec, "no decoder", "convert it"),
        (pipe, "not a regular file", "pass a file"),
    ],
)
def test_says_what_is_wrong_and_what_to_do(make_file, problem, advice, tmp_path):
    path = make_file(tmp_path)
    with pytest.raises(VideoError, match=f"^{path}: .*{problem}") as raised:
        open_video(path)
    assert raised.match(advice)


def test_says_that_permission_is_denied(tmp_path):
    path = make(tmp_path, "gif")
    path.chmod(0)
    with not_root(), pytest.raises(VideoError, match="cannot be opened: Permission denied"):
        open_video(path)


@contextlib.contextmanager
def not_root():
    """Become nobody if root, whom file permissions do not restrict."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(user)


@pytest.mark.parametrize("indices", [40, -1, [3, 99]])
def test_rejects_indices_out_of_range(indices, tmp_path):
    with (
        open_video(make(tmp_path, "gif")) as video,
        pytest.raises(VideoError, match=r"gif.gif: frame (40|-1|99) .* 40 frames \(0 to 39\)"),
    ):
        video.frames_at(indices)


def test_rejects_invalid_indices_and_sizes(tmp_path):
    with open_video(make(tmp_path, "gif")) as video:
        with pytest.raises(VideoError, match="integers, not float64"):
            video.frames_at([1.5])
        with pytest.raises(VideoError, match="cannot resize to 0"):
            video.frames_at([1], resize=0)


@pytest.mark.parametrize(
    "size", [-1, 1.5, "128", (64,), (1, 2, 3), (1.5, 2.5), (0, 5), float("nan"), 10**6, (9, 10**6)]
)
def test_rejects_sizes_that_are_none(size, tmp_path):
    with open_video(np.zeros((2, 3, 8, 8), np.uint8)) as video:
        with pytest.raises(VideoError, match="array: cannot resize to"):
            video.frames_at([1], resize=size)
        assert video.frames_at([1], resize=1).shape == (1, 3, 1, 1)


@pytest.mark.parametrize("indices", [[[1], [2, 3]], ["a"], None, 2**70, [True], slice(3)])
def test_rejects_indices_that_are_none(indices):
    with (
        open_video(np.zeros((2, 3, 8, 8), np.uint8)) as video,
        pytest.raises(VideoError, match="array: frame indices must"),
    ):
        video.frames_at(indices)


@pytest.mark.parametrize("decoder", ["decord", ["pyav"], None])
def test_rejects_unknown_decoders(decoder, tmp_path):
    with pytest.raises(VideoError, match="unknown decoder"):
        open_video(make(tmp_path, "gif"), decoder=decoder)


def test_a_gpu_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(VideoError, match=r"needs an NVIDIA GPU, and PyTorch finds none") as e:
        open_video(make(tmp_path, "h264-b"), decoder="cuda")
    assert "decoder='pyav'" in e.value.hint


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1e-320, "25", None])
@pytest.mark.parametrize("name", ["fps", "timeout", "seconds"])
def test_rejects_rates_and_times_that_are_not_positive(name, value, tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), numbered_frame(1))
    for video in (tmp_path, tmp_path / "1.png", np.zeros((2, 3, 8, 8), np.uint8)):
        with pytest.raises(VideoError, match=f"^{name} must be"):
            open_video(video, **{name: value})


def test_a_constructor_rejects_them_too(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), numbered_frame(1))
    with pytest.raises(VideoError, match="fps must be positive, not nan"):
        ArrayVideo(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), fps=float("nan"))
    with pytest.raises(VideoError, match="fps must be positive, not 0"):
        FolderVideo(tmp_path, fps=0, timeout=1)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3, 8, 8), np.uint16),
        np.zeros((2, 3, 8, 8), object),
        np.zeros((2, 8, 8, 3), np.uint8),
        np.zeros((0, 3, 8, 8), np.uint8),
        np.array("frames"),
    ],
)
def test_rejects_arrays_that_are_no_frames(array):
    with pytest.raises(VideoError, match=r"^array: "):
        open_video(array)


def test_reversed_channels_are_an_array_too():
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
    with open_video(frames[:, ::-1]) as video:  # BGR to RGB, by a negative stride
        assert (video.frames_at([0, 1]).numpy() == frames[:, ::-1]).all()


def test_a_closed_video_says_so(tmp_path):
    with open_video(make(tmp_path, "h264-b")) as video:
        pass
    with pytest.raises(VideoError, match="it was closed"):
        video.frames_at([3])
    with pytest.raises(VideoError, match="it was closed"):
        next(iter(video))


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [("mp4", "libx264", X264), ("avi", "mpeg4", {"g": "12"}), ("mkv", "libx264", X264)],
)
def test_only_damaged_frames_raise(suffix, codec, options, tmp_path):
    path = write(tmp_path / f"a.{suffix}", codec, options=options)
    with av.open(str(path)) as file:  # the second key frame, which the second GOP depends on
        key = [p for p in file.demux(video=0) if p.size and p.is_keyframe][1]
        position, size = key.pos, key.size
    data = bytearray(path.read_bytes())
    body = data.index(b"\0", position) + 60
    data[body : body + size // 2] = random.Random(1).randbytes(size // 2)
    path.write_bytes(data)

    with open_video(path) as video:
        assert numbers_of(video.frames_at(np.arange(9))) == list(range(9))
        assert numbers_of(video.frames_at(np.arange(24, 40))) == list(range(24, 40))
        for i in (12, 20):
            with pytest.raises(VideoError, match=rf"a.{suffix}: .*frame {i}.* is damaged"):
                video.frames_at([0, i])


@pytest.mark.parametrize("kind", ["mpeg4-b-mp4", "mpeg4-b-avi"])
def test_a_frame_that_cannot_be_decoded_stays_in_the_index(kind, tmp_path):
    # These are indexed by decoding: what raises then is not to be gone without a trace.
    path = make(tmp_path, kind)
    with av.open(str(path)) as file:
        packets = [p for p in file.demux(video=0) if p.size]
        body = bytes(next(p for p in packets[12:] if not p.is_keyframe))
    data = path.read_bytes()
    assert data.count(body) == 1
    half = len(body) // 2
    path.write_bytes(data.replace(body, body[:half] + b"\xff" * (len(body) - half)))

    with open_video(path) as video:
        assert len(video) == 40
        assert numbers_of(video.frames_at(np.arange(9))) == list(range(9))
        assert numbers_of(video.frames_at(np.arange(26, 40))) == list(range(26, 40))
        with pytest.raises(VideoError, match=rf"{path.name}: .*frame 1\d,? .*damaged"):
            list(video)


def test_data_after_the_last_macroblock_of_h264_raise(tmp_path):
    # Without CABAC nothing else tells that a flipped bit has ended a picture too early.
    path = make(tmp_path, "h264-raw")
    data = path.read_bytes()
    starts = [at for at in range(len(data)) if data[at : at + 4] == b"\0\0\1\x41"]  # of P
    end = data.index(b"\0\0\1", starts[3] + 4)
    path.write_bytes(data[: end - 1] + b"\x55\x55\x80" + data[end - 1 :])
    with (
        pytest.raises(VideoError, match=r"h264-raw.h264: .*frame \d+,? .*damaged"),
        open_video(path) as video,
    ):
        list(video)


def size_of_segment(data):
    at = data.index(b"\x18\x53\x80\x67") + 4
    return data[: at + 4] + b"\x7f" + data[at + 5 :], "it ends at byte .*, and at byte .* by its"


def sum_of_tracks(data):
    at = data.index(b"\xb0\x81\x40\xba\x81\x30")  # a width of 64 pixels, a height of 48
    return data[: at + 2] + b"\x60" + data[at + 3 :], "the check sum at byte .* is not that"


def element_of_cluster(data):
    at = data.index(b"\xa3", data.index(b"\xe7", data.index(b"\x1f\x43\xb6\x75")))
    return data[:at] + b"\xa5" + data[at + 1 :], f"no element of a cluster at byte {at:,}"


def number_of_track(data):
    with av.open(io.BytesIO(data)) as file:
        body = bytes([p for p in file.demux(video=0) if p.size][20])
    at = data.index(body) - 4  # before a number of two bytes, and one of flags
    return data[:at] + b"\x83" + data[at + 1 :], "the frame at byte .* is of track 3"


@pytest.mark.parametrize(
    "spoil", [size_of_segment, sum_of_tracks, element_of_cluster, number_of_track]
)
def test_elements_of_matroska_that_do_not_fit_together_are_named(spoil, tmp_path):
    path = write(tmp_path / "a.mkv", options=X264)
    with open_video(path) as video:
        assert len(video) == 40
    bad, problem = spoil(path.read_bytes())
    path.write_bytes(bad)
    with pytest.raises(VideoError, match=f"a.mkv: the file is truncated or damaged: .*{problem}"):
        open_video(path)


def test_a_change_of_frame_size_raises_unless_resized(tmp_path):
    wide, tall = write(tmp_path / "a.m2v", "mpeg2video"), tmp_path / "b.m2v"
    write(tall, "mpeg2video", rotation=90)  # a raw stream does not store its rotation
    both = tmp_path / "both.m2v"
    both.write_bytes(wide.read_bytes() + tall.read_bytes())
    with open_video(both) as video:
        assert 78 <= video.num_frames <= 80  # the change itself may cost a frame
        with pytest.raises(VideoError, match="frame 60 is 48x64, but the first frame is 64x48"):
            video.frames_at([0, 60])
        assert video.frames_at([0, 60], resize=(48, 64)).shape == (2, 3, 48, 64)


def test_frames_of_a_folder_must_be_complete_and_of_one_size(tmp_path):
    for i, factor in enumerate((1, 2)):
        image = np.kron(numbered_frame(i), np.ones((factor, factor, 1), dtype=np.uint8))
        cv2.imwrite(str(tmp_path / f"{i}.png"), image)
    (tmp_path / "2.png").write_bytes(b"not an image")
    with open_video(tmp_path) as video:
        with pytest.raises(VideoError, match=r"1.png: 128x96, but the first frame is 64x48"):
            video.frames_at([0, 1])
        with pytest.raises(VideoError, match=r"2.png: not a complete image"):
            video.frames_at([2])


def png(width, height):
    """Header of an image of a size, and nothing to fill it."""

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(9))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("size", [(9000, 9000), (16000, 16000), (40000, 40000), (1 << 20, 2)])
def test_large_images_are_refused_by_their_header(size, tmp_path):
    path = tmp_path / "1.png"
    path.write_bytes(png(*size))
    for video in (tmp_path, path, path.read_bytes()):
        with pytest.raises(VideoError, match="67,108,864 pixels") as raised:
            open_video(video)
        assert raised.match("1.png|bytes")
        assert raised.match("make them smaller")


def test_a_large_video_is_refused_by_its_header(tmp_path):
    path = write(tmp_path / "a.avi", "rawvideo", frames=2, pix_fmt="bgr24")
    data = path.read_bytes()
    size, large = struct.pack("<2i", WIDTH, -HEIGHT), struct.pack("<2i", 9000, -9000)
    assert size in data  # a negative height says that rows are stored from the top
    path.write_bytes(data.replace(size, large))
    with pytest.raises(VideoError, match="9000x9000"):
        open_video(path)


def late_stream(folder):
    """Write a transport stream in which sound begins after FFmpeg has looked for streams."""
    silent = make(folder, "h264-ts").read_bytes()
    sound = write(folder / "sound.ts", options=X264, frames=10, audio=True).read_bytes()
    path = folder / "late.ts"
    path.write_bytes(silent * 60 + sound)
    return path


def test_a_stream_that_begins_late_is_ignored(tmp_path):
    path = late_stream(tmp_path)
    with open_video(path) as video:
        assert video.num_frames > 40
        assert numbers_of(video.frames_at([0, 7])) == [0, 7]


@pytest.mark.parametrize("ended", [True, False])
def test_streams_that_pyav_does_not_know(ended, tmp_path):
    # PyAV counts the streams when it opens a file, and indexes beyond them at its end.
    class Container:
        def demux(self, *streams):
            yield av.Packet(5)
            if ended:
                yield av.Packet()
            raise IndexError("list index out of range")

    def read():
        with reworded_errors("late.ts", "late.ts", 60):
            return [packet.size for packet in demuxed(Container())]

    if ended:
        assert read() == [5, 0]
    else:
        with pytest.raises(VideoError, match=r"late\.ts: its streams are not those"):
            read()


@pytest.mark.parametrize("kind", ["h264-ts", "mpeg2-b-ts", "mpeg1-b", "h264-b", "hevc", "gif"])
def test_damage_anywhere_raises_nothing_else(kind, tmp_path):
    data = make(tmp_path, kind).read_bytes()
    for seed in range(12):
        rng = random.Random(seed)
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 20, 300))):
            damaged[rng.randrange(len(data))] = rng.randrange(256)
        if seed % 3 == 0:
            del damaged[rng.randrange(len(data)) :]
        with contextlib.suppress(VideoError), open_video(bytes(damaged) or b"\0") as video:
            with contextlib.suppress(VideoError):
                list(video)
            video.frames_at([video.num_frames - 1, 0])


@contextlib.contextmanager
def silent_server():
    """Accept connections and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a.mp4"


def test_opening_times_out(tmp_path):
    with silent_server() as url, pytest.raises(VideoError, match=f"^{url}: no answer within 0.5"):
        open_video(url, timeout=0.5)


def test_decoding_times_out(tmp_path):
    with open_video(make(tmp_path, "h264-b")) as video:
        video.timeout = 0.0
        with pytest.raises(VideoError, match="not read within 0 s"):
            video.frames_at([30])


def test_what_is_done_with_a_frame_does_not_count_as_reading_it():
    with open_video(np.zeros((3, 3, 8, 8), np.uint8), timeout=1) as video:
        for number, _ in enumerate(video):
            if number == 0:
                time.sleep(1.5)
    assert number == 2


def test_the_time_limit_reaches_every_kind_of_video(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), numbered_frame(1))
    for video in (tmp_path, tmp_path / "1.png", np.zeros((2, 3, 8, 8), np.uint8)):
        with open_video(video, timeout=7) as opened:
            assert opened.timeout == 7


def test_reads_from_a_server_that_cannot_seek(tmp_path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *arguments):
            pass

    make(tmp_path, "h264-open-gop-mkv")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        with open_video(address + "h264-open-gop-mkv.mkv") as video:
            assert numbers_of(video.frames_at([33, 2, 17])) == [33, 2, 17]
        with pytest.raises(VideoError, match="404"):
            open_video(address + "none.mp4")
        server.shutdown()


def test_live_frames_arrive_in_order(tmp_path):
    path = str(make(tmp_path, "h264-ts"))
    times, frames = zip(*live_frames(path), strict=True)
    np.testing.assert_allclose(times, np.arange(40) / 25, atol=1e-6)
    assert [numbers_of(f[None])[0] for f in frames] == list(range(40))


def test_a_live_video_is_recorded_for_a_duration(tmp_path):
    video = grab(str(make(tmp_path, "h264-ts")), seconds=0.39, timeout=60)
    assert numbers_of(video.frames_at(np.arange(video.num_frames))) == list(range(10))
    assert video.fps == pytest.approx(25)


@pytest.mark.parametrize("camera", ["camera:97", "camera:front", "/dev/video97"])
def test_a_missing_camera_raises(camera):
    with pytest.raises(VideoError, match=f"^{camera}: "):
        open_video(camera)
