"""Videos inside tar files: the same frames as from the file, and errors that name what is wrong."""

import json
import os
import tarfile

import numpy as np
import pytest

from videos import KINDS, make, numbers_of, write
from zoopraxis.errors import VideoError
from zoopraxis.video import file_of, find_member, open_motion, open_video


def tar(path, *files, form=tarfile.PAX_FORMAT, mode="w"):
    with tarfile.open(path, mode, format=form) as out:
        for name, file in files:
            out.add(file, name)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_gives_the_frames_of_its_file(kind, tmp_path):
    source = make(tmp_path, kind)
    other = write(tmp_path / "other.mp4", frames=3)
    archive = tar(tmp_path / "s.tar", ("b/first.mp4", other), (source.name, source), ("z", other))

    with open_video(source) as file, open_video(f"{archive}::{source.name}") as member:
        np.testing.assert_array_equal(member.timestamps, file.timestamps)
        indices = [min(30, file.num_frames - 1), 0]
        np.testing.assert_array_equal(member.arrays_at(indices), file.arrays_at(indices))
        assert member.codec == file.codec
        assert member.name == f"{archive}::{source.name}"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_of_every_form(form, tmp_path):
    name = f"{'folder' * 12}/{'clip' * 20}.mp4"
    archive = tar(tmp_path / "s.tar", (name, write(tmp_path / "a.mp4", frames=5)), form=form)

    with open_video(f"{archive}::{name}") as video:
        assert numbers_of(video.frames_at([4, 1])) == [4, 1]


def test_motion_vectors_of_a_member(tmp_path):
    archive = tar(tmp_path / "s.tar", ("a.avi", make(tmp_path, "mpeg4")))

    with open_motion(f"{archive}::a.avi") as video:
        assert video.num_frames == 40


def test_a_damaged_member_is_named(tmp_path):
    video = write(tmp_path / "a.mp4")
    video.write_bytes(video.read_bytes()[:-3000])
    archive = tar(tmp_path / "s.tar", ("a.mp4", video), ("b.mp4", write(tmp_path / "b.mp4")))

    with pytest.raises(VideoError, match=r"s\.tar::a\.mp4"):
        open_video(f"{archive}::a.mp4")


def test_what_is_not_there_is_named_with_what_is(tmp_path):
    archive = tar(tmp_path / "s.tar", ("jump.mp4", write(tmp_path / "a.mp4", frames=3)))

    with pytest.raises(VideoError, match="has no such member") as caught:
        open_video(f"{archive}::jum.mp4")
    assert caught.value.hint == "did you mean jump.mp4?"
    with pytest.raises(VideoError, match=r"t\.tar cannot be read: No such file"):
        open_video(f"{tmp_path}/t.tar::jump.mp4")
    tar(tmp_path / "z.tar", ("jump.mp4", tmp_path / "a.mp4"), mode="w:gz")
    with pytest.raises(VideoError, match=r"z\.tar is damaged, or has changed"):
        open_video(f"{tmp_path}/z.tar::jump.mp4")


def test_an_index_is_believed_only_where_it_fits_the_file(tmp_path):
    file = write(tmp_path / "a.mp4", frames=3)
    archive = tar(tmp_path / "s.tar", ("a.mp4", file))
    _, offset, size = find_member(f"{archive}::a.mp4")
    index = tmp_path / "shards.json"

    def of(name, start, length):
        members = {name: [start, length]}
        index.write_text(json.dumps({"shards": [{"file": "s.tar", "videos": members}]}))
        return find_member(f"{archive}::{name}")

    assert of("a.mp4", offset, size) == (archive, offset, size)
    with pytest.raises(VideoError, match="damaged, or has changed") as caught:
        of("other.mp4", offset + 512, size)
    assert "--index" in caught.value.hint
    with pytest.raises(VideoError, match="has changed since it was indexed"):
        of("third.mp4", offset, size - 1)
    index.write_text("[]")
    with pytest.raises(VideoError, match=r"shards\.json is no index"):
        find_member(f"{archive}::a.mp4")


def test_a_tar_file_that_is_written_again_is_read_again(tmp_path):
    archive = tmp_path / "s.tar"
    for frames in (3, 7):
        tar(archive, ("a.mp4", write(tmp_path / "a.mp4", frames=frames)))
        with open_video(f"{archive}::a.mp4") as video:
            assert video.num_frames == frames


def test_only_a_tar_file_has_members():
    assert find_member("a.mp4") is None
    assert find_member("a::b.mp4") is None
    assert file_of("in/a.mp4") == "in/a.mp4"
    assert file_of("in/s.tar::run/a.mp4") == "in/s.tar"


def test_offsets_beyond_four_gigabytes(tmp_path):
    file = write(tmp_path / "a.mp4", frames=3)
    archive = tmp_path / "s.tar"
    hole, header = tarfile.TarInfo("hole.bin"), tarfile.TarInfo("a.mp4")
    hole.size, header.size = 5 * 2**30, file.stat().st_size
    with archive.open("wb") as out:  # what is not written takes no room on the disk
        out.write(hole.tobuf(tarfile.PAX_FORMAT))
        out.seek(hole.size, os.SEEK_CUR)
        out.write(header.tobuf(tarfile.PAX_FORMAT) + file.read_bytes())
        out.write(bytes(-header.size % 512 + 1024))

    with open_video(f"{archive}::a.mp4") as video:
        assert numbers_of(video.frames_at([2, 0])) == [2, 0]
