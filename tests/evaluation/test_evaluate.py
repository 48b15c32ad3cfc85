"""Evaluation of real files: views, bad videos, caches, and the page."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from colours import opened
from pages import TAGS, elements
from videos import write_frames
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError, VideoError, ZoopraxisError
from zoopraxis.evaluation.evaluate import evaluate
from zoopraxis.evaluation.page import plain_text
from zoopraxis.evaluation.report import worst_clips, write_report
from zoopraxis.evaluation.result import Evaluation, read_evaluation
from zoopraxis.inputs import RGB, ClipSpec, Regions, Sampling
from zoopraxis.inputs.playback import Playback
from zoopraxis.prediction.aggregate import MODES

CLIP = ClipSpec(
    sampling=Sampling(num_frames=4), input=RGB(resize=16, size=16, mean=(0.0,) * 3, std=(1.0,) * 3)
)
NAN = np.nan
REVERSED = Playback(order="reversed")


class Brightness(nn.Module):
    """Logits (dark, bright) from the mean pixel of a clip: right on grey videos by construction."""

    def __init__(self, gain=20.0):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.seen = 0  # clips

    def forward(self, x):
        self.seen += len(x)
        bright = x.mean(dim=(1, 2, 3, 4))
        return torch.stack([0.5 - bright, bright - 0.5], dim=1) * self.gain


class Brightening(Brightness):
    """Whether the end of a clip is brighter than its beginning."""

    def forward(self, x):
        self.seen += len(x)
        up = (x[:, :, -1] - x[:, :, 0]).mean(dim=(1, 2, 3))
        return torch.stack([-up, up], dim=1) * self.gain


def network(kind=Brightness, *, gain=20.0, clip=CLIP, labels=("dark", "bright")):
    model = kind(gain)
    net = opened(model, "brightness", clip, labels)
    return replace(net, config=net.config.of_weights(model.state_dict()))


NET = network()


@pytest.fixture
def folder(tmp_path):
    for label, level in (("dark", 40), ("bright", 210)):
        for number in range(2):
            frames = np.full((12, 32, 32, 3), level + 10 * number, np.uint8)
            (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
            write_frames(tmp_path / "data" / label / f"{number}.mp4", frames)
    return tmp_path / "data"


def test_scores_are_those_of_the_model(folder):
    result = evaluate(NET, read_samples(folder), views=3)

    assert result.logits.shape == (4, 3, 2)
    assert result.summary()["top1"] == 1.0
    assert result.confusion().tolist() == [[2, 0], [0, 2]]
    assert result.by_views() == {1: 1.0, 2: 1.0, 3: 1.0}


def test_unreadable_videos_count_and_are_listed(folder):
    (folder / "dark" / "broken.mp4").write_bytes(b"no video")

    result = evaluate(NET, read_samples(folder), views=2)

    assert list(result.unread) == ["dark/broken.mp4"]
    assert result.summary()["top1"] == 4 / 5
    assert result.summary()["videos"] == 5


def test_labels_are_matched_by_name(folder):
    (folder / "bright").rename(folder / "a_bright_one")

    with pytest.raises(DataError, match=r"labels that brightness does not know.*'a_bright_one'"):
        evaluate(NET, read_samples(folder))


def test_a_list_of_numbers_is_read_with_the_models_labels(folder, tmp_path):
    lines = [f"{path} {number}" for number, path in enumerate(sorted(folder.rglob("0.mp4")))]
    (tmp_path / "list.txt").write_text("\n".join(lines))  # bright 0, dark 1
    net = network(labels=("bright", "dark"))

    result = evaluate(net, read_samples(tmp_path / "list.txt", labels=net.labels))

    assert result.truth == (0, 1)


class LeftEdge(Brightness):
    """Whether the first box of a clip begins in the left half of the frame."""

    def forward(self, clip, boxes, mask):
        assert clip.shape[2:3] == boxes.shape[1:2] == mask.shape[1:2]
        left = 0.5 - boxes[:, 0, 0, 0] / clip.shape[-1]
        return torch.stack([left, -left], dim=1) * self.gain


@pytest.mark.parametrize("workers", [0, 1])
def test_a_network_may_take_several_tensors(folder, tmp_path, workers):
    lines = ["path,label,boxes"]
    for number, path in enumerate(sorted(folder.rglob("*.mp4"))):
        side = ("left", "right")[number % 2]
        (tmp_path / f"{side}.csv").write_text(
            f"frame,x1,y1,x2,y2\n0,{20 * (side == 'right')},0,32,32\n"
        )
        lines.append(f"{path},{side},{tmp_path / side}.csv")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    clip = CLIP.change(input=Regions(resize=16, size=16, num_boxes=2, reach=9.0))
    net = network(LeftEdge, clip=clip, labels=("left", "right"))

    result = evaluate(net, read_samples(tmp_path / "list.csv"), views=2, workers=workers)

    assert result.summary()["top1"] == 1.0
    assert result.logits.shape == (4, 2, 2)


# Kept logits: nothing is found under another identity.


def test_kept_logits_spare_the_work(folder, tmp_path):
    net, said = network(), []

    first = evaluate(net, read_samples(folder), views=2, keep=tmp_path / "out", say=said.append)
    again = evaluate(net, read_samples(folder), views=2, keep=tmp_path / "out", say=said.append)

    assert net.model.seen == 4 * 2
    assert np.array_equal(again.logits, first.logits)
    (kept,) = (tmp_path / "out").glob("logits-*.npz")
    assert read_evaluation(kept).summary() == first.summary()
    assert said == [f"resuming from {kept}"]


def test_backwards_is_another_evaluation(folder, tmp_path):
    for label, levels in (("dark", range(12, 0, -1)), ("bright", range(1, 13))):
        frames = np.stack([np.full((32, 32, 3), 20 * level, np.uint8) for level in levels])
        for number in range(2):
            write_frames(folder / label / f"{number}.mp4", frames)
    net, samples, said = network(Brightening), read_samples(folder), []

    forwards = evaluate(net, samples, keep=tmp_path / "out", say=said.append)
    backwards = evaluate(net, samples, keep=tmp_path / "out", play=REVERSED, say=said.append)

    assert (forwards.summary()["top1"], backwards.summary()["top1"]) == (1.0, 0.0)
    assert evaluate(net, samples, keep=tmp_path / "out").summary()["top1"] == 1.0  # still there
    assert "starting from scratch" in said[0]


OTHERS = {
    "weights": lambda folder: (network(gain=1.0), read_samples(folder), {}),
    "labels": lambda folder: (network(labels=("bright", "dark")), read_samples(folder), {}),
    "clip": lambda folder: (network(clip=CLIP.change(num_frames=2)), read_samples(folder), {}),
    "engine": lambda folder: (replace(network(), engine="onnx"), read_samples(folder), {}),
    "precision": lambda folder: (network(), read_samples(folder), {"precision": "bfloat16"}),
    "views": lambda folder: (network(), read_samples(folder), {"views": 3}),
    "crops": lambda folder: (network(), read_samples(folder), {"crops": 3, "views": 1}),
    "direction": lambda folder: (network(), read_samples(folder), {"play": REVERSED}),
    "fewer videos": lambda folder: (
        network(),
        read_samples(folder).of_groups(["dark/0.mp4", "bright/0.mp4"]),
        {},
    ),
    "segments": lambda folder: (network(), with_ends(read_samples(folder), 0.2), {}),
    "file": lambda folder: (network(), rewritten(folder), {}),
    "place": lambda folder: (network(), moved(folder), {}),
}


def with_ends(samples, end):
    return replace(samples, samples=tuple(replace(sample, end=end) for sample in samples))


def rewritten(folder):
    """The same names, one of another content."""
    write_frames(folder / "dark" / "0.mp4", np.full((12, 32, 32, 3), 90, np.uint8))
    return read_samples(folder)


def moved(folder):
    """The same names in another folder."""
    folder.rename(folder.with_name("elsewhere"))
    return read_samples(folder.with_name("elsewhere"))


@pytest.mark.parametrize("what", OTHERS)
def test_another_evaluation_starts_from_scratch_and_says_so(what, folder, tmp_path):
    evaluate(network(), read_samples(folder), views=2, keep=tmp_path / "out")
    net, samples, settings = OTHERS[what](folder)
    said = []

    evaluate(net, samples, keep=tmp_path / "out", say=said.append, **{"views": 2, **settings})

    assert net.model.seen >= len(samples)
    assert len(list((tmp_path / "out").glob("logits-*.npz"))) == 2
    assert "starting from scratch" in said[0]


def test_a_stopped_evaluation_resumes(folder, tmp_path):
    samples, out = read_samples(folder), tmp_path / "out"
    whole = evaluate(network(), samples, views=2, keep=out)
    (kept,) = out.glob("logits-*.npz")
    half = whole.logits.copy()
    half[2:] = np.nan
    replace(whole, logits=half, done=np.array([True, True, False, False])).save(kept)
    net, done = network(), []

    again = evaluate(net, samples, views=2, keep=out, progress=lambda n, of: done.append((n, of)))

    np.testing.assert_array_equal(again.logits, whole.logits)
    assert net.model.seen == 2 * 2
    assert done == [(3, 4), (4, 4)]


def test_a_kept_file_under_a_false_name_is_refused(folder, tmp_path):
    samples, out = read_samples(folder), tmp_path / "out"
    whole = evaluate(network(), samples, keep=out)
    (kept,) = out.glob("logits-*.npz")
    replace(whole, key="of something else").save(kept)

    with pytest.raises(DataError, match="holds another evaluation"):
        evaluate(network(), samples, keep=out)


def test_a_video_that_is_done_is_not_told_by_its_logits(folder, tmp_path):
    samples, out = read_samples(folder), tmp_path / "out"
    whole = evaluate(network(), samples, views=2, keep=out)
    (kept,) = out.glob("logits-*.npz")
    replace(whole, logits=np.full_like(whole.logits, np.nan)).save(kept)

    with pytest.raises(DataError, match="NaN or infinite"):  # not: as if nothing had been done
        evaluate(network(), samples, views=2, keep=out)


class Failing(Brightness):
    """NaN from the clip with this number on."""

    def __init__(self, first):
        super().__init__()
        self.first, self.last = first, nn.Identity()

    def forward(self, x):
        y = super().forward(x)
        return self.last(y * float("nan") if self.seen > self.first else y)


def test_logits_that_are_not_finite_stop_it_and_keep_what_was_done(folder, tmp_path):
    net, samples = network(Failing, gain=2), read_samples(folder)

    with pytest.raises(ZoopraxisError, match=r"dark/0\.mp4: .* begins in the module 'last'"):
        evaluate(net, samples, views=1, keep=tmp_path)

    (kept,) = tmp_path.glob("logits-*.npz")
    assert read_evaluation(kept).done.tolist() == [True, True, False, False]


def test_nothing_that_can_be_read_is_one_error_with_the_first_reason(folder, tmp_path):
    for path in folder.rglob("*.mp4"):
        path.write_bytes(b"no video")

    with pytest.raises(DataError, match=r"none of the 4 videos of .*bright/0\.mp4: "):
        evaluate(NET, read_samples(folder), keep=tmp_path / "out")

    assert not list(tmp_path.glob("out/*"))


def test_what_could_not_be_read_is_tried_again(folder, tmp_path, monkeypatch):
    samples, open_ = read_samples(folder), RGB.open

    def unplugged(self, media):
        if media.path.endswith("1.mp4"):
            raise VideoError("the disk is away")
        return open_(self, media)

    monkeypatch.setattr(RGB, "open", unplugged)
    first = evaluate(NET, samples, views=1, keep=tmp_path)
    monkeypatch.undo()
    second = evaluate(NET, samples, views=1, keep=tmp_path)

    assert (first.summary()["unread"], second.summary()["unread"]) == (2, 0)
    assert second.summary()["top1"] == 1.0


def npz(path, **arrays):
    np.savez(path, **arrays)


NO_EVALUATIONS = {
    "text": lambda path: path.write_text("no archive"),
    "nothing": lambda path: path.write_bytes(b""),
    "one array": lambda path: path.write_bytes(array_file()),
    "another archive": lambda path: npz(path, x=np.zeros(3)),
    "other fields": lambda path: npz(
        path, meta=np.array("{}"), logits=np.zeros((1, 1, 1)), done=np.ones(1, bool)
    ),
    "no fields": lambda path: npz(
        path, meta=np.array("[1]"), logits=np.zeros((1, 1, 1)), done=np.ones(1, bool)
    ),
    "no marks": lambda path: fake(np.zeros((1, 1, 2)), (0,)).save(path) or without(path, "done"),
    "other marks": lambda path: replace(
        fake(np.zeros((1, 1, 2)), (0,)), done=np.ones(3, bool)
    ).save(path),
    "other logits": lambda path: replace(fake(np.zeros((1, 1, 2)), (0,)), views=4).save(path),
    "cut off": lambda path: (
        fake(np.zeros((1, 1, 2)), (0,)).save(path) or path.write_bytes(path.read_bytes()[:-200])
    ),
}


def array_file():
    import io

    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def without(path, name):
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files if key != name}
    np.savez(path, **arrays)


@pytest.mark.parametrize("what", NO_EVALUATIONS)
def test_what_is_no_evaluation_is_named(what, tmp_path):
    path = tmp_path / "logits-x.npz"
    NO_EVALUATIONS[what](path)
    with pytest.raises(DataError, match=r"logits-x\.npz"):
        read_evaluation(path)


@pytest.mark.parametrize("mode", [m for m in MODES if m != "mean_given"])
def test_an_unreadable_video_is_an_error_in_every_mode(mode):
    logits = np.zeros((2, 1, 3))
    logits[0] = [3, 1, 2]
    logits[1] = np.nan
    result = fake(logits, (0, 0), unread={"v1": "broken"})  # class 0: the first of equal scores

    assert result.summary(mode=mode)["top1"] == 0.5
    assert result.confusion(mode=mode).sum() == 1


def test_unreadable_videos_do_not_hide_logits_from_a_check_of_probabilities():
    logits = np.full((2, 1, 2), np.nan)
    logits[0] = [7, 1]
    with pytest.raises(ZoopraxisError, match="expects probabilities"):
        fake(logits, (0, 0), unread={"v1": ""}).summary(mode="mean_given")


def test_videos_of_one_name_are_counted_one_by_one():
    done = np.array([False, False, True])
    result = fake(np.zeros((3, 1, 2)), (0, 0, 1), names=("a", "a", "b"), done=done)
    assert result.summary()["unread"] == 2


@pytest.mark.parametrize("classes", [1, 2, 5, 6])
def test_no_measure_that_says_nothing(classes):
    logits = np.random.default_rng(0).normal(size=(4, 2, classes))
    summary = fake(logits, (0, 0, 0, 0), labels=tuple("abcdef"[:classes])).summary()
    assert ("top5" in summary) == (classes > 5)


def test_precision_recall_and_support_of_each_class(tmp_path):
    logits = np.array([[3, 0, 0], [3, 0, 0], [0, 3, 0], [NAN, NAN, NAN]])[:, None]
    result = fake(logits, (0, 1, 1, 1), unread={"v3": "torn"})
    table = result.class_report()
    assert list(table) == ["a", "b"]  # c neither occurs nor is predicted
    assert table["a"] == {"precision": 1 / 2, "recall": 1, "f1": 2 / 3, "support": 1}
    assert table["b"] == {"precision": 1, "recall": 1 / 3, "f1": 1 / 2, "support": 3}
    page = write_report(result, tmp_path / "page.html").read_text()
    cells = "<td>b</td><td>100.0 %</td><td>33.3 %</td><td>50.0 %</td><td>3</td>"
    assert cells in page
    assert page.index(cells) < page.index("<td>a</td>")  # the lowest F1 first


def test_names_of_classes_are_neither_html_nor_formulas(tmp_path):
    labels = ("<script>alert(1)</script>", r"costs $\frac 1$ or $_$", "long " * 99)
    result = fake(np.eye(3)[:, None], (0, 1, 1), labels=labels, names=("<b>", "'\"", "&lt;"))
    page = write_report(result, tmp_path / "page.html").read_text()
    assert elements(page) <= TAGS
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert plain_text(labels[1]) == r"costs \$\frac 1\$ or \$_\$"
    assert len(plain_text(labels[2])) == 40


def test_classes_of_videos_with_several_labels(tmp_path):
    logits = np.array([[2, 2, -2], [-2, 2, -2]])[:, None]
    result = fake(logits, ((0,), (1, 2)))
    table = result.class_report()
    assert table["a"]["f1"] == 1
    assert (table["b"]["precision"], table["b"]["recall"]) == (1 / 2, 1)
    assert np.isnan(table["c"]["precision"])
    assert table["c"]["recall"] == 0
    assert (
        "<td>c</td><td>undefined</td><td>0.0 %</td>"
        in write_report(result, tmp_path / "page.html").read_text()
    )
    assert result.class_report(mode="sum_logit") == {}


def test_sums_of_logits_are_not_calibrated(tmp_path):
    result = fake(9 * np.eye(3)[:, None], (0, 1, 1))
    assert "calibration_error" not in result.summary(mode="sum_logit")
    page = write_report(result, tmp_path / "page.html", mode="sum_logit").read_text()
    assert "Calibration" not in page
    assert "(9.00)" in page  # not 900 %


def fake(logits, truth, **fields):
    n, views, k = logits.shape
    defaults = {
        "model": "m",
        "labels": tuple("abc"[:k]),
        "names": tuple(f"v{i}" for i in range(n)),
        "paths": tuple(f"missing{i}.mp4" for i in range(n)),
        "crops": 1,
        "unread": {},
        "views": views,
    }
    return Evaluation(truth=truth, logits=logits.astype(np.float32), **{**defaults, **fields})


def test_fewer_views_span_the_video():
    # only the views at either end of four are right
    right, wrong = [5.0, 0.0], [0.0, 1.0]
    result = fake(np.array([[right, wrong, wrong, wrong]]), (0,))

    assert result.scores(views=4, mode="mean_logit").argmax() == 0
    assert result.scores(views=1, mode="mean_logit").argmax() == 1  # the middle


def test_the_surest_mistakes_come_first():
    logits = np.array([[[3.0, 0, 0]], [[0, 9.0, 0]], [[0, 0, 5.0]], [[0, 4.0, 0]]])
    mistakes = worst_clips(fake(logits, (0, 0, 0, 0)))

    assert [m.name for m in mistakes] == ["v1", "v2", "v3"]
    assert (mistakes[0].true, mistakes[0].predicted) == ("a", "b")


def test_the_page_holds_everything_itself(folder, tmp_path):
    (folder / "dark" / "broken.mp4").write_bytes(b"no video")
    (folder / "bright" / "0.mp4").rename(folder / "dark" / "bright_in_truth.mp4")
    result = evaluate(NET, read_samples(folder), views=2)

    page = write_report(result, tmp_path / "report.html", title="A < B", pairs=[(0, 1)])

    text = page.read_text()
    assert "A &lt; B" in text
    assert "within reversed pairs" in text
    assert "dark/broken.mp4" in text
    assert "dark/bright_in_truth.mp4" in text
    assert text.count("data:image/jpeg") == 1  # the one mistake's film strip
    assert "http" not in text.split("</style>")[1]
