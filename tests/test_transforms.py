"""Pixels, boxes and draws, held to numbers worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from zoopraxis.errors import RecipeError, ShapeError, ZoopraxisError
from zoopraxis.spec import ClipSpec
from zoopraxis.transforms import (
    Augment,
    Draw,
    apply_draw,
    corner_positions,
    crop_boxes,
    draw_augment,
    prepare_test,
    prepare_train,
    resize_frames,
    scaled_size,
)

PLAIN = ClipSpec(frames=2, resize=4, size=4, mean=(0.0,), std=(1.0,), value_range=255.0)


def rng(seed=0):
    return np.random.default_rng(seed)


def ramp(height, width, frames=2, channels=3):
    """Pixel values that name their column, row, frame and channel."""
    t, c, y, x = torch.meshgrid(
        *[torch.arange(n) for n in (frames, channels, height, width)], indexing="ij"
    )
    return (x + 10 * y + 40 * c + 120 * t).to(torch.uint8)  # (T, C, H, W)


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        ((240, 320), 128, (128, 170)),  # 170.67 down
        ((320, 240), 128, (170, 128)),
        ((1080, 1920), 256, (256, 455)),  # 455.1
        ((256, 340), 256, (256, 340)),
        ((240, 320), (128, 171), (128, 171)),
    ],
)
def test_scaled_size(size, resize, expected):
    assert scaled_size(size, resize) == expected


def test_resize_averages_where_it_shrinks():
    x = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    x[..., ::2] = 200  # stripes: plain bilinear at a quarter would see black alone
    small = resize_frames(x, (2, 2))
    assert small.dtype == torch.uint8
    assert (small.float() - 100).abs().max() <= 15


def test_resize_to_the_same_size_is_nothing():
    x = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    assert resize_frames(x, (4, 4)) is x


def test_crops_of_a_wide_frame():
    boxes = {n: [b[:2] for b, _ in crop_boxes((128, 171), 112, n)] for n in (1, 3, 5)}
    # 16 rows and 59 columns of room: 29.5 is rounded to 30 by torchvision, and up by PySlowFast
    assert boxes[1] == [(8, 30)]
    assert boxes[3] == [(8, 0), (8, 30), (8, 59)]
    assert boxes[5] == [(0, 0), (0, 59), (16, 0), (16, 59), (8, 30)]


def test_centres_are_rounded_as_their_origin_does():
    # room 57: 28.5 is 28 in torchvision's CenterCrop, 29 in PySlowFast's uniform_crop
    assert crop_boxes((112, 169), 112, 1)[0][0] == (0, 28, 112, 112)
    assert crop_boxes((112, 169), 112, 3)[1][0] == (0, 29, 112, 112)


def test_three_crops_of_a_tall_frame_go_down():
    assert [b[:2] for b, _ in crop_boxes((300, 256), 256, 3)] == [(0, 0), (22, 0), (44, 0)]


def test_ten_crops_are_five_and_their_mirror_images():
    ten = crop_boxes((128, 171), 112, 10)
    assert [box for box, _ in ten[:5]] == [box for box, _ in ten[5:]]
    assert [flip for _, flip in ten] == [False] * 5 + [True] * 5


def test_unknown_crops_and_small_frames_are_refused():
    with pytest.raises(ZoopraxisError, match="no test with 4 crops"):
        crop_boxes((128, 171), 112, 4)
    with pytest.raises(ShapeError, match="100x200 pixels are smaller than the crop of 112"):
        crop_boxes((100, 200), 112, 1)


def test_corner_positions_of_tsn():
    # 256x340 frame, crop 224x192: room 32 and 148, steps 8 and 37
    five = corner_positions((256, 340), (224, 192), 5)
    assert five == [(0, 0), (0, 148), (32, 0), (32, 148), (16, 74)]
    more = corner_positions((256, 340), (224, 192), 13)
    assert more[:5] == five
    assert more[5:] == [
        (16, 0),
        (16, 148),
        (32, 74),
        (0, 74),
        (8, 37),
        (8, 111),
        (24, 37),
        (24, 111),
    ]


def test_corners_may_miss_the_edge():
    assert corner_positions((7, 7), (4, 4), 5)[3] == (0, 0)  # 3 // 4 = 0


def test_multi_scale_crops_are_the_published_ones():
    clip, augment = ClipSpec(resize=256, size=224), Augment(crop="multi_scale_corner")
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
    clip, augment = ClipSpec(resize=256, size=222), Augment(crop="multi_scale_corner")
    boxes = {draw_augment((256, 340), clip, augment, rng=rng(s)).box[2] for s in range(99)}
    assert boxes == {256, 222, 192, 168}


def test_scale_jitter_spans_its_range_and_crops_inside():
    clip, generator = ClipSpec(resize=256, size=224), rng()
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
    clip = ClipSpec(resize=(128, 171), size=112)
    augment = Augment(jitter=(1.25, 1.25))
    assert draw_augment((240, 320), clip, augment, rng=rng()).scaled == (160, 214)  # 213.75


def test_resized_crops_have_the_area_and_shape_they_drew():
    clip, generator = ClipSpec(size=224), rng()
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
    boxes = [draw_augment((200, 300), ClipSpec(), augment, rng=generator).box for _ in range(2000)]
    assert abs(np.mean([math.log(w / h) for _, _, h, w in boxes])) < 0.02


def test_resized_crops_fall_back_to_the_largest_that_fits():
    augment = Augment(crop="resized", area=(1.0, 1.0), ratio=(1.0, 1.0))
    draw = draw_augment((100, 400), ClipSpec(size=112), augment, rng=rng())
    assert draw.box == (0, 150, 100, 100)


def test_center_and_random_crops():
    clip = ClipSpec(resize=128, size=112)
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
    flips = [draw_augment((256, 256), ClipSpec(), augment, rng=rng(s)).flip for s in range(200)]
    assert sum(flips) == expected


def test_colours_are_drawn_within_their_strength_in_any_order():
    augment = Augment(brightness=0.4, contrast=0.2)
    draws = [draw_augment((256, 256), ClipSpec(), augment, rng=rng(s)).colour for s in range(200)]
    assert {tuple(name for name, _ in d) for d in draws} == {
        ("brightness", "contrast"),
        ("contrast", "brightness"),
    }
    factors = [dict(d) for d in draws]
    assert 0.6 <= min(f["brightness"] for f in factors) < 0.65
    assert 1.15 < max(f["contrast"] for f in factors) <= 1.2


def test_a_crop_shows_the_pixels_of_its_box():
    frames = ramp(4, 6)
    out = apply_draw(frames, replace(PLAIN, size=2), Draw(scaled=(4, 6), box=(1, 3, 2, 2)))
    assert out.shape == (3, 2, 2, 2)  # (C, T, S, S)
    assert out[0, 0].tolist() == [[13, 14], [23, 24]]
    assert out[2, 1].tolist() == [[213, 214], [223, 224]]


def test_a_flip_mirrors_every_frame():
    frames = ramp(4, 4)
    straight = apply_draw(frames, PLAIN, Draw(scaled=(4, 4), box=(0, 0, 4, 4)))
    flipped = apply_draw(frames, PLAIN, Draw(scaled=(4, 4), box=(0, 0, 4, 4), flip=True))
    assert flipped[1, 1, 0].tolist() == [163, 162, 161, 160]
    assert torch.equal(flipped, straight.flip(-1))


def test_normalisation_in_units_of_the_value_range():
    frames = torch.full((1, 3, 4, 4), 51, dtype=torch.uint8)  # a fifth of 255
    frames[:, 2] = 255
    draw = Draw(scaled=(4, 4), box=(0, 0, 4, 4))
    unit = replace(PLAIN, value_range=1.0, mean=(0.1, 0.2, 0.5), std=(0.1, 0.5, 0.25))
    assert apply_draw(frames, unit, draw)[:, 0, 0, 0].tolist() == pytest.approx([1, 0, 2])
    caffe = replace(PLAIN, channel_order="bgr", mean=(104.0, 117.0, 123.0), std=(1.0,) * 3)
    assert apply_draw(frames, caffe, draw)[:, 0, 0, 0].tolist() == pytest.approx([151, -66, -72])


def test_grey_weighs_the_colours():
    frames = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    frames[:, 1] = 100
    out = apply_draw(frames, replace(PLAIN, modality="gray"), Draw(scaled=(4, 4), box=(0, 0, 4, 4)))
    assert out.shape == (1, 1, 4, 4)
    assert out[0, 0, 0, 0].item() == pytest.approx(58.7)


def test_a_flip_of_flow_negates_what_is_horizontal():
    clip = replace(PLAIN, modality="flow", value_range=255.0)
    draw = Draw(scaled=(4, 4), box=(0, 0, 4, 4), flip=True)
    pictures = torch.full((1, 2, 4, 4), 100, dtype=torch.uint8)
    assert apply_draw(pictures, clip, draw)[:, 0, 0, 0].tolist() == [155, 100]
    pixels = torch.full((1, 2, 4, 4), 3.5)
    pixels[..., 0] = 2.0
    out = apply_draw(pixels, clip, draw)  # float flow is in the model's units already
    assert out[0, 0, 0].tolist() == pytest.approx([-3.5, -3.5, -3.5, -2.0])
    assert out[1, 0, 0].tolist() == pytest.approx([3.5, 3.5, 3.5, 2.0])


def test_differences_stay_within_their_segment():
    clip = replace(PLAIN, modality="rgb_diff", sampling="segments", frames=2, stack=2)
    values = torch.tensor([0, 1, 3, 100, 107, 120], dtype=torch.uint8)  # three frames per segment
    frames = values[:, None, None, None].expand(6, 3, 4, 4)
    out = prepare_test(frames[None], clip)
    assert out.shape == (1, 3, 4, 4, 4)
    assert out[0, 0, :, 0, 0].tolist() == pytest.approx([1, 2, 7, 13])


def test_dense_differences():
    clip = replace(PLAIN, modality="rgb_diff", frames=3)
    values = torch.tensor([5, 1, 3, 9], dtype=torch.uint8)
    out = prepare_test(values[None, :, None, None, None].expand(1, 4, 3, 4, 4), clip)
    assert out[0, 0, :, 0, 0].tolist() == pytest.approx([-4, 2, 6])


def test_views_come_before_crops():
    clip = replace(PLAIN, size=2)
    frames = torch.stack([ramp(4, 8), ramp(4, 8) + 3])  # (V=2, T, C, H, W)
    out = prepare_test(frames, clip, crops=3)
    assert out.shape == (6, 3, 2, 2, 2)
    # second row, left, middle and right column of the first view, then of the second
    assert out[:, 0, 0, 0, 0].tolist() == [10, 13, 16, 13, 16, 19]


def test_one_draw_for_all_frames_and_one_for_each_view():
    frames = torch.randint(0, 256, (1, 1, 3, 40, 60), dtype=torch.uint8).expand(2, 5, -1, -1, -1)
    clip = ClipSpec(frames=5, resize=40, size=32)
    augment = Augment(brightness=0.5, contrast=0.5, saturation=0.5)
    out = prepare_train(frames, clip, augment, rng=rng())  # (V, C, T, S, S)
    assert out.shape == (2, 3, 5, 32, 32)
    assert (out == out[:, :, :1]).all()  # frames that are alike stay alike
    assert not torch.equal(out[0], out[1])


def test_training_is_a_function_of_the_generator():
    frames = ramp(40, 60)[None]
    clip = ClipSpec(frames=2, resize=40, size=32)
    a, b, c = (prepare_train(frames, clip, Augment(), rng=rng(s)) for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_colour_changes():
    clip = replace(PLAIN, size=2, resize=2)
    frames = torch.tensor([40, 80, 120], dtype=torch.uint8)[None, :, None, None].expand(1, 3, 2, 2)
    grey = 0.299 * 40 + 0.587 * 80 + 0.114 * 120  # 72.6

    def changed(name, factor):
        draw = Draw(scaled=(2, 2), box=(0, 0, 2, 2), colour=((name, factor),))
        return apply_draw(frames, clip, draw)[:, 0, 0, 0].tolist()

    assert changed("brightness", 1.5) == pytest.approx([60, 120, 180])
    assert changed("brightness", 3.0) == pytest.approx([120, 240, 255])  # stays a picture
    half = [(v + grey) / 2 for v in (40, 80, 120)]
    assert changed("saturation", 0.5) == pytest.approx(half)
    assert changed("contrast", 0.5) == pytest.approx(half)  # one colour: its mean grey


def test_contrast_has_one_mean_per_clip():
    clip = replace(PLAIN, size=2, resize=2)
    frames = torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    frames[1] = 100
    draw = Draw(scaled=(2, 2), box=(0, 0, 2, 2), colour=(("contrast", 0.5),))
    assert apply_draw(frames, clip, draw)[0, :, 0, 0].tolist() == pytest.approx([25, 75])


def test_the_label_follows_the_flip():
    augment = Augment(left_right=((3, 4), (7, 9)))
    assert [augment.relabel(k, flipped=True) for k in (3, 4, 5, 7, 9)] == [4, 3, 5, 9, 7]
    assert augment.relabel(3, flipped=False) == 3
    with pytest.raises(RecipeError, match="left_right"):
        prepare_train(ramp(40, 60)[None], ClipSpec(), augment, rng=rng())


@pytest.mark.parametrize(
    ("clip", "channels", "problem"),
    [
        (PLAIN, 2, "not .T, C, H, W. of a rgb clip"),
        (replace(PLAIN, modality="flow"), 3, "of a flow clip"),
        (replace(PLAIN, modality="skeleton"), 3, "of a skeleton clip"),
        (replace(PLAIN, modality="flow", mean=(1.0, 2.0, 3.0)), 2, "3 means and 1 stds for 2"),
    ],
)
def test_frames_that_do_not_fit_are_refused(clip, channels, problem):
    frames = torch.zeros(1, 2, channels, 4, 4, dtype=torch.uint8)
    with pytest.raises(ShapeError, match=problem):
        prepare_test(frames, clip)


def test_flow_has_no_colours():
    clip = replace(PLAIN, modality="flow")
    frames = torch.zeros(1, 2, 2, 8, 8, dtype=torch.uint8)
    with pytest.raises(RecipeError, match="flow clip cannot be jittered"):
        prepare_train(frames, clip, Augment(brightness=0.1), rng=rng())


def test_the_usual_case_is_imagenet_normalised_and_square():
    frames = torch.randint(0, 256, (2, 4, 3, 64, 96), dtype=torch.uint8)
    clip = ClipSpec(frames=4, resize=64, size=56)
    out = prepare_test(frames, clip)  # centre: rows 4, columns 20
    pixel = frames[1, 2, 0, 4, 20].item() / 255
    assert out[1, 0, 2, 0, 0].item() == pytest.approx((pixel - 0.485) / 0.229, rel=1e-5)
    assert out.is_contiguous()
    assert math.prod(out.shape) == 2 * 3 * 4 * 56 * 56
