"""What is drawn: its range, its chances, and that it lies inside the frame."""

import math

import numpy as np
import pytest

from zoopraxis.inputs import RGB
from zoopraxis.inputs.augment import Augment, Draw, draw_augment
from zoopraxis.inputs.crops import corner_positions, scaled_size


def rng(seed=0):
    return np.random.default_rng(seed)


def test_multi_scale_crops_are_the_published_ones():
    clip, augment = (
        RGB(resize=256, size=224),
        Augment(crop="multi_scale_corner"),
    )
    generator = rng()
    draws = [draw_augment((256, 340), clip, augment, rng=generator) for _ in range(2000)]
    assert {d.scaled for d in draws} == {(256, 340)}
    # 256 * (1, .875, .75, .66) = 256 224 192 168; neighbours in the list may pair
    sides = [256, 224, 192, 168]
    pairs = {(a, b) for i, a in enumerate(sides) for j, b in enumerate(sides) if abs(i - j) < 2}
    assert {d.box[2:] for d in draws} == pairs
    assert len(pairs) == 10
    at_full = {d.box[:2] for d in draws if d.box[2:] == (192, 192)}
    assert at_full == set(corner_positions((256, 340), (192, 192), 13))


def test_a_multi_scale_side_close_to_the_input_is_the_input():
    clip, augment = (
        RGB(resize=256, size=222),
        Augment(crop="multi_scale_corner"),
    )
    boxes = {draw_augment((256, 340), clip, augment, rng=rng(s)).box[2] for s in range(99)}
    assert boxes == {256, 222, 192, 168}


def test_scale_jitter_spans_its_range_and_crops_inside():
    clip, generator = RGB(resize=256, size=224), rng()
    draws = [draw_augment((240, 320), clip, Augment(), rng=generator) for _ in range(3000)]
    shorter = [d.scaled[0] for d in draws]
    assert (min(shorter), max(shorter)) == (256, 320)
    for draw in draws:
        assert draw.scaled == scaled_size((240, 320), draw.scaled[0])
        top, left, height, width = draw.box
        assert (height, width) == (224, 224)
        assert 0 <= top <= draw.scaled[0] - 224
        assert 0 <= left <= draw.scaled[1] - 224
    assert max(d.box[0] - (d.scaled[0] - 224) for d in draws) == 0  # the last row is reached


def test_scale_jitter_of_a_fixed_shape_scales_both_sides():
    clip = RGB(resize=(128, 171), size=112)
    augment = Augment(jitter=(1.25, 1.25))
    assert draw_augment((240, 320), clip, augment, rng=rng()).scaled == (160, 214)  # 213.75


def test_resized_crops_have_the_area_and_shape_they_drew():
    clip, generator = RGB(size=224), rng()
    augment = Augment(crop="resized", area=(0.25, 0.25), ratio=(1.0, 1.0))
    draw = draw_augment((200, 300), clip, augment, rng=generator)
    assert draw.scaled == (200, 300)
    assert draw.box[2:] == (122, 122)  # sqrt(15000) = 122.47
    boxes = [
        draw_augment((200, 300), clip, Augment(crop="resized"), rng=generator).box
        for _ in range(2000)
    ]
    areas = [h * w / 60_000 for _, _, h, w in boxes]
    ratios = [w / h for _, _, h, w in boxes]
    assert 0.075 < min(areas) < 0.1
    assert 0.84 < max(areas) < 0.892  # 4:3 of all 200 rows: 267 x 200
    assert 0.73 < min(ratios) < 0.77
    assert 1.3 < max(ratios) < 1.36


def test_resized_crops_are_as_often_wide_as_tall():
    generator, augment = rng(), Augment(crop="resized", area=(0.1, 0.3))
    boxes = [draw_augment((200, 300), RGB(), augment, rng=generator).box for _ in range(2000)]
    assert abs(np.mean([math.log(w / h) for _, _, h, w in boxes])) < 0.02


def test_resized_crops_fall_back_to_the_largest_that_fits():
    augment = Augment(crop="resized", area=(1.0, 1.0), ratio=(1.0, 1.0))
    draw = draw_augment((100, 400), RGB(size=112), augment, rng=rng())
    assert draw.box == (0, 150, 100, 100)


def test_center_and_random_crops():
    clip = RGB(resize=128, size=112)
    center = draw_augment((240, 320), clip, Augment(crop="center", flip=0), rng=rng())
    assert center == Draw(scaled=(128, 170), box=(8, 29, 112, 112))
    tops = {
        draw_augment((240, 320), clip, Augment(crop="random"), rng=rng(s)).box[0]
        for s in range(300)
    }
    assert tops == set(range(17))


@pytest.mark.parametrize(("probability", "expected"), [(0.0, 0), (1.0, 200)])
def test_flip_probability(probability, expected):
    augment = Augment(flip=probability)
    flips = [draw_augment((256, 256), RGB(), augment, rng=rng(s)).flip for s in range(200)]
    assert sum(flips) == expected


def test_colours_are_drawn_within_their_strength_in_any_order():
    augment = Augment(brightness=0.4, contrast=0.2)
    draws = [draw_augment((256, 256), RGB(), augment, rng=rng(s)).colour for s in range(200)]
    assert {tuple(name for name, _ in d) for d in draws} == {
        ("brightness", "contrast"),
        ("contrast", "brightness"),
    }
    factors = [dict(d) for d in draws]
    assert 0.6 <= min(f["brightness"] for f in factors) < 0.65
    assert 1.15 < max(f["contrast"] for f in factors) <= 1.2
