"""Videos of pictures: complete or not there."""

import av
import numpy as np
import pytest

from zoopraxis.errors import VideoError
from zoopraxis.video import open_video, write_video

PICTURE = np.full((48, 64, 3), 90, np.uint8)
TIMES = (0.0, 0.04, 0.2)


def test_times_size_and_metadata(tmp_path):
    out = write_video(
        tmp_path / "new" / "10:30.mp4",
        ((time, PICTURE) for time in TIMES),
        fps=25,
        metadata={"comment": '{"a": 1}'},
    )

    with open_video(out) as video:
        np.testing.assert_allclose(video.timestamps, TIMES, atol=1e-3)
        assert (video.height, video.width, video.codec) == (48, 64, "h264")
        assert (video.frames_at([0]).float() - 90).abs().max() < 4
    with out.open("rb") as file, av.open(file) as container:
        assert container.metadata["comment"] == '{"a": 1}'


def test_pictures_that_fail_leave_nothing(tmp_path):
    def pictures():
        yield 0.0, PICTURE
        raise VideoError("b.mp4: frame 1 is damaged", "copy it again")

    (tmp_path / "a.mp4").write_bytes(b"before")
    with pytest.raises(VideoError, match="frame 1 is damaged"):
        write_video(tmp_path / "a.mp4", pictures(), fps=25)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.mp4", b"before")]
