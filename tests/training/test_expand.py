"""A search that trains: its ledger, its choices, its end by a kill, several processes."""

import json
import multiprocessing
import re
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import zoopraxis.training.expand as expand_module
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.errors import RecipeError, TrainingError
from zoopraxis.models import model_spec
from zoopraxis.models.x3d import Expansion, S, clip_settings
from zoopraxis.theatre import ACTIONS
from zoopraxis.training.expand import expand, network_name
from zoopraxis.training.expansion import AXES, count_expansion_macs
from zoopraxis.training.expansion import START as START_OF_PAPER
from zoopraxis.training.ledger import read_ledger
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import default_recipe, read_recipe

EXAMPLE = Path(__file__).parents[2] / "examples" / "expand_theatre.toml"
START = Expansion(t=2, tau=4, s=32 / 112, w=0.34)
COST = count_expansion_macs(START, num_classes=2)
BASE = ["augment.flip=0", "train.epochs=1", "train.batch_size=4", "model.args.dropout=0.0"]


def recipe(data, *changes):
    return default_recipe(str(data), "x3d_s", [*BASE, *changes])


def run(squares, out, *changes, **options):
    settings = {"macs": 1.5 * COST, "start": START, "accelerator": "cpu", **options}
    return expand(recipe(squares, *changes), out, **settings)


@pytest.fixture(scope="module")
def searched(squares, tmp_path_factory):
    """A search of one step, and its lines."""
    out, lines = tmp_path_factory.mktemp("search") / "run", []
    return run(squares, out, say=lines.append), out, lines


def test_a_search_trains_a_candidate_per_axis_and_contracts(searched):
    ledger, _, lines = searched

    (step,) = ledger.steps
    assert list(step.candidates) == list(AXES)
    best = ledger.networks[step.name]
    scores = {
        k: (n.score, -n.loss) for k, n in ledger.networks.items() if k in step.candidates.values()
    }
    assert scores[step.name] == max(scores.values())
    first = ledger.networks[network_name(START)]
    assert first.macs == COST
    assert 1.5 * COST < best.macs < 2.5 * COST
    final = ledger.networks[ledger.final]
    assert COST <= final.macs <= 1.5 * COST
    factor = AXES[step.axis].factor
    assert getattr(final.expansion, factor) <= getattr(best.expansion, factor)
    assert lines[0] == f"the first network, {network_name(START)}"
    assert f"  {step.axis} is best, {100 * step.lead:.1f} points ahead of the second" in lines


def test_every_network_is_a_run_that_opens_as_what_it_is(searched):
    ledger, out, _ = searched

    for name, network in ledger.networks.items():
        opened = open_model(out / network.run)
        clip = opened.clip
        assert clip.sampling.num_frames == network.expansion.num_frames
        assert clip.sampling.stride == network.expansion.stride
        assert clip.input.size == network.expansion.size
        assert opened.config.args["expansion"]["w"] == network.expansion.w
        assert sum(p.numel() for p in opened.model.parameters()) == network.params
        log = (out / network.run / "log.csv").read_text().splitlines()
        row = dict(zip(log[0].split(","), log[-1].split(","), strict=True))
        assert float(row["val_top1"]) == pytest.approx(network.score, rel=1e-5), name


def test_the_ledger_is_read_as_it_was_written(searched):
    ledger, out, _ = searched

    assert read_ledger(out) == ledger
    assert read_ledger(out / "ledger.json").standard_error == pytest.approx(0.25)  # of 4 videos


def test_a_finished_search_trains_nothing_again(searched, squares, monkeypatch):
    ledger, out, _ = searched
    monkeypatch.setattr(expand_module, "train", None)  # would not even be called

    assert run(squares, out, resume=True) == ledger


def test_a_larger_target_goes_on_from_the_networks_there_are(
    searched, squares, tmp_path, monkeypatch
):
    ledger, out, _ = searched
    trained = []

    def counted(*arguments, **options):
        trained.append(arguments[1].name)
        return train(*arguments, **options)

    monkeypatch.setattr(expand_module, "train", counted)
    best = ledger.networks[ledger.steps[0].name]
    more = run(squares, out, resume=True, macs=best.macs)

    assert more.final == ledger.steps[0].name
    assert more.steps == ledger.steps
    assert trained == []
    run(squares, out, resume=True)  # the target of the other tests


