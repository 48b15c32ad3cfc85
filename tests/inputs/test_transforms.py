"""Pixels, held to numbers worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from zoopraxis.inputs.augment import Augment, Draw
from zoopraxis.errors import RecipeError, ShapeError
from zoopraxis.spec import ClipSpec
from zoopraxis.inputs.transforms import apply_draw, prepare_test, prepare_train, resize_frames

PLAIN = ClipSpec(frames=2, resize=4, size=4, mean=(0.0,), std=(1.0,), value_range=255.0)


def rng(seed=0):
    return np.random.default_rng(seed)


def ramp(height, width, frames=2, channels=3):
    """Pixel values that name their column, row, frame and channel."""
    t, c, y, x = torch.meshgrid(
        *[torch.arange(n) for n in (frames, channels, height, width)], indexing="ij"
    )
    return (x + 10 * y + 40 * c + 120 * t).to(torch.uint8)  # (T, C, H, W)


def test_resize_averages_where_it_shrinks():
    x = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    x[..., ::2] = 200  # stripes: plain bilinear at a quarter would see black alone
    small = resize_frames(x, (2, 2))
    assert small.dtype == torch.uint8
    assert (small.float() - 100).abs().max() <= 15


def test_resize_to_the_same_size_is_nothing():
    x = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    assert resize_frames(x, (4, 4)) is x


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
