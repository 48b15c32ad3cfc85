"""Does time matter: networks whose answers to every way of playing can be worked out."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from colours import opened
from videos import write_frames
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError
from zoopraxis.evaluation.compare import compare
from zoopraxis.evaluation.runs import read_run
from zoopraxis.explain.diagnose import ROUNDING, Effect, _settled, diagnose
from zoopraxis.explain.diagnosis_page import write_diagnosis
from zoopraxis.inputs import RGB, ClipSpec, RGBDiff, Sampling
from zoopraxis.inputs.playback import Playback
from zoopraxis.models.registry import model_spec
from zoopraxis.testing import fill
from zoopraxis.theatre import Settings, make_theatre

CLIP = ClipSpec(
    sampling=Sampling(num_frames=6), input=RGB(resize=16, size=16, mean=(0.0,) * 3, std=(1.0,) * 3)
)
LABELS = ("brighten", "darken", "stay")
PAIRS = [("brighten", "darken")]


class Trend(nn.Module):
    """Whether the end of a clip is brighter than its beginning, darker, or as bright."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(100.0))

    def forward(self, x):
        up = (x[:, :, -1] - x[:, :, 0]).mean(dim=(1, 2, 3))
        return torch.stack([up, -up, torch.full_like(up, 0.05)], dim=1) * self.gain


