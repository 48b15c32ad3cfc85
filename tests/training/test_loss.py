"""Targets, mixup and losses, by hand."""

import math

import numpy as np
import pytest
import torch

from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.errors import DataError
from zoopraxis.training.loss import class_offsets, class_weights, loss_sum, mixup, targets_of


def test_targets():
    assert targets_of([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert targets_of([(0, 2), ()], 3).tolist() == [[1, 0, 1], [0, 0, 0]]


def test_mixup_mixes_clips_and_targets_alike():
    targets = torch.eye(4)
    clips = torch.arange(4.0)[:, None, None, None, None].expand(4, 3, 2, 2, 2)

    (mixed,), soft = mixup((clips,), targets, alpha=0.4, rng=np.random.default_rng(0))

    assert torch.allclose(soft.sum(1), torch.ones(4))
    assert torch.allclose(mixed[:, 0, 0, 0, 0], soft @ torch.arange(4.0))  # clip k is filled by k
    assert not torch.equal(soft, targets)


def test_no_mixup_without_alpha():
    clips, targets = torch.rand(2, 3, 1, 1, 1), torch.eye(2)
    assert mixup((clips,), targets, alpha=0, rng=np.random.default_rng(0)) == ((clips,), targets)


def test_cross_entropy_is_summed_and_smoothed():
    logits = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])  # probabilities 1/4, 3/4
    targets = targets_of([1, 0], 2)

    loss = loss_sum(logits, targets, multi_label=False)
    smooth = loss_sum(logits, targets, multi_label=False, label_smoothing=0.2)

    assert loss.item() == pytest.approx(-math.log(3 / 4) - math.log(1 / 4))
    # targets (0.1, 0.9) and (0.9, 0.1): together one of each, whatever the smoothing
    assert smooth.item() == pytest.approx(-math.log(3 / 4) - math.log(1 / 4))
    one = loss_sum(logits[:1], targets[:1], multi_label=False, label_smoothing=0.2)
    assert one.item() == pytest.approx(-0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4))


def test_several_labels_are_a_mean_over_classes():
    logits = torch.tensor([[0.0, math.log(3)]])  # probabilities 1/2, 3/4
    loss = loss_sum(logits, torch.tensor([[1.0, 0.0]]), multi_label=True)
    assert loss.item() == pytest.approx((-math.log(1 / 2) - math.log(1 / 4)) / 2)


def test_half_precision_logits_are_summed_in_float32():
    logits = torch.full((300, 400), 0.0, dtype=torch.bfloat16)
    loss = loss_sum(logits, targets_of([0] * 300, 400), multi_label=False)
    assert loss.item() == pytest.approx(300 * math.log(400), rel=1e-5)


def test_focal_loss_by_hand():
    logits = torch.tensor([[0.0, math.log(3)]])  # probabilities 1/4, 3/4; sigmoids 1/2, 3/4
    easy, hard = targets_of([1], 2), targets_of([0], 2)

    def focal(targets, multi_label):
        return loss_sum(logits, targets, multi_label=multi_label, focal=2).item()

    assert focal(easy, False) == pytest.approx(-((1 / 4) ** 2) * math.log(3 / 4))
    assert focal(hard, False) == pytest.approx(-((3 / 4) ** 2) * math.log(1 / 4))
    # of 2 classes: the first is there and the second not
    terms = (1 / 2) ** 2 * math.log(1 / 2) + (3 / 4) ** 2 * math.log(1 / 4)
    assert focal(hard, True) == pytest.approx(-terms / 2)


@pytest.mark.parametrize("multi_label", [False, True])
def test_focal_gradients_are_finite_for_extreme_logits(multi_label):
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss_sum(logits, torch.eye(2)[[0, 0]], multi_label=multi_label, focal=1).backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[1].abs().sum() > 0


def listed(*labels, names="ab"):
    samples = tuple(
        Sample(path=f"{n}.mp4", label=label, group="", name="") for n, label in enumerate(labels)
    )
    return SampleList(samples=samples, labels=tuple(names), root="list.csv")


def test_class_weights_by_hand():
    weights = class_weights(listed(0, 0, 0, 1))
    torch.testing.assert_close(weights, torch.tensor([4 / (2 * 3), 4 / 2]))  # mean of the 4: 1
    logits = torch.tensor([[0.0, math.log(3)]])  # probabilities 1/4, 3/4

    def loss(label, **settings):
        targets = targets_of([label], 2)
        return loss_sum(logits, targets, multi_label=False, weights=weights, **settings).item()

    assert loss(0) == pytest.approx(-2 / 3 * math.log(1 / 4))
    assert loss(1) == pytest.approx(-2 * math.log(3 / 4))
    assert loss(1, focal=2) == pytest.approx(-2 * (1 / 4) ** 2 * math.log(3 / 4))
    smooth = -2 / 3 * 0.1 * math.log(1 / 4) - 2 * 0.9 * math.log(3 / 4)
    assert loss(1, label_smoothing=0.2) == pytest.approx(smooth)


def test_logit_adjustment_by_hand():
    offsets = class_offsets(listed(0, 0, 0, 1), tau=1)
    torch.testing.assert_close(offsets, torch.tensor([3 / 4, 1 / 4]).log())
    logits = torch.tensor([[0.0, math.log(3)]])
    # 1 x 3/4 and 3 x 1/4: equal
    for label in (0, 1):
        targets = targets_of([label], 2)
        loss = loss_sum(logits, targets, multi_label=False, offsets=offsets)
        assert loss.item() == pytest.approx(math.log(2))
    twice = class_offsets(listed(0, 0, 0, 1), tau=2)
    torch.testing.assert_close(twice, 2 * offsets)


@pytest.mark.parametrize("terms", [class_weights, lambda one: class_offsets(one, tau=1)])
def test_a_class_without_clips_is_named(terms):
    with pytest.raises(DataError, match=r"list\.csv has no video of the class 'b'"):
        terms(listed(0, 2, names="abc"))
