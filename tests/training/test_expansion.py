"""The steps of X3D's search, without training."""

from dataclasses import replace

import pytest

from zoopraxis.models.x3d import X2D, XL, XS, L, M, S, clip_settings
from zoopraxis.training.expansion import (
    AXES,
    START,
    candidates,
    contract,
    count_expansion_macs,
    search,
)

# The axes that lead from X2D to X3D-XL. The paper names the first four (section 4.1); the others
# follow from the published sizes.
TURNS = (
    *("bottleneck", "temporal", "spatial", "depth", "temporal"),  # X3D-XS
    *("temporal", "temporal"),  # contracted, X3D-S
    "spatial",  # X3D-M
    *("depth", "spatial"),  # X3D-L
    "width",  # X3D-XL
)


def follow(turns, start=START, **options):
    """Search with scores that prefer the given axes."""
    remaining = iter(turns)

    def score(expanded):
        turn = next(remaining)
        return {axis: (float(axis == turn),) for axis in expanded}

    return list(search(start, score=score, **options))


def rounded(expansion):
    """What a table of the paper says of a network: its factors with whole pixels and frames."""
    shape = {"t": expansion.num_frames, "tau": expansion.stride, "s": expansion.size}
    return replace(expansion, **shape)


@pytest.mark.parametrize(
    ("published", "steps"), [(XS, 5), (M, 8), (L, 10), (XL, 11)], ids=["XS", "M", "L", "XL"]
)
def test_the_papers_choices_give_its_networks(published, steps):
    path = follow(TURNS, macs=30e9)
    found = path[steps - 1].expansion

    assert [step.axis for step in path] == list(TURNS)
    assert rounded(found) == rounded(published)
    assert found.stages() == published.stages()
    assert clip_settings(found) == clip_settings(published)
    assert count_expansion_macs(found) == count_expansion_macs(published)


def test_the_papers_contraction_gives_its_small_network():
    path = follow(TURNS, macs=2e9)  # 2 GMACs
    assert len(path) == 7

    found = contract(path[-2].expansion, path[-1].axis, macs=2e9)

    assert rounded(path[-1].expansion) == rounded(replace(S, t=16, tau=5))
    assert rounded(found) == rounded(S)
    assert count_expansion_macs(found) == count_expansion_macs(S)


def test_every_candidate_costs_about_twice_as_much():
    grown = candidates(S)

    assert list(grown) == list(AXES)
    for axis, expansion in grown.items():
        ratio = count_expansion_macs(expansion) / count_expansion_macs(S)
        assert ratio == pytest.approx(2, abs=0.1), axis
    assert grown["spatial"].s == 2
    assert grown["fast"].t * grown["fast"].tau == pytest.approx(S.t * S.tau)  # the same duration
    duration = grown["temporal"].t * grown["temporal"].tau
    assert duration == pytest.approx(S.t * S.tau * 4 / 3)


@pytest.mark.parametrize("start", [X2D, replace(X2D, w=0.34, s=0.5), replace(X2D, t=3, d=0.7)])
@pytest.mark.parametrize("growth", [1.1, 2.0, 4.0])
def test_every_candidate_is_another_network_and_costs_more(start, growth):
    for axis, expansion in candidates(start, growth=growth, num_classes=7).items():
        factor = AXES[axis].factor
        assert getattr(expansion, factor) > getattr(start, factor)
        changed = {f for f in "tswbd" if getattr(expansion, f) != getattr(start, f)}
        assert changed == {factor}
        costs = [count_expansion_macs(e, num_classes=7) for e in (start, expansion)]
        assert costs[0] < costs[1]


def test_no_step_is_taken_that_would_be_undone():
    cost = count_expansion_macs(START)

    # 1 % more fits on no axis; 10 % fit another width
    assert follow(["width"], macs=1.01 * cost) == []
    (step,) = follow(["width"], macs=1.1 * cost)
    found = contract(START, step.axis, macs=1.1 * cost)
    assert cost < count_expansion_macs(found) <= 1.1 * cost


def test_of_equal_scores_the_first_axis_is_kept():
    (step,) = search(START, score=lambda expanded: dict.fromkeys(expanded, (0.5,)), macs=25e6)

    assert step.axis == "fast"


def test_a_contraction_keeps_within_the_target_and_may_undo_the_step():
    macs = 1.2 * count_expansion_macs(S)

    for axis in AXES:
        found = contract(S, axis, macs=macs)
        assert count_expansion_macs(found) <= macs
    assert contract(S, "spatial", macs=count_expansion_macs(S)) is S