class Spread(nn.Module):
    """Whether frames differ: "brighten", always, where they do, and "stay" where not."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(100.0))

    def forward(self, x):
        level = x.mean(dim=(1, 3, 4))  # (B, T)
        spread = level.amax(1) - level.amin(1)
        nothing = torch.full_like(spread, -1.0)
        return torch.stack([spread - 0.05, nothing, 0.05 - spread], dim=1) * self.gain


def network(kind=Trend, name="trend", clip=CLIP):
    model = kind()
    net = opened(model, name, clip, LABELS)
    return replace(net, config=net.config.of_weights(model.state_dict()))


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trend")
    levels = {
        "brighten": range(60, 180, 20),
        "darken": range(160, 40, -20),
        "stay": [100] * 6,
    }
    for label, values in levels.items():
        (folder / label).mkdir()
        for number in range(3):
            frames = np.stack([np.full((32, 32, 3), v + number, np.uint8) for v in values])
            write_frames(folder / label / f"{number}.mp4", frames)
    return read_samples(folder)


@pytest.fixture(scope="module")
def found(samples):
    return diagnose(network(), samples, static=network(Spread, "spread"), pairs=PAIRS)


def test_what_each_way_of_playing_does(found):
    changes = {
        name: {c.label: c.pairs.change for c in effect.by_class()}
        for name, effect in found.effects.items()
    }

    assert list(changes) == [
        *("forwards", "reversed", "shuffled", "frozen", "subsampled 2x", "sped_up 2x"),
    ]
    assert changes["forwards"] == {"brighten": 0, "darken": 0, "stay": 0}
    assert changes["reversed"] == {"brighten": -1, "darken": -1, "stay": 0}
    assert changes["frozen"] == {"brighten": -1, "darken": -1, "stay": 0}
    assert changes["subsampled 2x"] == {"brighten": 0, "darken": 0, "stay": 0}
    effect = found.effects["reversed"]
    assert (effect.accuracy, effect.changed) == (3 / 9, 6 / 9)
    assert effect.pairs.p_value == 2 / 2**6
    assert found.within_pairs["forwards"] == 1.0
    assert found.within_pairs["reversed"] == 0.0


def test_classes_that_become_others_as_pairs(found):
    flips = found.effects["reversed"].flips()

    assert [(f.label, f.becomes, f.count, f.videos, f.mutual) for f in flips] == [
        ("brighten", "darken", 3, 3, True),
        ("darken", "brighten", 3, 3, True),
    ]
    frozen = found.effects["frozen"].flips()
    assert [(f.label, f.becomes, f.mutual) for f in frozen] == [
        ("brighten", "stay", False),
        ("darken", "stay", False),
    ]


def test_the_example_of_a_flip_was_correct_forwards():
    effect = Effect(
        name="reversed",
        labels=LABELS,
        truth=np.array([0, 0, 0, 1]),
        forwards=np.array([2, 0, 0, 1]),
        played=np.array([1, 1, 1, 1]),
        largest=1.0,
    )

    assert [(f.label, f.becomes, f.example, f.mutual) for f in effect.flips()] == [
        ("brighten", "darken", 1, False)
    ]


def test_the_static_bias(found):
    bias = found.bias

    assert bias.chance == 1 / 3
    assert (bias.static_accuracy, bias.temporal_accuracy) == (6 / 9, 1.0)
    assert bias.score == pytest.approx(0.5)  # half of the way from a third to 1
    assert bias.representation_bias == pytest.approx(np.log(2))
    assert [(c.label, c.pairs.change) for c in bias.by_class] == [
        ("darken", 1.0),
        ("brighten", 0.0),
        ("stay", 0.0),
    ]


# A network that is declared to ignore order.


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    settings = Settings(size=(64, 48), performers=1)
    make_theatre(folder, clips_per_class=1, settings=settings, workers=1)
    return read_samples(folder)


def order_effects(name, films):
    """A network of the zoo, with weights that tell films apart, on clips in another order."""
    net = open_model(name)
    shapes = net.model.state_dict().items()
    net.model.load_state_dict(
        {key: torch.from_numpy(fill(key, tuple(x.shape))).to(x.dtype) for key, x in shapes}
    )
    net = replace(net, config=replace(net.config, labels=films.labels))
    plays = [Playback(order="reversed"), Playback(order="shuffled")]
    return diagnose(net, films, plays=plays, views=2)


@pytest.mark.parametrize("name", ["test_tsn", "test_fr2d"])
def test_an_order_insensitive_network_changes_no_answer(name, films):
    assert not model_spec(name).order_sensitive

    done = order_effects(name, films)

    assert done.order_sensitive is False
    assert done.contradictions == []
    for order in ("reversed", "shuffled"):
        effect = done.effects[order]
        assert effect.pairs.change == effect.changed == 0.0
        assert effect.pairs.p_value == 1.0
        assert effect.largest < ROUNDING
        assert effect.flips() == []
        assert {c.pairs.change for c in effect.by_class()} == {0.0}


def test_an_order_sensitive_network_changes_its_scores_by_more_than_rounding(films):
    done = order_effects("test_tsm", films)

    assert done.order_sensitive is True
    assert min(done.effects[order].largest for order in ("reversed", "shuffled")) > 100 * ROUNDING


def test_a_network_that_belies_its_declaration_is_told(samples):
    net = network(name="test_tsn")  # but it is no TSN

    done = diagnose(net, samples, plays=[Playback(order="reversed")])

    assert done.contradictions == ["reversed"]
    assert diagnose(network(), samples, plays=[]).order_sensitive is None


def test_rounding_changes_no_answer():
    forwards = np.array([0, 0, 0, -1, 1])
    scores = np.array(
        [
            [0.4999999, 0.5000001],  # as good as it was
            [0.4990000, 0.5010000],
            [np.nan, np.nan],
            [0.5000001, 0.4999999],  # no answer, for a tie
            [20.0001, 20.0],  # of a sum of logits
        ]
    )

    assert _settled(scores, forwards).tolist() == [0, 1, -1, -1, 1]


# Kinds of input, files, and the page.


def test_kinds_without_other_neighbours_are_only_reversed(samples):
    kind = RGBDiff(resize=16, size=16)
    net = network(Trend, "test_tsn", replace(CLIP, input=kind))

    done = diagnose(net, samples)

    assert done.order_sensitive is None  # reversed differences are others, in any order
    assert done.contradictions == []
    assert list(done.effects) == ["forwards", "reversed"]
    assert list(done.refused) == ["shuffled", "frozen", "subsampled 2x", "sped_up 2x"]
    assert "'rgb_diff' cannot be played frozen" in done.refused["frozen"]


def test_a_stopped_diagnosis_resumes_and_its_runs_can_be_compared(samples, tmp_path, found):
    plays = [Playback(order="reversed"), Playback(order="sped_up")]
    first = diagnose(network(), samples, plays=plays, keep=tmp_path)
    seen, said = [], []

    def progress(what, done, total):
        seen.append(what)

    again = diagnose(
        network(), samples, plays=plays, keep=tmp_path, progress=progress, say=said.append
    )

    assert seen == []  # all was kept
    assert [line.split("/")[-2] for line in said] == ["forwards", "reversed", "sped_up_2x"]
    assert again.summary() == first.summary()
    runs = [read_run(tmp_path / name) for name in ("forwards", "reversed")]
    compared = compare(runs, names=["forwards", "reversed"])
    assert compared.pair(0, 1) == found.effects["reversed"].pairs
    assert (tmp_path / "sped_up_2x").is_dir()


def test_the_page_is_whole_and_needs_no_other_file(found, tmp_path):
    page = write_diagnosis(found, tmp_path / "page.html").read_text()

    assert "brighten</b> becomes <b>darken" in page
    assert "and the other way round" in page
    assert "Static bias" in page
    assert page.count("data:image/png") == 2
    assert page.count("data:image/jpeg") == 2
    assert 'src="http' not in page


def test_the_page_of_one_that_cannot_read_its_video_again(found, tmp_path):
    gone = replace(found.forwards, paths=("gone.mp4",) * len(found.forwards.paths))
    net = replace(found, forwards=gone, bias=None)

    page = write_diagnosis(net, tmp_path / "page.html").read_text()

    assert "gone.mp4" in page
    assert "Static bias" not in page


def test_the_summary_is_json(found):
    facts = json.loads(json.dumps(found.summary(), allow_nan=False))

    assert facts["plays"]["reversed"]["change"] == pytest.approx(-6 / 9)
    assert facts["flips"][0]["becomes"] == "darken"
    assert facts["static_bias"]["score"] == pytest.approx(0.5)


def test_unreadable_videos_are_errors_in_every_way(samples, tmp_path):
    broken = tmp_path / "stay.mp4"
    broken.write_bytes(b"no video")
    spoilt = tuple(replace(s, path=str(broken)) if s.name == "stay/0.mp4" else s for s in samples)
    done = diagnose(network(), replace(samples, samples=spoilt), plays=[Playback(order="frozen")])

    assert list(done.forwards.unread) == ["stay/0.mp4"]
    assert done.effects["forwards"].accuracy == 8 / 9
    assert done.effects["frozen"].accuracy == 2 / 9
    assert done.effects["frozen"].changed == 6 / 9


def test_a_static_network_of_other_classes(samples):
    other = network(Spread, "spread")
    other = replace(other, config=replace(other.config, labels=LABELS[::-1]))

    with pytest.raises(DataError, match="spread has other classes than trend"):
        diagnose(network(), samples, static=other)


def test_several_shuffles_are_told_apart(samples):
    plays = [Playback(order="shuffled", seed=seed) for seed in range(3)]

    done = diagnose(network(), samples, plays=plays)

    assert list(done.played) == ["shuffled", "shuffled 1", "shuffled 2"]
    assert len({run.key for run in done.played.values()}) == 3


def test_a_pair_of_unknown_classes(samples):
    with pytest.raises(DataError, match="no class 'fade'"):
        diagnose(network(), samples, pairs=[("brighten", "fade")])
