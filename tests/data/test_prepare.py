"""Public data sets in the layout they are distributed in, made small."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat
from typer.testing import CliRunner

from videos import write
from zoopraxis.cli import app
from zoopraxis.data.examine import examine_videos, read_index, write_index
from zoopraxis.data.labels import label_names
from zoopraxis.data.pairs import read_pairs
from zoopraxis.data.prepare import Count, prepare_videos
from zoopraxis.data.samples import read_samples
from zoopraxis.data.sets import VIDEO_SETS
from zoopraxis.errors import DataError


def touch(root, *names):
    """Make files: what prepares a set looks at names alone."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def frames(root, *names):
    touch(root, *(f"{name}/{number:05d}.jpg" for name in names for number in (1, 2)))


def text(root, name, *lines):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("".join(f"{line}\n" for line in lines))


def kinetics(root):
    head = "label,youtube_id,time_start,time_end,split"
    text(root, "annotations/train.csv", head, "abseiling,a-_b1234567,3,13,train", "zumba,c,0,10,t")
    text(root, "annotations/val.csv", head, "zumba,d,100,110,validate")
    text(root, "annotations/test.csv", "youtube_id,time_start,time_end,split", "e,1,11,test")
    touch(root, "train/abseiling/a-_b1234567_000003_000013.mp4", "val/d.mkv")
    touch(root, "test/e_000001_000011.mp4")


def minikinetics(root):
    kinetics(root)
    text(root, "train_ytid_list.txt", "d")
    text(root, "val_ytid_list.txt", "a-_b1234567")


def ucf101(root):
    a, b = ("Archery/v_Archery_g01_c01.avi", "Archery/v_Archery_g02_c01.avi")
    for split in (1, 2, 3):
        first, second = (a, b) if split < 3 else (b, a)
        text(root, f"ucfTrainTestlist/trainlist{split:02d}.txt", f"{first} 3")
        text(root, f"ucfTrainTestlist/testlist{split:02d}.txt", second)
    touch(root, f"UCF-101/{a}", f"UCF-101/{b}")


def hmdb(root):
    for split in (1, 2, 3):
        text(root, f"splits/wave_test_split{split}.txt", "x#1_wave.avi 1 ", "y.avi 2 ", "z.avi 0 ")
        text(root, f"splits/clap_test_split{split}.txt", "y.avi 1 ", "w.avi 2 ")
    touch(root, "videos/wave/x#1_wave.avi", "videos/wave/y.avi", "videos/clap/y.avi")


def ssv1(root):
    text(root, "something-something-v1-train.csv", "7;Holding something", "8;Opening something")
    text(root, "something-something-v1-validation.csv", "9;Opening something")
    text(root, "something-something-v1-test.csv", "10")
    frames(root, "20bn-something-something-v1/7", "20bn-something-something-v1/9")


def ssv2(root):
    rows = [{"id": "7", "label": "holding potato", "template": "Holding [something]"}]
    text(root, "labels/train.json", json.dumps(rows))
    text(root, "labels/validation.json", json.dumps([{**rows[0], "id": "8"}]))
    text(root, "labels/test.json", json.dumps([{"id": "9"}]))
    touch(root, "20bn-something-something-v2/7.webm", "20bn-something-something-v2/8.webm")


def jester(root):
    text(root, "jester-v1-train.csv", "1;Swiping Left", "2;Swiping Right")
    frames(root, "20bn-jester-v1/1", "20bn-jester-v1/2")


def diving48(root, version="V2_"):
    dive = {"vid_name": "_8Vy3dlHg2w_00000", "label": 12, "start_frame": 0, "end_frame": 133}
    text(root, f"Diving48_{version}train.json", json.dumps([dive]))
    text(root, f"Diving48_{version}test.json", json.dumps([{**dive, "vid_name": "b"}]))
    touch(root, "rgb/_8Vy3dlHg2w_00000.mp4", "rgb/b.mp4")


def epic55(root):
    head = (
        "uid,participant_id,video_id,narration,start_timestamp,stop_timestamp,verb_class,noun_class"
    )
    row = "0,P01,P01_01,open door,00:00:00.14,00:01:03.37,2,8"
    text(root, "annotations/EPIC_train_action_labels.csv", head, row)
    touch(root, "P01/P01_01.MP4")