def test_a_search_that_is_killed_ends_as_it_would_have(searched, squares, tmp_path, monkeypatch):
    ledger, _, _ = searched
    out, trained = tmp_path / "killed", []

    def killed(recipe, folder, **options):
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append(folder.name)
        return train(recipe, folder, **options)

    monkeypatch.setattr(expand_module, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        run(squares, out)
    assert list(read_ledger(out).networks) == trained
    assert read_ledger(out).final == ""

    def counted(recipe, folder, **options):
        trained.append(folder.name)
        return train(recipe, folder, **options)

    monkeypatch.setattr(expand_module, "train", counted)
    resumed = run(squares, out, resume=True)

    assert len(trained) == len(set(trained)) == len(ledger.networks)
    assert resumed == ledger  # to the last digit of every score


@pytest.mark.slow
def test_processes_find_the_same(searched, squares, tmp_path):
    ledger, _, _ = searched

    both = run(squares, tmp_path / "two", devices=2)

    assert both.networks.keys() == ledger.networks.keys()
    if torch.get_num_threads() == 1:  # the order of sums follows the number of threads
        assert dict(both.networks) == dict(ledger.networks)
        assert (both.steps, both.final) == (ledger.steps, ledger.final)


@pytest.mark.parametrize(
    ("changes", "options", "match"),
    [
        (["model.name=r2plus1d_18"], {}, "r2plus1d_18 is not an X3D"),
        (["model.weights=k400"], {}, r"model\.weights is set"),
        (["clip.size=160"], {}, r"clip\.size is set, and the search decides it"),
        (["data.val_fraction=0"], {}, "needs validation videos"),
        ([], {"macs": COST / 2}, "is not at least the"),
        ([], {"macs": float("nan")}, "is not at least the"),
        ([], {"growth": 1.0}, "growth = 1"),
        ([], {"start": replace(START, s=0.1)}, "11 pixels is too small"),
        ([], {"start": replace(START, b=-1)}, "start b = -1"),
    ],
)
def test_what_is_refused(squares, tmp_path, changes, options, match):
    with pytest.raises(RecipeError, match=match):
        run(squares, tmp_path / "run", *changes, **options)

    assert not (tmp_path / "run").exists()


def test_a_folder_with_another_search_is_refused(searched, squares):
    _, out, _ = searched

    with pytest.raises(TrainingError, match="already holds a search"):
        run(squares, out)
    with pytest.raises(RecipeError, match=r"now lr = 0\.5"):
        run(squares, out, "optim.lr=0.5", resume=True)
    with pytest.raises(TrainingError, match="started with growth = 2"):
        run(squares, out, growth=3.0, resume=True)


def test_a_folder_with_a_run_is_left_alone(squares, tmp_path):
    out = tmp_path / "run"
    train(default_recipe(str(squares), "test_x3d", BASE), out, accelerator="cpu")
    before = (out / "recipe.toml").read_bytes()

    with pytest.raises(TrainingError, match="holds a run of one network"):
        run(squares, out, resume=True)

    assert (out / "recipe.toml").read_bytes() == before


def kill_a_worker():
    while not (workers := multiprocessing.active_children()):
        time.sleep(0.01)
    workers[0].kill()


def test_a_process_that_is_killed_is_named(searched, squares, tmp_path):
    ledger, out, _ = searched
    begun = tmp_path / "begun"
    begun.mkdir()
    shutil.copy(out / "recipe.toml", begun)
    first = dict(list(ledger.networks.items())[:1])
    replace(ledger, networks=first, steps=(), final="").write(begun / "ledger.json")
    killer = threading.Thread(target=kill_a_worker)
    killer.start()

    with pytest.raises(TrainingError, match="a process was killed"):
        run(squares, begun, resume=True, devices=2)

    killer.join()
    assert read_ledger(begun).networks == first


def test_a_ledger_that_is_none_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="cannot be read"):
        read_ledger(tmp_path)
    for text, match in (("{", "is not JSON"), ("[]", "is not a ledger"), ("{}", "has no start")):
        (tmp_path / "ledger.json").write_text(text)
        with pytest.raises(TrainingError, match=match):
            read_ledger(tmp_path)
    (tmp_path / "ledger.json").write_text(json.dumps({"begin": 1}))
    with pytest.raises(TrainingError, match="there is no setting"):
        read_ledger(tmp_path)


def test_the_recipe_of_a_network_trains_it_again(searched, tmp_path):
    ledger, out, _ = searched
    network = ledger.networks[ledger.final]

    again = train(
        read_recipe(out / network.run / "recipe.toml"), tmp_path / "again", accelerator="cpu"
    )

    assert again.history[-1]["val_top1"] == network.score
    assert again.history[-1]["val_loss"] == network.loss


def test_the_example_can_begin_with_what_it_says():
    text = EXAMPLE.read_text()
    (target,) = re.findall(r"--gmacs (\S+)", text)
    assert "--start s=0.5,tau=54" in text
    start = replace(START_OF_PAPER, s=0.5, tau=54)

    example = read_recipe(EXAMPLE)

    assert "expansion" in model_spec(example.model.name).args
    assert not example.clip.keys() & clip_settings(start).keys()
    assert count_expansion_macs(start, num_classes=len(ACTIONS)) <= 1e9 * float(target)


def test_names():
    assert network_name(S) == "13x6-160px-w1-b2.25-d2.2"
    assert network_name(Expansion(t=4, tau=0.3, s=0.5, w=0.05)) == "4x1-56px-w0.05-b1-d1"
