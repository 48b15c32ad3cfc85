"""TRN: which relations are drawn, their logits by hand, and the authors' numbers."""

from itertools import combinations
from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import rename
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.models.trn import MultiScale, SingleScale, draw_relations
from zoopraxis.spec import Source
from zoopraxis.testing import count_params, noise_clip, read_golden, relative_error
from zoopraxis.weights.trn import RENAME_RELATIONS

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize(
    ("golden", "head"),
    [
        ("trn_multiscale_8_seed0", MultiScale(8, 256, num_classes=174, seed=0)),
        ("trn_multiscale_8_all", MultiScale(8, 256, num_classes=174, subsample=None)),
        ("trn_single_8", SingleScale(8, 256, num_classes=174)),
    ],
)
@torch.no_grad()
def test_relations_give_the_references_logits(golden, head):
    golden = read_golden(golden, GOLDEN)
    rules = (*RENAME_RELATIONS, (r"^head\.", ""))
    head.load_state_dict(rename(golden.state_dict(), Source(rename=rules)))

    assert relative_error(head.eval()(golden.input()), golden.output) < golden.tolerance


def test_relations_are_few_ordered_and_repeatable():
    drawn = draw_relations(5, 3, seed=1)

    assert [len(scale) for scale in drawn] == [1, 3, 3, 3]  # of 5, 4, 3 and 2 frames
    assert drawn == draw_relations(5, 3, seed=1) != draw_relations(5, 3, seed=2)
    assert [len(s) for s in draw_relations(5, None, seed=0)] == [1, 5, 10, 10]


@torch.no_grad()
def test_all_relations_of_two_among_three_frames_by_hand():
    head = MultiScale(3, 1, num_classes=1, subsample=None)
    for relation in head.relations:
        for layer in (relation.hidden, relation.out):
            torch.nn.init.zeros_(layer.bias)
            torch.nn.init.zeros_(layer.weight)
        relation.out.weight[0, 0] = 1
    head.relations[1].hidden.weight[0] = torch.tensor([1.0, -1.0])  # first minus second
    x = torch.tensor([[[5.0], [3.0], [1.0]]])

    pairs = [max(a - b, 0) for a, b in combinations([5, 3, 1], 2)]
    assert head.eval()(x).item() == sum(pairs) == 8
    assert head(x.flip(1)).item() == 0


@torch.no_grad()
def test_training_draws_new_relations_and_evaluation_does_not():
    torch.manual_seed(0)
    head = MultiScale(8, 4, num_classes=2)
    x = noise_clip((1, 8, 4))

    assert torch.equal(head.eval()(x), head(x))
    assert not torch.equal(head.train()(x), head(x))


@torch.no_grad()
def test_says_how_many_frames_it_relates():
    with pytest.raises(ShapeError, match="this network relates 4 frames, the clip has 3"):
        create_model("test_trn")(noise_clip((1, 3, 3, 64, 64)))


@pytest.mark.parametrize("kind", [MultiScale, SingleScale])
def test_every_relation_is_reset(kind):
    head = kind(4, 8, num_classes=5)
    hidden = [key for key in head.state_dict() if "hidden" in key]
    before = {key: tensor.clone() for key, tensor in head.state_dict().items()}

    head.reset(3)

    after = head.state_dict()
    assert head.num_classes == 3
    assert all(torch.equal(after[key], before[key]) for key in hidden)
    assert all(len(after[key]) == 3 for key in after if key not in hidden)


def test_parameters_of_the_authors_code():
    with torch.device("meta"):
        assert count_params(create_model("trn_bninception_8")) == 13141218