def epic100(root):
    head = "narration_id,video_id,start_timestamp,stop_timestamp,verb_class,noun_class"
    text(root, "EPIC_100_train.csv", head, "P01_11_0,P01_11,01:00:00.560,01:00:01.89,0,2")
    text(root, "EPIC_100_validation.csv", head, "P02_01_0,P02_01,00:00:01.00,00:00:02.00,1,0")
    touch(root, "P01/videos/P01_11.MP4", "P02/videos/P02_01.MP4")


def charades(root):
    text(root, "Charades_v1_classes.txt", "c000 Holding some clothes", "c001 Putting clothes")
    head = "id,subject,scene,actions,length"
    text(root, "Charades_v1_train.csv", head, "46GP8,HR43,Kitchen,c001 11.90 21.20;c000 0 5,24")
    text(root, "Charades_v1_test.csv", head, "N11GT,0KZ7,Den,,30")
    touch(root, "Charades_v1_480/46GP8.mp4", "Charades_v1_480/N11GT.mp4")


def activitynet(root):
    act = {"segment": [1.5, 20.0], "label": "BMX"}
    database = {
        "sJFgo9H6zNo": {"subset": "training", "annotations": [act, {**act, "segment": [30, 40]}]},
        "b": {"subset": "validation", "annotations": [act]},
        "c": {"subset": "testing", "annotations": []},
    }
    text(root, "activity_net.v1-3.min.json", json.dumps({"database": database}))
    touch(root, "v1-3/v_sJFgo9H6zNo.mp4", "v1-3/v_b.mp4", "v1-3/v_c.mkv")


def sports1m(root):
    text(root, "labels.txt", "running", "curling", "judo")
    at = "https://www.youtube.com/watch?v="
    text(root, "original/train_partition.txt", *(f"{at}a{n} 1,2" for n in range(16)))
    text(root, "original/test_partition.txt", f"{at}t 0")
    touch(root, *(f"a{n}.mp4" for n in range(16)), "t.webm")


def ava(root):
    box = "0.077,0.151,0.283,0.811"
    lines = (f"-5KQ66BBWC4,0902,{box},{action},1" for action in (80, 12, 2))
    text(root, "annotations/ava_train_v2.2.csv", *lines, f"b,0903,{box},12,0", f"c,0903,{box},2,0")
    text(root, "annotations/ava_val_v2.2.csv", "d,1000,0.1,0.2,0.3,0.4,79,7")
    text(root, "annotations/ava_train_excluded_timestamps_v2.2.csv", "b,0903")
    text(root, "annotations/ava_val_excluded_timestamps_v2.2.csv")
    text(root, "annotations/ava_included_timestamps_v2.2.txt", "0902", "0903")
    text(root, "annotations/ava_test_v2.2.txt", "e")
    touch(root, "trainval/-5KQ66BBWC4.mkv", "trainval/b.mp4", "trainval/d.webm", "test/e.mkv")


def aslan(root):
    text(root, "Actions_Ids.txt", "1\tarms wave", "2\tball-drop ", "3 fall on ice", "4\tsit up")
    view2 = np.array([[[1, 2, 1, 1, 1], [3, 1, 0, 4, 1]], [[4, 5, 1, 2, 2], [4, 6, 0, 2, 3]]])
    savemat(root / "View2.mat", {"action_splits_pairs": np.moveaxis(view2, 0, 2).astype(float)})
    for part, pair in (("train", (7, 8, 1, 4, 4)), ("test", (5, 6, 0, 2, 3))):
        pairs = {f"{part}_pairs": np.array([pair], float)}
        savemat(root / f"{part}_pairs.mat", pairs, do_compression=True)
    touch(root, *(f"ASLAN_AVI/{number:04d}.avi" for number in (1, 2, 3, 4, 5, 7, 9)))


def moments(root):
    text(root, "trainingSet.csv", "clapping/x_1.mp4,clapping,3,0")
    text(root, "validationSet.csv", "praying/y_1.mp4,praying,3,0")
    touch(root, "training/clapping/x_1.mp4", "validation/praying/y_1.mp4")


def ntu(root):
    touch(root, "nturgb+d_rgb/S001C001P001R001A001_rgb.avi", "x/S002C002P003R001A060_rgb.avi")


