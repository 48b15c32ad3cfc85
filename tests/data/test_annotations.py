"""Files as annotation tools write them, and the list that is made of them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from zoopraxis.data.annotations import Marked, read_annotations, write_fiftyone, write_segments
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError
from zoopraxis.inputs.base import segment_range
from zoopraxis.theatre.make import encode

RUN = Marked(path="a.mp4", start=1.0, end=2.5, label="run")


def write(tmp_path, text):
    file = tmp_path / "labels"
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    return file


def test_activitynet(tmp_path):
    facts = {"subset": "training", "annotations": [{"segment": [1, 2.5], "label": "run"}]}
    file = write(tmp_path, {"database": {"a.mp4": facts, "b": {"annotations": []}}})
    assert read_annotations(file, "activitynet").segments == (RUN,)


def test_activitynet_without_database_and_with_names_of_files(tmp_path):
    # as the lists of BMN and MMAction2, and FineAction's
    act = {"segment": [1, 2.5], "label": "run"}
    file = write(tmp_path, {"a.mp4": {"duration_second": 9, "annotations": [act]}})
    assert read_annotations(file, "activitynet").segments == (RUN,)
    file = write(tmp_path, {"database": {"1": {"filename": "a.mp4", "annotations": [act]}}})
    assert read_annotations(file, "activitynet").segments == (RUN,)


def test_activitynet_has_subsets(tmp_path):
    def facts(subset, *starts):
        acts = [{"segment": [start, 2.5], "label": "run"} for start in starts]
        return {"subset": subset, "annotations": acts}

    database = {
        "a.mp4": facts("training", 1),
        "b": facts("validation", 0, 1),
        "c": facts("training"),
    }
    file = write(tmp_path, {"database": database})
    found = read_annotations(file, "activitynet", subset="training")
    assert found.segments == (RUN,)
    assert found.left_out == {
        "segments of the subset 'validation'": 2,
        "videos without annotations": 1,
    }
    assert len(read_annotations(file, "activitynet").segments) == 3
    with pytest.raises(DataError, match="did you mean training"):
        read_annotations(file, "activitynet", subset="train")


def test_csv_of_any_columns(tmp_path):
    file = write(tmp_path, "clip,from,what,to\na.mp4,1,run,2.5\n")
    assert read_annotations(file, "csv", columns=("clip", "from", "to", "what")).segments == (RUN,)
    with pytest.raises(DataError, match="did you mean from"):
        read_annotations(file, "csv", columns=("clip", "frm", "to", "what"))


CVAT = """<?xml version="1.0"?><annotations><version>1.1</version>
<meta><task><name>t</name></task><source>a.mp4</source></meta>
<track id="0" label="run"><box frame="10" outside="0"/><box frame="20" outside="0"/>
<box frame="25" outside="1"/><box frame="40" outside="0"/><box frame="44" outside="0"/></track>
</annotations>"""


def test_cvat_tracks_end_where_they_go_outside(tmp_path):
    file = write(tmp_path, CVAT)
    found = read_annotations(file, "cvat", fps=10)
    assert found.segments == (RUN, Marked(path="a.mp4", start=4.0, end=4.5, label="run"))
    with pytest.raises(DataError, match="--fps"):
        read_annotations(file, "cvat")


ELAN = """<ANNOTATION_DOCUMENT><HEADER><MEDIA_DESCRIPTOR MEDIA_URL="file:///v/a.mp4"
RELATIVE_MEDIA_URL="./a.mp4"/></HEADER><TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2500"/>
<TIME_SLOT TIME_SLOT_ID="ts3"/></TIME_ORDER>
<TIER TIER_ID="act"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1"
TIME_SLOT_REF2="ts2"><ANNOTATION_VALUE>run</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
</TIER><TIER TIER_ID="loose"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2"
TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts3"><ANNOTATION_VALUE>x</ANNOTATION_VALUE>
</ALIGNABLE_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"""


def test_elan(tmp_path):
    file = write(tmp_path, ELAN)
    assert read_annotations(file, "elan", tier="act").segments == (RUN,)
    with pytest.raises(DataError, match="not aligned"):
        read_annotations(file, "elan")
    with pytest.raises(DataError, match="did you mean act"):
        read_annotations(file, "elan", tier="acts")


def test_label_studio_counts_frames_from_one_and_includes_the_last(tmp_path):
    value = {"ranges": [{"start": 11, "end": 25}], "timelinelabels": ["run"]}
    task = {
        "data": {"video": "a.mp4"},
        "annotations": [{"result": [{"type": "timelinelabels", "value": value}]}],
    }
    assert read_annotations(write(tmp_path, [task]), "labelstudio", fps=10).segments == (RUN,)


def test_via(tmp_path):
    project = {
        "file": {"1": {"fname": "a.mp4"}},
        "view": {"1": {"fid_list": [1]}},
        "attribute": {"1": {"aname": "act", "options": {"0": "jump", "1": "run"}}},
        "metadata": {
            "x": {"vid": "1", "z": [1.0, 2.5], "xy": [], "av": {"1": "1"}},
            "y": {"vid": "1", "z": [1.0], "xy": [1, 2, 3], "av": {"1": "0"}},
        },
    }
    assert read_annotations(write(tmp_path, project), "via").segments == (RUN,)


def test_what_has_no_label_or_no_length_is_left_out_and_counted(tmp_path):
    rows = ["a.mp4,1,2.5,run", "a.mp4,3,3,run", "a.mp4,4,5,", "a.mp4,6,7,"]
    file = write(tmp_path, "\n".join(["path,start,end,label", *rows]))
    found = read_annotations(file, "csv")
    assert found.segments == (RUN,)
    assert found.left_out == {"segments of no length": 1, "segments without a label": 2}

    file = write(tmp_path, "path,start,end,label\na.mp4,3,3,run\n")
    with pytest.raises(DataError, match="has no segments, but 1 segments of no length"):
        read_annotations(file, "csv")


@pytest.mark.parametrize("kind", ["via", "elan", "csv"])
def test_a_missing_file_is_named(tmp_path, kind):
    with pytest.raises(DataError, match=r"no\.csv cannot be read"):
        read_annotations(tmp_path / "no.csv", kind)


def test_entities_are_refused(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    with pytest.raises(DataError, match="document type"):
        read_annotations(write(tmp_path, bomb), "elan")


@pytest.mark.parametrize(("start", "end"), [("2", "1"), ("nan", "1"), ("-1", "1"), ("1", "inf")])
def test_bad_times_are_refused(tmp_path, start, end):
    file = write(tmp_path, f"path,start,end,label\na.mp4,{start},{end},run\n")
    with pytest.raises(DataError, match="ends after its start"):
        read_annotations(file, "csv")


@pytest.mark.parametrize(
    ("kind", "text"), [("via", "{}"), ("activitynet", "{"), ("cvat", "<a>"), ("cvt", "")]
)
def test_other_files_are_refused_by_name(tmp_path, kind, text):
    with pytest.raises(DataError, match=r"labels|did you mean cvat"):
        read_annotations(write(tmp_path, text), kind)


def test_the_list_is_read_by_training(tmp_path):
    table = tmp_path / "train.csv"
    other = Marked(path="a.mp4", start=2.0, end=4.0, label="jump")
    (tmp_path / "a.mp4").touch()

    write_segments(table, [RUN, other])

    samples = read_samples(table)
    times = [(s.start, s.end, samples.labels[s.label]) for s in samples]
    assert times == [(1.0, 2.5, "run"), (2.0, 4.0, "jump")]


def test_frames_of_a_long_video_stay_the_same_in_the_list(tmp_path):
    fps = 30000 / 1001
    shapes = "".join(
        f'<track label="run"><box frame="{frame}" outside="0"/><box frame="{frame + 7}" '
        f'outside="1"/></track>'
        for frame in range(0, 120_000, 997)
    )
    text = f"<annotations><meta><source>a.mp4</source></meta>{shapes}</annotations>"
    found = read_annotations(write(tmp_path, text), "cvat", fps=fps)
    (tmp_path / "a.mp4").touch()
    write_segments(tmp_path / "train.csv", found.segments)

    times = np.arange(120_000) / fps
    track = SimpleNamespace(name="a.mp4", timestamps=times, num_frames=120_000, duration=4004.0)
    for frame, sample in zip(
        range(0, 120_000, 997), read_samples(tmp_path / "train.csv"), strict=True
    ):
        assert segment_range(track, sample) == range(frame, frame + 7)


def test_fiftyone_gets_classes_times_and_places(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/a.mp4").write_bytes(encode(np.zeros((30, 32, 32, 3), np.uint8), fps=10))
    rows = ["a.mp4,1,2.5,run", "a.mp4,2,3,jump;run", "b/a.mp4,1,,jump"]
    (tmp_path / "list.csv").write_text("\n".join(["path,start,end,label", *rows]))
    write_fiftyone(tmp_path / "out", read_samples(tmp_path / "list.csv"))

    assert json.loads((tmp_path / "out/labels.json").read_text()) == {
        "classes": ["jump", "run"],
        "labels": {
            "a": [
                {"label": 1, "timestamps": [1, 2.5]},
                {"label": 0, "timestamps": [2, 3]},
                {"label": 1, "timestamps": [2, 3]},
            ],
            "a_1": [{"label": 0, "timestamps": [1, pytest.approx(3.0)]}],  # to its end
        },
    }
    assert json.loads((tmp_path / "out/data.json").read_text()) == {
        "a": str(tmp_path / "a.mp4"),
        "a_1": str(tmp_path / "b/a.mp4"),
    }


def test_fiftyone_gets_no_boxes(tmp_path):
    (tmp_path / "list.csv").write_text("path,start,end,x1,y1,x2,y2,label\na.mp4,0,1,0,0,1,1,run\n")
    with pytest.raises(DataError, match="line 2: a segment with a box"):
        write_fiftyone(tmp_path / "out", read_samples(tmp_path / "list.csv"))
    assert not (tmp_path / "out").exists()
