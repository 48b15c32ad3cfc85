"""The complexity-accuracy picture."""

import numpy as np
from PIL import Image

from zoopraxis.models.x3d import Expansion
from zoopraxis.training.expansion import AXES
from zoopraxis.training.expansion_picture import draw_expansion
from zoopraxis.training.ledger import Choice, Ledger, TrainedNetwork


def network(macs, score):
    return TrainedNetwork(
        expansion=Expansion(), macs=macs, params=1000, score=score, loss=1.0, run="networks/x"
    )


def ledger(**changes):
    candidates = {axis: f"net{number}" for number, axis in enumerate(AXES)}
    networks = {"start": network(10**7, 0.3)}
    networks |= {
        name: network(2 * 10**7, 0.4 + i / 50) for i, name in enumerate(candidates.values())
    }
    settings = {
        "start": Expansion(),
        "growth": 2.0,
        "macs": 1.5e7,
        "metric": "val_top1",
        "labels": ("a", "b"),
        "videos": (80, 20),
        "networks": {**networks, "end": network(15 * 10**6, 0.35)},
        "steps": (Choice(candidates=candidates, axis="bottleneck", lead=0.02),),
        "final": "end",
    }
    return Ledger(**{**settings, **changes})


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_another_search_is_another_picture(tmp_path):
    whole, begun = tmp_path / "whole.png", tmp_path / "begun.png"

    draw_expansion(ledger(), whole)
    draw_expansion(ledger(steps=(), final=""), begun)

    assert pixels(whole).shape == pixels(begun).shape
    assert (pixels(whole) != pixels(begun)).any()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["begun.png", "whole.png"]


def test_mean_average_precision_has_no_standard_error(tmp_path):
    several = ledger(metric="val_map")

    assert several.standard_error is None
    draw_expansion(several, tmp_path / "map.png")
    assert (pixels(tmp_path / "map.png") < 128).any()