def msr_depth(root):
    touch(root, "depth/a01_s01_e01_sdepth.mat", "depth/a20_s02_e03_sdepth.mat", "a_s1.mat")


def scenes(root, classes):
    touch(root, *(f"{name}/{name}_{clip}.mov" for name in map(str, classes) for clip in (1, 2)))


SETS = {
    **dict.fromkeys(("kinetics400", "kinetics600", "kinetics700"), kinetics),
    "minikinetics": minikinetics,
    "ucf101": ucf101,
    "hmdb51": hmdb,
    "jhmdb": hmdb,
    "ssv1": ssv1,
    "ssv2": ssv2,
    "jester": jester,
    "diving48": diving48,
    "diving48_v1": lambda root: diving48(root, version=""),
    **{f"epic55_{kind}": epic55 for kind in ("verbs", "nouns", "actions")},
    **{f"epic100_{kind}": epic100 for kind in ("verbs", "nouns", "actions")},
    "charades": charades,
    "activitynet": activitynet,
    "sports1m": sports1m,
    "moments": moments,
    "ava": ava,
    "aslan": aslan,
    "ntu60_rgb": ntu,
    "ntu120_rgb": ntu,
    "msr_action3d_depth": msr_depth,
    "yupenn": lambda root: scenes(root, range(14)),
    "dynamic_scenes": lambda root: scenes(root, range(13)),
}


def rows(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def prepared(name, tmp_path):
    SETS[name](tmp_path / "in")
    return prepare_videos(name, tmp_path / "in", tmp_path / "out")


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["ssv2", "jester"])
def test_the_test_part_has_the_answers_that_are_given(name, tmp_path):
    SETS[name](tmp_path / "in")
    for file in (tmp_path / "in").glob("jester-v1-*.csv"):
        file.rename(file.with_name(file.name.removeprefix("jester-v1-")))  # as of today
    label = {"ssv2": "Holding something", "jester": "Swiping Left"}[name]
    text(tmp_path / "in", "labels/test-answers.csv", f"9;{label}")
    text(tmp_path / "in", "labels/test.csv", "9")
    frames(tmp_path / "in", "frames/9")

    done = prepare_videos(name, tmp_path / "in", tmp_path / "out")

    assert done.parts["test.csv"] == Count(listed=1, found=1)
    assert [row["label"] for row in rows(tmp_path / "out" / "test.csv")] == [label]


def test_every_set_is_tried():
    assert SETS.keys() == VIDEO_SETS.keys()


@pytest.mark.parametrize("name", SETS)
def test_what_is_here_becomes_lists_that_training_reads(name, tmp_path):
    SETS[name](tmp_path / "in")
    before = contents(tmp_path / "in")

    done = prepare_videos(name, tmp_path / "in", tmp_path / "out")

    assert contents(tmp_path / "in") == before  # nothing is moved, deleted or written there
    labels = label_names(tmp_path / "out" / "labels.txt")
    assert not VIDEO_SETS[name].labels or labels == label_names(VIDEO_SETS[name].labels)
    for part, count in done.parts.items():
        if part.endswith(".csv") and not part.startswith("pairs") and count.found:
            samples = read_samples(tmp_path / "out" / part, labels=labels)
            assert len(samples) == count.found
            assert all((tmp_path / "out" / sample.path).exists() for sample in samples)


def test_kinetics(tmp_path):
    done = prepared("kinetics400", tmp_path)

    assert done.parts == {
        "train.csv": Count(listed=2, found=1),
        "val.csv": Count(listed=1, found=1),
        "test (no labels)": Count(listed=1, found=1),
    }
    (trimmed,), (whole,) = (rows(tmp_path / "out" / f"{part}.csv") for part in ("train", "val"))
    assert trimmed["path"] == "../in/train/abseiling/a-_b1234567_000003_000013.mp4"
    assert "start" not in trimmed  # a file of its own
    assert (whole["start"], whole["end"], whole["label"]) == ("100.0", "110.0", "zumba")
    assert rows(tmp_path / "out" / "missing.csv") == [{"name": "c_000000_000010", "parts": "train"}]


