"""Live videos: predictions roll with the frames, and a slow network loses time, not the present."""

import json
import threading

import pytest
import torch
from torch import nn

from colours import MeanColour, colours, opened
from videos import write
from zoopraxis.errors import VideoError
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.prediction import live
from zoopraxis.prediction.live import Frame, Waiting, predict_live
from zoopraxis.video import live_frames, open_video


def test_live_predictions_roll_with_the_frames(tmp_path):
    path = write(tmp_path / "numbers.mp4", frames=40)
    clip = ClipSpec(
        sampling=Sampling(num_frames=2),
        input=RGB(resize=(48, 64), size=48, mean=(0.0,), std=(1.0,)),
    )
    net = opened(MeanColour(), "colours", clip, ("red", "green", "blue"))
    found = list(predict_live(str(path), net, window=0.4, step=0.4))
    # a convention is of whole videos: a window is sampled by our own rule
    twice = net.with_clip(convention="tsm_twice")
    assert list(predict_live(str(path), twice, window=0.4, step=0.4)) == found
    # the first window ends at frame 10 (0.4 s), then one each 0.4 s to frame 39
    ends = [prediction.times[0][1] for prediction in found]
    assert ends == pytest.approx([0.4, 0.8, 1.2])
    starts = [prediction.times[0][0] for prediction in found]
    assert starts == pytest.approx([0.0, 0.4, 0.8])
    # the centre two of the eleven frames that each window holds
    with open_video(path) as video:
        frames = video.frames_at([14, 15], resize=(48, 64))[..., 8:56]
    expected = frames.float().mean(dim=(0, 2, 3)) / 255
    torch.testing.assert_close(found[1].logits[0], expected, rtol=1e-4, atol=1e-4)
    assert [(prediction.lag, prediction.dropped) for prediction in found] == [(0.0, 0)] * 3


class Camera:
    """Frames of a file as a camera gives them: by a clock that nothing but the test moves."""

    def __init__(self, path):
        self.frames = list(live_frames(str(path)))
        self.now = 0.0
        self.given = self.read = 0
        self.changed = threading.Condition()

    def give(self, count, *, wait=True):
        """Let the time of so many frames pass, and wait until the reader has had them all."""
        with self.changed:
            self.given += count
            self.changed.notify_all()
            if wait:
                assert self.changed.wait_for(lambda: self.read >= self.given, timeout=60)

    def __call__(self, video):
        for number, (time, frame) in enumerate([*self.frames, (0.0, None)]):
            with self.changed:
                self.read = number  # the reader asks for this one: it is done with the others
                self.changed.notify_all()
                if frame is None:
                    return
                assert self.changed.wait_for(lambda wanted=number: self.given > wanted, timeout=60)
                self.now = time
            yield time, frame


class Slow(nn.Module):
    """A network during each of whose answers so many frames arrive."""

    def __init__(self, camera, frames):
        super().__init__()
        self.camera, self.frames = camera, iter(frames)
        self.colour = MeanColour()

    def forward(self, x):
        self.camera.give(next(self.frames, 0))
        return self.colour(x)


CLIP = ClipSpec(
    sampling=Sampling(num_frames=2),
    input=RGB(resize=(48, 64), size=48, mean=(0.0,), std=(1.0,)),
)


def watch(path, monkeypatch, *, first, then, **settings):
    """Predictions of a camera of 25 frames a second."""
    camera = Camera(path)
    monkeypatch.setattr(live, "live_frames", camera)
    net = opened(Slow(camera, then), "slow", CLIP, ("red", "green", "blue"))
    found = predict_live(
        "camera:0", net, window=0.4, step=0.4, clock=lambda: camera.now, **settings
    )
    camera.give(first, wait=False)
    return found


def test_a_slow_network_sees_the_newest_frames_and_says_what_it_missed(tmp_path, monkeypatch):
    path = write(tmp_path / "numbers.mp4", frames=120)
    # so many frames come during the first answer and the second
    found = list(watch(path, monkeypatch, first=11, then=[50, 59]))

    ends = [prediction.times[0][1] for prediction in found]
    starts = [prediction.times[0][0] for prediction in found]
    assert ends == pytest.approx([0.4, 60 / 25, 119 / 25])
    assert starts == pytest.approx([0.0, 50 / 25, 109 / 25])  # a whole window each time
    assert [p.lag for p in found] == pytest.approx([50 / 25, 59 / 25, 0.0])
    # of frames 11 to 60 the last 11 were looked at, and of frames 61 to 119
    assert [p.dropped for p in found] == [0, 39, 39 + 48]


def test_a_fast_network_drops_nothing(tmp_path, monkeypatch):
    path = write(tmp_path / "numbers.mp4", frames=40)
    found = list(watch(path, monkeypatch, first=11, then=[10, 10, 9]))
    assert [p.times[0][1] for p in found] == pytest.approx([0.4, 0.8, 1.2])
    assert [p.dropped for p in found] == [0, 0, 0]


def test_json_tells_lag_and_dropped_frames_of_live_videos_only(tmp_path, monkeypatch):
    path = write(tmp_path / "numbers.mp4", frames=40)
    (first, *_) = watch(path, monkeypatch, first=11, then=[29])
    found = json.loads(first.to_json())
    assert (found["lag"], found["dropped"]) == (pytest.approx(29 / 25), 0)


def test_errors_of_the_reader_are_raised_where_frames_are_awaited(tmp_path):
    with pytest.raises(VideoError, match=r"none\.mp4"):
        list(predict_live(str(tmp_path / "none.mp4"), colours()))


def test_a_video_shorter_than_a_window_is_no_silence(tmp_path):
    path = write(tmp_path / "short.mp4", frames=5)
    with pytest.raises(VideoError, match=r"ended after 0\.16 s, and a window is 2 s"):
        list(predict_live(str(path), colours(), window=2.0))


def test_leaving_early_ends_the_reader(tmp_path):
    path = write(tmp_path / "numbers.mp4", frames=40)
    found = predict_live(str(path), colours(), window=0.2)
    next(found)
    found.close()
    assert not [t for t in threading.enumerate() if t.name == f"frames of {path}"]


def frame(time):
    return Frame(time, time, torch.zeros(3, 2, 2, dtype=torch.uint8))


def test_the_newest_frames_wait():
    waiting = Waiting(size=3, drop=True)
    for time in range(5):
        assert waiting.put(frame(time))
    assert [f.time for f in waiting.take()] == [2, 3, 4]
    assert waiting.dropped == 2
    waiting.end()
    assert waiting.take() == []


def test_frames_before_an_error_are_taken():
    waiting = Waiting(size=3, drop=True)
    waiting.put(frame(0))
    waiting.end(VideoError("unplugged"))
    assert len(waiting.take()) == 1
    with pytest.raises(VideoError, match="unplugged"):
        waiting.take()


def test_nobody_takes_any_more():
    waiting = Waiting(size=1, drop=False)
    assert waiting.put(frame(0))
    waiting.close()
    assert not waiting.put(frame(1))
