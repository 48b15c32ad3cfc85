"""Files as annotation tools write them, and the list that is made of them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from damage import CAMPAIGN, Counts, damaged
from zoopraxis.data.annotations import (
    Annotations,
    Marked,
    locate,
    read_annotations,
    write_fiftyone,
    write_segments,
)
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
    actions = {"subset": "testing", "actions": [[12, 18.6, 24.8]]}  # as of MultiTHUMOS
    found = read_annotations(write(tmp_path, {"d": actions}), "activitynet")
    assert times_of(found) == [("12", 18.6, 24.8)]
    file = write(tmp_path, {"database": database})
    with pytest.raises(DataError, match="did you mean training"):
        read_annotations(file, "activitynet", subset="train")


def test_csv_of_any_columns(tmp_path):
    file = write(tmp_path, "clip,from,what,to\na.mp4,1,run,2.5\n")
    assert read_annotations(file, "csv", columns=("clip", "from", "to", "what")).segments == (RUN,)
    with pytest.raises(DataError, match="did you mean from"):
        read_annotations(file, "csv", columns=("clip", "frm", "to", "what"))


@pytest.mark.parametrize("row", ["a.mp4;0:01;run, fast;00:00:2.5", "a.mp4;1.0;run, fast;2,5"])
def test_csv_of_spreadsheets_and_of_clocks(tmp_path, row):
    file = write(tmp_path, f"clip;from;what;to\n{row}\n")
    columns = ("clip", "from", "to", "what")
    if "2,5" in row:
        with pytest.raises(DataError, match=r"line 2: times '1\.0' and '2,5'"):
            read_annotations(file, "csv", columns=columns)
    else:
        assert times_of(read_annotations(file, "csv", columns=columns)) == [("run, fast", 1, 2.5)]


def test_csv_with_spaces_after_commas(tmp_path):
    file = write(tmp_path, 'path, start, end, label\na.mp4, 1, 2.5, "run"\n')
    assert read_annotations(file, "csv").segments == (RUN,)


def test_csv_of_frames(tmp_path):
    file = write(tmp_path, "path\tstart\tend\tlabel\na.mp4\t10\t25\trun\n")
    assert read_annotations(file, "csv", fps=10).segments == (RUN,)


def test_csv_that_is_damaged(tmp_path):
    file = write(tmp_path, 'path,start,end,label\n"a.mp4"x,1,2,run\n')
    with pytest.raises(DataError, match="not as expected of csv"):
        read_annotations(file, "csv")


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


def cvat(*tracks, meta="<source>a.mp4</source>"):
    return f"<annotations><meta>{meta}</meta>{''.join(tracks)}</annotations>"


def test_cvat_exports_of_a_project_and_of_a_job(tmp_path):
    meta = "".join(
        f"<task><id>{number}</id>{step}<source>{name}.mp4</source></task>"
        for number, name, step in (
            (7, "a", "<frame_filter/>"),
            (8, "b", "<frame_filter>step=5</frame_filter>"),
        )
    )
    shapes = '<box frame="10" outside="0"/><box frame="20" outside="0"/>'
    tracks = [f'<track label="run" task_id="{number}">{shapes}</track>' for number in (7, 8)]
    text = cvat(*tracks, meta=f"<project><id>1</id><tasks>{meta}</tasks></project>")
    found = read_annotations(write(tmp_path, text), "cvat", fps=10)
    # every fifth frame of b was annotated: what is seen in frame 20 is there until 25
    assert [(one.path, one.start, one.end) for one in found.segments] == [
        ("a.mp4", 1.0, 2.1),
        ("b.mp4", 1.0, 2.5),
    ]
    text = cvat(f'<track label="run">{shapes}</track>', meta="<job><id>3</id></job>")
    (one,) = read_annotations(write(tmp_path, text), "cvat", fps=10).segments
    assert one.path == ""


def test_cvat_skeletons_are_one_track(tmp_path):
    points = '<points frame="0" outside="0"/><points frame="9" outside="1"/>'
    text = cvat(
        '<track label="body"><skeleton frame="0" keyframe="1"/><skeleton frame="9"/>'
        f'<track label="knee">{points}</track></track>'
    )
    found = read_annotations(write(tmp_path, text), "cvat", fps=10)
    assert times_of(found) == [("body", 0.0, 1.0)]


def test_cvat_actions_that_are_an_attribute_of_a_track(tmp_path):
    def boxes(*values):
        return "".join(
            f'<box frame="{5 * k}" outside="0"><attribute name="act">{value}</attribute></box>'
            for k, value in enumerate(values)
        )

    text = cvat(
        f'<track label="person">{boxes("run", "run", "jump", "", "run")}'
        '<box frame="30" outside="1"><attribute name="act">run</attribute></box></track>',
        '<track label="ball"><box frame="0" outside="0"/></track>',
    )
    file = write(tmp_path, text)
    found = read_annotations(file, "cvat", fps=10, tier="act")
    assert times_of(found) == [("run", 0, 1), ("jump", 1, 1.5), ("run", 2, 3)]
    assert found.left_out == {"tracks without 'act'": 1}
    with pytest.raises(DataError, match="no attribute 'ac'; it has act"):
        read_annotations(file, "cvat", fps=10, tier="ac")


def test_cvat_tags_of_the_frames_of_a_video(tmp_path):
    tagged = {10: "run", 15: "run", 20: "run jump", 25: "jump", 40: "run"}
    images = [
        f'<image id="{frame}" name="frame_{frame:06d}"><box label="ball"/>'
        + "".join(f'<tag label="{label}"/>' for label in tagged.get(frame, "").split())
        + "</image>"
        for frame in range(0, 50, 5)
    ]
    meta = "<task><frame_filter>step=5</frame_filter><source>a.mp4</source></task>"
    found = read_annotations(write(tmp_path, cvat(*images, meta=meta)), "cvat", fps=10)
    assert times_of(found) == [("run", 1.0, 2.5), ("run", 4.0, 4.5), ("jump", 2.0, 3.0)]
    assert found.left_out == {"shapes in one frame": 10}
    assert {one.path for one in found.segments} == {"a.mp4"}


def test_cvat_images_without_tags_of_frames_are_refused(tmp_path):
    file = write(tmp_path, cvat('<image id="0" name="frame_000000"><box label="run"/></image>'))
    with pytest.raises(DataError, match="CVAT for images, and has no tags") as info:
        read_annotations(file, "cvat", fps=10)
    assert "CVAT for video 1.1" in info.value.hint
    file = write(tmp_path, cvat('<image id="0" name="photo.jpg"><tag label="run"/></image>'))
    with pytest.raises(DataError, match="but 1 images that are not frames of a video"):
        read_annotations(file, "cvat", fps=10)


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
    found = read_annotations(file, "elan")
    assert found.segments == (RUN,)
    assert found.left_out == {"annotations of tier 'loose' that are not aligned in time": 1}
    with pytest.raises(DataError, match="no segments, but 1 annotations of tier 'loose'"):
        read_annotations(file, "elan", tier="loose")
    with pytest.raises(DataError, match="did you mean act"):
        read_annotations(file, "elan", tier="acts")


def eaf(*tiers, times, media='<MEDIA_DESCRIPTOR MEDIA_URL="a.mp4"/>'):
    """A file of ELAN: tiers are of (id, value, slot, slot) or (id, value, annotation)."""

    def note(name, value, *at):
        keys = ("TIME_SLOT_REF1", "TIME_SLOT_REF2") if len(at) == 2 else ("ANNOTATION_REF",)
        refs = " ".join(f'{key}="{one}"' for key, one in zip(keys, at, strict=True))
        kind = "ALIGNABLE_ANNOTATION" if len(at) == 2 else "REF_ANNOTATION"
        value = f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>"
        return f'<ANNOTATION><{kind} ANNOTATION_ID="{name}" {refs}>{value}</{kind}></ANNOTATION>'

    slots = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="{name}"' + (f' TIME_VALUE="{ms}"/>' if ms is not None else "/>")
        for name, ms in times.items()
    )
    body = "".join(
        f'<TIER TIER_ID="t{k}">' + "".join(note(*one) for one in notes) + "</TIER>"
        for k, notes in enumerate(tiers)
    )
    return (
        f"<ANNOTATION_DOCUMENT><HEADER>{media}</HEADER><TIME_ORDER>{slots}</TIME_ORDER>{body}"
        "</ANNOTATION_DOCUMENT>"
    )


def times_of(found):
    return [(one.label, one.start, one.end) for one in found.segments]


def test_elan_divides_time_between_slots_that_have_none(tmp_path):
    slots = {"s0": 1000, "s1": None, "s2": None, "s3": 4000, "s4": 9000}
    steps = [("a", "cut", "s0", "s1"), ("b", "stir", "s1", "s2"), ("c", "eat", "s2", "s3")]
    file = write(tmp_path, eaf([*steps, ("d", "wash", "s3", "s4")], times=slots))
    assert times_of(read_annotations(file, "elan")) == [
        ("cut", 1.0, 2.0),
        ("stir", 2.0, 3.0),
        ("eat", 3.0, 4.0),
        ("wash", 4.0, 9.0),
    ]


def test_elan_gives_references_the_time_of_what_they_refer_to(tmp_path):
    text = eaf(
        [("a", "cook", "s0", "s1"), ("b", "wash", "s2", "s3")],
        [("g", "left", "d"), ("h", "right", "e")],  # refer to annotations that come later
        [("d", "cut", "a"), ("e", "stir", "a"), ("f", "rinse", "b")],
        times={"s0": 0, "s1": 4000, "s2": 5000, "s3": 6000},
    )
    file = write(tmp_path, text)
    found = read_annotations(file, "elan", tier="t2")
    assert times_of(found) == [("cut", 0, 2), ("stir", 2, 4), ("rinse", 5, 6)]
    found = read_annotations(file, "elan", tier="t1")
    assert times_of(found) == [("left", 0, 2), ("right", 2, 4)]
    found = read_annotations(file, "elan")
    assert times_of(found) == [("cook", 0, 4), ("wash", 5, 6)]
    assert sum(found.left_out.values()) == 5


@pytest.mark.parametrize(
    ("media", "path", "start"),
    [
        ('<MEDIA_DESCRIPTOR MEDIA_URL="file:/./a.mp4"/>', "a.mp4", 1.0),
        ('<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/my%20films/a.mp4"/>', "C:/my films/a.mp4", 1.0),
        (
            '<MEDIA_DESCRIPTOR MEDIA_URL="a.wav" MIME_TYPE="audio/x-wav"/>'
            '<MEDIA_DESCRIPTOR MEDIA_URL="a.mp4" MIME_TYPE="video/mp4" TIME_ORIGIN="500"/>',
            "a.mp4",
            1.5,
        ),
        ("", "", 1.0),
    ],
)
def test_elan_links_videos_in_many_ways(tmp_path, media, path, start):
    text = eaf([("a", "run", "s0", "s1")], times={"s0": 1000, "s1": 2000}, media=media)
    (one,) = read_annotations(write(tmp_path, text), "elan").segments
    assert (one.path, one.start) == (path, start)


def test_label_studio_counts_frames_from_one_and_includes_the_last(tmp_path):
    value = {"ranges": [{"start": 11, "end": 25}], "timelinelabels": ["run"]}
    task = {
        "data": {"video": "a.mp4"},
        "annotations": [{"result": [{"type": "timelinelabels", "value": value}]}],
    }
    assert read_annotations(write(tmp_path, [task]), "labelstudio", fps=10).segments == (RUN,)


def label_studio(*results, data=None, **work):
    data = data or {"video": "a.mp4"}
    return [{"id": 1, "data": data, "annotations": [{"result": list(results), **work}]}]


def on_timeline(start, end, label="run"):
    value = {"ranges": [{"start": start, "end": end}], "timelinelabels": [label]}
    return {"type": "timelinelabels", "value": value}


def box(*keys, **value):
    sequence = [
        {"frame": frame, "enabled": enabled, "x": 1, "time": frame / 10} for frame, enabled in keys
    ]
    return {"type": "videorectangle", "value": {"sequence": sequence, **value}}


def test_label_studio_boxes_are_shown_until_a_key_frame_disables_them(tmp_path):
    keys = ((11, True), (15, True), (20, False), (31, True))
    value = {"framesCount": 50, "duration": 4.99, "labels": ["person"]}
    file = write(tmp_path, label_studio(box(*keys, **value)))
    expected = [("person", 1.0, 2.0), ("person", 3.0, 5.0)]
    assert times_of(read_annotations(file, "labelstudio")) == expected
    found = read_annotations(file, "labelstudio", fps=20)  # what the user says counts
    assert times_of(found) == [("person", 0.5, 1.0), ("person", 1.5, 2.5)]


def test_label_studio_says_what_it_leaves_out(tmp_path):
    boxed = {"framesCount": 50, "duration": 5.0}
    copy = box((11, True), **boxed, timelinelabels=["run"])
    copy["type"] = "timelinelabels"  # without ranges
    choice = {"type": "choices", "value": {"choices": ["good"]}}
    link = {"type": "relation", "from_id": "a", "to_id": "b"}
    hidden = box((3, False), **boxed, labels=["person"])
    results = (on_timeline(11, 25), box((11, True), **boxed), hidden, copy, choice, link)
    tasks = label_studio(*results) + label_studio(on_timeline(1, 2), was_cancelled=True)
    found = read_annotations(write(tmp_path, tasks), "labelstudio", fps=10)
    assert found.segments == (RUN,)
    assert found.left_out == {
        "segments without a label": 1,
        "results without times": 4,
        "tasks that the annotator skipped": 1,
    }


def test_label_studio_json_min_storages_and_seconds_of_sound(tmp_path):
    heard = {"start": 1.0, "end": 2.5, "channel": 0, "labels": ["run"]}
    task = {"id": 7, "video": "a.mp4", "annotator": 1, "lead_time": 7.5}
    file = write(tmp_path, [{**task, "what": [heard]}])
    assert read_annotations(file, "labelstudio").segments == (RUN,)
    file = write(tmp_path, [{**task, "what": [on_timeline(11, 25)["value"]]}])
    assert read_annotations(file, "labelstudio", fps=10).segments == (RUN,)
    stored = {"result": [on_timeline(11, 25)], "task": {"id": 3, "data": {"video": "a.mp4"}}}
    file = write(tmp_path, stored)
    assert read_annotations(file, "labelstudio", fps=10).segments == (RUN,)
    sent = {"annotation": {"result": stored["result"]}, "task": stored["task"]}
    assert read_annotations(write(tmp_path, sent), "labelstudio", fps=10).segments == (RUN,)
    file = write(tmp_path, label_studio({"type": "labels", "value": heard}))
    assert read_annotations(file, "labelstudio").segments == (RUN,)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"video": "/data/local-files/?d=my%20films/a.mp4"}, "my films/a.mp4"),
        ({"audio": "a.wav", "clip": "/data/1/3d3ad63e-a.MP4"}, "/data/1/3d3ad63e-a.MP4"),
        ({"id": "7", "video_url": "https://x.org/a.mp4?token=1"}, "https://x.org/a.mp4?token=1"),
        ({"text": "a"}, ""),
    ],
)
def test_label_studio_names_videos_in_many_ways(tmp_path, data, path):
    file = write(tmp_path, label_studio(on_timeline(1, 2), data=data))
    assert read_annotations(file, "labelstudio", fps=10).segments[0].path == path


VIA = {
    "file": {"1": {"fname": "a.mp4"}},
    "view": {"1": {"fid_list": [1]}},
    "attribute": {
        "1": {"aname": "act", "options": {"0": "jump", "1": "run"}},
        "2": {"aname": "said", "options": {}},
    },
    "metadata": {
        "x": {"vid": "1", "z": [1.0, 2.5], "xy": [], "av": {"1": "1"}},
        "y": {"vid": "1", "z": [1.0], "xy": [1, 2, 3], "av": {"1": "0"}},
    },
}


def test_via(tmp_path):
    found = read_annotations(write(tmp_path, VIA), "via")
    assert found.segments == (RUN,)
    assert found.left_out == {"stills, and regions in one frame": 1}


def test_via_values_are_text_or_options_of_one_attribute_or_of_all(tmp_path):
    values = [
        {"1": "0,1", "2": ""},
        {"1": "", "2": "go, go"},
        {"2": "_DEFAULT"},
        {"1": "1", "2": "x"},
    ]
    metadata = {
        str(k): {"vid": "1", "z": [k, k + 1], "xy": [], "av": av} for k, av in enumerate(values)
    }
    file = write(tmp_path, {**VIA, "metadata": metadata})
    found = read_annotations(file, "via", tier="act")
    assert times_of(found) == [("jump", 0, 1), ("run", 0, 1), ("run", 3, 4)]
    assert found.left_out == {"segments without a label": 2}
    found = read_annotations(file, "via")
    assert [one.label for one in found.segments] == ["jump", "run", "go, go", "run", "x"]
    with pytest.raises(DataError, match="no attribute 'ac'; it has act, said"):
        read_annotations(file, "via", tier="ac")


def test_via_csv(tmp_path):
    rows = [
        "# Exported using VGG Image Annotator",
        f"# ATTRIBUTE = {json.dumps(VIA['attribute'])}",
        "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,"
        "metadata",
        '"1_a","[""a.mp4""]",0,"[1.0,2.5]","[]","{""1"":""1""}"',
        '"1_b","[""a.mp4""]",0,"[1.0]","[2,1,2,3,4]","{""1"":""0""}"',
    ]
    found = read_annotations(write(tmp_path, "\n".join(rows)), "via")
    assert found.segments == (RUN,)
    assert found.left_out == {"stills, and regions in one frame": 1}


def test_projects_of_via_2_are_refused_by_name(tmp_path):
    images = {"a.jpg1": {"filename": "a.jpg", "regions": []}}
    for project in ({"_via_img_metadata": images, "_via_settings": {}}, images):
        with pytest.raises(DataError, match="of VIA 2, which marks images"):
            read_annotations(write(tmp_path, project), "via")


def test_what_has_no_label_or_no_length_is_left_out_and_counted(tmp_path):
    rows = ["a.mp4,1,2.5,run", "a.mp4,3,3,run", "a.mp4,4,5,", "a.mp4,6,7,", "a.mp4,9,8,run"]
    file = write(tmp_path, "\n".join(["path,start,end,label", *rows]))
    found = read_annotations(file, "csv")
    assert found.segments == (RUN,)
    assert found.left_out == {
        "segments of no length": 1,
        "segments without a label": 2,
        "segments that end before they start": 1,
    }

    file = write(tmp_path, "path,start,end,label\na.mp4,3,3,run\n")
    with pytest.raises(DataError, match="has no segments, but 1 segments of no length"):
        read_annotations(file, "csv")


@pytest.mark.parametrize(
    ("kind", "text", "other"),
    [
        ("via", {"a": {"annotations": [{"segment": [1, 2], "label": "x"}]}}, "activitynet"),
        ("activitynet", VIA, "via"),
        ("via", label_studio(on_timeline(1, 2)), "labelstudio"),
        ("labelstudio", VIA, "via"),
        ("elan", CVAT, "cvat"),
        ("cvat", ELAN, "elan"),
        ("elan", VIA, "via"),
        ("labelstudio", CVAT, "cvat"),
        ("csv", "path,start,end\n", ""),
    ],
)
def test_the_file_of_another_tool_is_recognised(tmp_path, kind, text, other):
    fps = 10 if kind in ("cvat", "labelstudio") else None
    with pytest.raises(DataError, match="labels") as info:
        read_annotations(write(tmp_path, text), kind, fps=fps)
    assert f"zoopraxis data import {other}" in info.value.hint or not other


WHOLE = {
    "activitynet": json.dumps(
        {"database": {"a.mp4": {"annotations": [{"segment": [1, 2.5], "label": "run"}]}}}
    ),
    "csv": "path,start,end,label\na.mp4,1,0:02.5,run\nb.mp4,3,4,jump\n",
    "cvat": CVAT,
    "elan": ELAN.replace("<ANN", '<?xml version="1.0" encoding="UTF-8"?><ANN', 1),
    "labelstudio": json.dumps(label_studio(on_timeline(11, 25), box((1, True), framesCount=9))),
    "via": json.dumps(VIA),
}


@pytest.mark.parametrize(
    "times", [300, pytest.param(5_000, marks=pytest.mark.slow)], ids=["some", "many"]
)
@pytest.mark.parametrize("kind", WHOLE)
def test_damaged_files_are_read_or_refused_by_name(tmp_path, record_property, kind, times):
    fps = 10 if kind in ("cvat", "labelstudio") else None
    counts = Counts()
    for contents in damaged(WHOLE[kind].encode(), times):
        (tmp_path / "labels").write_bytes(contents)
        try:
            found = read_annotations(tmp_path / "labels", kind, fps=fps)
        except DataError as error:
            counts.refusal(error, "labels")
            continue
        counts.read += 1
        assert all(0 <= one.start < one.end and one.label for one in found.segments)
    record_property(CAMPAIGN, f"annotations of {kind}: {counts}")
    assert counts.read
    assert counts.refused


def test_an_unknown_encoding_is_refused(tmp_path):
    file = write(tmp_path, CVAT.replace("?>", ' encoding="utfq8"?>', 1))
    with pytest.raises(DataError, match="is not XML: unknown encoding"):
        read_annotations(file, "cvat", fps=10)


@pytest.mark.parametrize(
    ("kind", "option"), [("elan", {"fps": 25}), ("csv", {"tier": "x"}), ("via", {"subset": "x"})]
)
def test_options_of_other_formats_are_refused(tmp_path, kind, option):
    with pytest.raises(DataError, match=f"{kind} takes no --{next(iter(option))}"):
        read_annotations(write(tmp_path, ""), kind, **option)


@pytest.mark.parametrize("kind", ["via", "elan", "csv"])
def test_a_missing_file_is_named(tmp_path, kind):
    with pytest.raises(DataError, match=r"no\.csv cannot be read"):
        read_annotations(tmp_path / "no.csv", kind)


def test_entities_are_refused(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    with pytest.raises(DataError, match="document type"):
        read_annotations(write(tmp_path, bomb), "elan")


@pytest.mark.parametrize(("start", "end"), [("nan", "1"), ("1", "nan"), ("-1", "1"), ("1", "inf")])
def test_bad_times_are_refused(tmp_path, start, end):
    file = write(tmp_path, f"path,start,end,label\na.mp4,{start},{end},run\n")
    with pytest.raises(DataError, match="is from"):
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


def marked(*paths):
    segments = tuple(Marked(path=path, start=1.0, end=2.0, label="run") for path in paths)
    return Annotations(segments=segments, left_out={})


def test_videos_are_found_by_name_in_a_folder(tmp_path):
    files = ["a.mp4", "b/v_QOlSCBRmfWY.mkv", "my clip.avi", "2024-x.mp4", "v1.2.mp4"]
    for name in files:
        (tmp_path / "videos" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "videos" / name).touch()
    told = [
        "C:\\Users\\me\\a.mp4",
        "QOlSCBRmfWY",
        "/data/upload/1/3d3ad63e-my%20clip.mp4",
        "https://x.org/y/2024-x.mp4",
        "v1.2",
    ]
    table = tmp_path / "lists/train.csv"
    found = locate(marked(*told, "gone.mp4"), tmp_path / "videos", table=table)
    assert [one.path for one in found.segments] == [f"../videos/{name}" for name in files]
    assert list(found.left_out.values()) == [1]
    assert "gone.mp4" in next(iter(found.left_out))

    one = locate(marked("", ""), tmp_path / "videos/a.mp4", table=tmp_path / "t.csv")
    assert [one.path for one in one.segments] == ["videos/a.mp4"] * 2


def test_videos_that_cannot_be_told_apart_are_errors(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("a.mp4", "b/a.mp4"):
        (tmp_path / name).touch()
    table = tmp_path / "train.csv"
    with pytest.raises(DataError, match=r"may be .*a\.mp4, .*b/a\.mp4"):
        locate(marked("x/a.mp4"), tmp_path, table=table)
    with pytest.raises(DataError, match="segments of 2: a, b"):
        locate(marked("a", "b"), tmp_path / "a.mp4", table=table)
    with pytest.raises(DataError, match="has no video c"):
        locate(marked("c"), tmp_path, table=table)
    with pytest.raises(DataError, match="there is no"):
        locate(marked("c"), tmp_path / "no", table=table)
    with pytest.raises(DataError, match="of which video the 1 segments are") as info:
        write_segments(table, marked("").segments)
    assert "--video" in info.value.hint
    assert not table.exists()


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