def test_minikinetics_is_the_lists_of_kinetics_parted_anew(tmp_path):
    done = prepared("minikinetics", tmp_path)
    assert {part: count.found for part, count in done.parts.items()} == {
        "train.csv": 1,
        "val.csv": 1,
    }
    assert rows(tmp_path / "out" / "train.csv")[0]["label"] == "zumba"


def test_three_splits_share_their_videos(tmp_path):
    done = prepared("ucf101", tmp_path)
    assert len(done.parts) == 6
    first, third = (rows(tmp_path / "out" / f"split{n}_train.csv") for n in (1, 3))
    assert first[0]["group"] == "v_Archery_g01"
    assert third[0]["group"] == "v_Archery_g02"


def test_a_name_in_two_classes_is_two_videos_and_one_in_no_part_is_none(tmp_path):
    done = prepared("hmdb51", tmp_path)
    train = rows(tmp_path / "out" / "split1_train.csv")
    assert sorted((row["path"], row["label"]) for row in train) == [
        ("../in/videos/clap/y.avi", "clap"),
        ("../in/videos/wave/x#1_wave.avi", "wave"),
    ]
    assert done.parts["split1_test.csv"] == Count(listed=2, found=1)
    assert done.missing == ("clap/w.avi", "wave/z.avi")


def test_epic_kitchens_are_segments(tmp_path):
    prepared("epic100_actions", tmp_path)
    (row,) = rows(tmp_path / "out" / "train.csv")
    assert (row["start"], row["end"], row["label"], row["group"]) == (
        "3600.56",
        "3601.89",
        "take plate",
        "P01",
    )


def test_charades_has_whole_videos_and_segments(tmp_path):
    done = prepared("charades", tmp_path)
    (video,) = rows(tmp_path / "out" / "videos_train.csv")
    assert video["label"] == "Putting clothes;Holding some clothes"
    assert [row["start"] for row in rows(tmp_path / "out" / "segments_train.csv")] == [
        "11.9",
        "0.0",
    ]
    assert done.parts["videos_test (no labels)"].found == 1  # nothing happens in it


def test_ava_is_a_clip_of_every_person(tmp_path):
    done = prepared("ava", tmp_path)
    assert done.parts == {
        "test (no labels)": Count(listed=1, found=1),
        "train.csv": Count(listed=1, found=1),  # b is excluded, and no action of c is evaluated
        "val.csv": Count(listed=1, found=1),
    }
    (train,) = read_samples(tmp_path / "out" / "train.csv", labels=label_names("ava"))
    assert train.path == str(tmp_path / "out" / "../in/trainval/-5KQ66BBWC4.mkv")
    assert (train.start, train.end) == (901, 903)
    assert train.box == (0.077, 0.151, 0.283, 0.811)
    names = [label_names("ava")[index] for index in train.label]
    assert names == ["stand", "watch (a person)"]
    assert train.group == "-5KQ66BBWC4"


def test_aslan_is_pairs_of_videos(tmp_path):
    done = prepared("aslan", tmp_path)
    assert done.parts == {
        "videos.csv": Count(listed=8, found=6),
        "pairs_view1.csv": Count(listed=2, found=0),
        "pairs_view2.csv": Count(listed=4, found=3),
    }
    assert done.missing == ("0006", "0008")  # 9 is in no pair
    assert label_names(tmp_path / "out" / "labels.txt")[2] == "fall on ice"
    videos = rows(tmp_path / "out" / "videos.csv")
    assert [row["label"] for row in videos[:4]] == ["arms wave", "arms wave", "sit up", "ball-drop"]
    pairs = read_pairs(tmp_path / "out" / "pairs_view2.csv")
    assert [(pair.same, pair.fold) for pair in pairs] == [(True, 0), (False, 0), (True, 1)]
    assert (pairs[1].first, pairs[1].second) == (videos[2]["path"], videos[0]["path"])
    names = {sample.name for sample in read_samples(tmp_path / "out" / "videos.csv")}
    assert names >= {name for pair in pairs for name in (pair.first, pair.second)}
    touch(tmp_path / "in", "0006.avi", "0008.avi")
    prepare_videos("aslan", tmp_path / "in", tmp_path / "out")
    view1 = read_pairs(tmp_path / "out" / "pairs_view1.csv")
    assert [(pair.same, pair.fold) for pair in view1] == [(True, 0), (False, 1)]


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ([[1, 2, 1, 1, 5]], "pair 1 of fold 1 is"),
        ([[1, 2, 2, 1, 1]], "pair 1 of fold 1 is"),
        ([[1, 2, 1, 1, 1], [1, 2.5, 1, 1, 1]], "pair 2 of fold 1 is"),
        ([[1, 2, 1, 1, 1], [1, 3, 0, 2, 1]], "video 0001 shows 'arms wave' in one pair"),
        ([[1, 2, 1, 1]], "has 0 matrices of pairs"),
    ],
)
def test_wrong_pairs_of_aslan_are_named(pairs, problem, tmp_path):
    aslan(tmp_path)
    savemat(tmp_path / "View2.mat", {"action_splits_pairs": np.array(pairs, float)})
    with pytest.raises(DataError, match=problem):
        prepare_videos("aslan", tmp_path, tmp_path / "out")


def test_a_fraction_of_sports1m_validates(tmp_path):
    done = prepared("sports1m", tmp_path)
    assert done.parts["train.csv"].found + done.parts["val.csv"].found == 16
    assert 0 < done.parts["val.csv"].found < 8
    assert rows(tmp_path / "out" / "train.csv")[0]["label"] == "curling;judo"


@pytest.mark.parametrize("name", ["kinetics400", "charades", "ucf101"])
def test_lists_as_parquet_say_the_same(name, tmp_path):
    prepared(name, tmp_path)
    words = ["data", "prepare", name, "--root", str(tmp_path / "in"), "--parquet"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")], catch_exceptions=False)

    assert "train.parquet" in done.stdout
    assert ".csv" not in done.stdout
    labels = label_names(tmp_path / "out" / "labels.txt")
    lists = sorted((tmp_path / "out").glob("*.parquet"))
    for file in lists:
        by_row, by_line = (
            [{**vars(s), "where": ""} for s in read_samples(path, labels=labels)]
            for path in (file, file.with_suffix(".csv"))
        )
        assert by_row == by_line
    assert len(lists) >= 2


@pytest.mark.parametrize(
    ("name", "file", "line", "problem"),
    [
        ("kinetics400", "annotations/train.csv", "zumba,c,zero,10,train", "from 'zero'"),
        ("kinetics400", "annotations/train.csv", "swinging,d,0,10,train", "a class 'swinging'"),
        ("kinetics400", "annotations/train.csv", "zumba,d", r"line 4: 2 cells"),
        ("diving48", "Diving48_V2_train.json", "]", "is not JSON"),
        ("epic100_verbs", "EPIC_100_train.csv", "n,P01_11,0:0:1,0:0:2,97,0", "verb '97'"),
        ("charades", "Charades_v1_test.csv", "a,b,c,c999 0 1,9", "c999 0 1"),
        ("sports1m", "original/test_partition.txt", "https://v=x 9", "are '9'"),
    ],
)
def test_a_wrong_list_is_named(name, file, line, problem, tmp_path):
    SETS[name](tmp_path / "in")
    with (tmp_path / "in" / file).open("a") as lines:
        lines.write(f"{line}\n")
    with pytest.raises(DataError, match=problem) as error:
        prepare_videos(name, tmp_path / "in", tmp_path / "out")
    assert VIDEO_SETS[name].home in error.value.hint or "a class" in problem
    assert not (tmp_path / "out").exists() or "a class" in problem


def test_what_is_not_here_says_where_it_is_had(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match=r"no file trainlist01\.txt") as error:
        prepare_videos("ucf101", tmp_path / "in", tmp_path / "out")
    assert "crcv.ucf.edu" in error.value.hint
    text(tmp_path / "in", "jester-v1-train.csv", "1;Swiping Left")
    with pytest.raises(DataError, match="none of the 1 videos"):
        prepare_videos("jester", tmp_path / "in", tmp_path / "out")
    with pytest.raises(DataError, match="unknown data set 'ucf100'") as error:
        prepare_videos("ucf100", tmp_path / "in", tmp_path / "out")
    assert "ucf101" in error.value.hint
    ucf101(tmp_path / "twice")
    touch(tmp_path / "twice", "copy/Archery/v_Archery_g01_c01.avi")
    with pytest.raises(DataError, match="is here 2 times"):
        prepare_videos("ucf101", tmp_path / "twice", tmp_path / "out")


def test_the_index_of_a_stopped_run_is_resumed_and_names_what_is_damaged(tmp_path):
    for split in (1, 2, 3):
        listed = [f"Archery/{name}.avi 3" for name in ("abcx" if split == 1 else "a")]
        text(tmp_path, f"ucfTrainTestlist/trainlist0{split}.txt", *listed)
        text(tmp_path, f"ucfTrainTestlist/testlist0{split}.txt", "Archery/d.avi")
    (tmp_path / "UCF-101" / "Archery").mkdir(parents=True)
    a, b, c, d = (tmp_path / "UCF-101" / "Archery" / f"{name}.avi" for name in "abcd")
    content = write(a, "mpeg4", frames=8).read_bytes()
    b.write_bytes(content[: len(content) // 8])
    write(c, "mpeg4", frames=9)
    write(d, "mpeg4", frames=10)
    index = tmp_path / "lists" / "found.parquet"
    done = prepare_videos("ucf101", tmp_path, tmp_path / "lists", suffix=".parquet")
    assert sorted(done.videos) == [str(path) for path in (a, b, c, d)]  # once each
    assert done.missing == ("Archery/x.avi",)

    def stop(count, _):
        if count == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine_videos(done.videos, index=index, workers=1, progress=stop)
    kept = read_index(index)
    assert [one.path for one in kept] == [*done.videos[:2]]
    # what is known is not opened again: a number that no video has stays
    write_index(index, [replace(one, frames=777) for one in kept])
    before = {path: path.read_bytes() for path in (a, b, c, d)}
    words = ["data", "prepare", "ucf101", "--root", tmp_path, "--parquet", "--index", index]
    words = [*map(str, words), "--workers", "2"]
    ran = CliRunner().invoke(app, words)

    assert ran.exit_code == 1
    assert "index of 4 videos" in ran.stdout
    assert "1 cannot be read: get them again from https://www.crcv.ucf.edu" in ran.stdout
    assert f"data doctor {index} --quarantine FILE" in ran.stdout
    assert f"  {b}: " in ran.stdout
    frames = {Path(one.path).name: one.frames for one in read_index(index)}
    assert frames == {"a.avi": 777, "b.avi": 777, "c.avi": 9, "d.avi": 10}
    assert {path: path.read_bytes() for path in (a, b, c, d)} == before
    # its paths are those of the lists, and the doctor of a list knows what is in it
    listed = pq.read_table(tmp_path / "lists" / "split1_train.parquet")["path"].to_pylist()
    assert {*listed} <= {*pq.read_table(index)["path"].to_pylist()}
    write(b, "mpeg4", frames=11)  # a mended one is opened again
    ran = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["unreadable"] == []
    (tmp_path / "lists" / "list.csv").write_text(f"path,label\n../{a.relative_to(tmp_path)},x\n")
    CliRunner().invoke(
        app, ["data", "doctor", str(tmp_path / "lists" / "list.csv"), "--index", str(index)]
    )
    found = {Path(one.path).name: one.frames for one in read_index(index)}
    assert found == {"a.avi": 777, "b.avi": 11, "c.avi": 9, "d.avi": 10}


def test_what_is_no_video_gets_no_index(tmp_path):
    msr_depth(tmp_path)
    words = ["data", "prepare", "msr_action3d_depth", "--root", str(tmp_path)]
    with pytest.raises(DataError, match=r"\.mat, which is no video"):
        CliRunner().invoke(
            app, [*words, "--index", str(tmp_path / "f.jsonl")], catch_exceptions=False
        )
    assert not (tmp_path / "lists").exists()


def test_the_command(tmp_path):
    jester(tmp_path)
    write(tmp_path / "more.mp4")  # what is not listed stays out

    done = CliRunner().invoke(app, ["data", "prepare", "jester", "--root", str(tmp_path), "--json"])

    assert json.loads(done.stdout) == {
        "out": str(tmp_path / "lists"),
        "parts": {"train.csv": {"listed": 2, "found": 2}},
        "missing": 0,
    }
    known = CliRunner().invoke(app, ["data", "sets", "--json"])
    assert json.loads(known.stdout).keys() == VIDEO_SETS.keys()
