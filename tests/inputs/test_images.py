"""Pixels, held to numbers worked out by hand."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from zoopraxis.errors import RecipeError, ShapeError
from zoopraxis.inputs import RGB, Flow, Grey, Media, RGBDiff, RGBFlow
from zoopraxis.inputs.augment import Augment, Draw
from zoopraxis.inputs.images import resize_frames
from zoopraxis.video import open_video

PLAIN = RGB(resize=4, size=4, mean=(0.0,), std=(1.0,), value_range=255.0)
WHOLE = Draw(scaled=(4, 4), box=(0, 0, 4, 4))


def rng(seed=0):
    return np.random.default_rng(seed)


def ramp(height, width, frames=2, channels=3):
    """Pixel values that name their column, row, frame and channel."""
    t, c, y, x = torch.meshgrid(
        *[torch.arange(n) for n in (frames, channels, height, width)], indexing="ij"
    )
    return (x + 10 * y + 40 * c + 120 * t).to(torch.uint8)  # (T, C, H, W)


def one(kind, frames, draw):
    """Prepared clip (C, T, S, S) of frames (T, C, H, W)."""
    return kind.prepare(frames[None], draw)[0]


def crops_of(kind, views, crops=1):
    """Prepared crops of raw views (V, T, C, H, W), as in testing."""
    track = open_video(torch.zeros(1, 3, *views.shape[-2:], dtype=torch.uint8))
    return kind.prepare_crops(views, kind.crops(track, crops))


def test_resize_averages_where_it_shrinks():
    x = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    x[..., ::2] = 200  # stripes: plain bilinear at a quarter would see black alone
    small = resize_frames(x, (2, 2))
    assert small.dtype == torch.uint8
    assert (small.float() - 100).abs().max() <= 15


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (3, 4)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_resize_is_that_of_pillow(size, dtype):
    x = torch.randint(0, 255, (2, 1, 8, 8), dtype=torch.uint8)
    images = [Image.fromarray(image[0].numpy()) for image in x]
    pillows = [image.resize(size[::-1], Image.Resampling.BILINEAR) for image in images]
    expected = torch.from_numpy(np.stack([np.array(image) for image in pillows]))[:, None]
    assert (resize_frames(x.to(dtype), size).float() - expected).abs().max() <= 1


def test_resize_to_the_same_size_is_nothing():
    x = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    assert resize_frames(x, (4, 4)) is x


def test_a_crop_shows_the_pixels_of_its_box():
    out = one(PLAIN.change(size=2), ramp(4, 6), Draw(scaled=(4, 6), box=(1, 3, 2, 2)))
    assert out.shape == (3, 2, 2, 2)  # (C, T, S, S)
    assert out[0, 0].tolist() == [[13, 14], [23, 24]]
    assert out[2, 1].tolist() == [[213, 214], [223, 224]]


def test_a_flip_mirrors_every_frame():
    straight = one(PLAIN, ramp(4, 4), WHOLE)
    flipped = one(PLAIN, ramp(4, 4), Draw(scaled=(4, 4), box=(0, 0, 4, 4), flip=True))
    assert flipped[1, 1, 0].tolist() == [163, 162, 161, 160]
    assert torch.equal(flipped, straight.flip(-1))


def test_normalisation_in_units_of_the_value_range():
    frames = torch.full((1, 3, 4, 4), 51, dtype=torch.uint8)  # a fifth of 255
    frames[:, 2] = 255
    unit = PLAIN.change(value_range=1.0, mean=(0.1, 0.2, 0.5), std=(0.1, 0.5, 0.25))
    assert one(unit, frames, WHOLE)[:, 0, 0, 0].tolist() == pytest.approx([1, 0, 2])
    caffe = PLAIN.change(channel_order="bgr", mean=(104.0, 117.0, 123.0), std=(1.0,) * 3)
    assert one(caffe, frames, WHOLE)[:, 0, 0, 0].tolist() == pytest.approx([151, -66, -72])


def test_grey_weighs_the_colours():
    frames = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    frames[:, 1] = 100
    kind = Grey(resize=4, size=4, mean=(0.0,), std=(1.0,), value_range=255.0)
    out = one(kind, frames, WHOLE)
    assert out.shape == (1, 1, 4, 4)
    assert out[0, 0, 0, 0].item() == pytest.approx(58.7)


FLIP = Draw(scaled=(4, 4), box=(0, 0, 4, 4), flip=True)
FLOW = Flow(resize=4, size=4, mean=(0.0,), std=(1.0,), value_range=255.0)


def test_a_flip_of_flow_negates_what_is_horizontal():
    codes = torch.full((1, 2, 4, 4), 100, dtype=torch.uint8)
    assert one(FLOW, codes, FLIP)[:, 0, 0, 0].tolist() == pytest.approx([155, 100])
    pixels = torch.full((1, 2, 4, 4), 3.5)
    pixels[..., 0] = 2.0
    signed = Flow(resize=4, size=4, mean=(0.5,), std=(0.5 / 20,), bound=20.0)  # pixels again
    out = one(signed, pixels, FLIP)
    assert out[0, 0, 0].tolist() == pytest.approx([-3.5, -3.5, -3.5, -2.0], abs=1e-5)
    assert out[1, 0, 0].tolist() == pytest.approx([3.5, 3.5, 3.5, 2.0], abs=1e-5)


def test_flow_is_clipped_at_its_bound():
    pixels = torch.tensor([-50.0, -20.0, 0.0, 20.0, 50.0])[:, None, None, None].expand(5, 2, 4, 4)
    assert one(FLOW, pixels, WHOLE)[0, :, 0, 0].tolist() == pytest.approx([0, 0, 127.5, 255, 255])


def test_flow_beside_rgb_flips_as_flow():
    kind = RGBFlow(resize=4, size=4, mean=(0.0,), std=(1.0,), value_range=255.0)
    frames = ramp(4, 4)[None]
    codes = torch.full((1, 2, 2, 4, 4), 100, dtype=torch.uint8)
    out = kind.prepare((frames, codes), FLIP)[0]  # (5, 2, 4, 4)
    assert torch.equal(out[:3], one(PLAIN, frames[0], FLIP))
    assert out[3:, 0, 0, 0].tolist() == pytest.approx([155, 100])


def test_differences_of_neighbours():
    video = open_video(
        torch.tensor([0, 1, 3, 100, 107, 120], dtype=torch.uint8)[:, None, None, None].expand(
            6, 3, 4, 4
        )
    )
    kind = RGBDiff(resize=4, size=4, value_range=255.0)
    with kind.open(Media(path=video)) as track:
        assert track.num_frames == 5
        (draw,) = kind.crops(track, 1)
        raw = kind.read(track, np.array([[0, 1, 3, 4]]), draw)  # two segments of two differences
    out = kind.prepare(raw, draw)
    assert out.shape == (1, 3, 4, 4, 4)
    assert out[0, 0, :, 0, 0].tolist() == pytest.approx([1, 2, 7, 13])


def test_views_come_before_crops():
    frames = torch.stack([ramp(4, 8), ramp(4, 8) + 3])  # (V=2, T, C, H, W)
    out = crops_of(PLAIN.change(size=2), frames, crops=3)
    assert out.shape == (6, 3, 2, 2, 2)
    # second row, left, middle and right column of the first view, then of the second
    assert out[:, 0, 0, 0, 0].tolist() == [10, 13, 16, 13, 16, 19]


def test_one_draw_for_all_frames_of_a_clip():
    frames = torch.randint(0, 256, (1, 3, 40, 60), dtype=torch.uint8).expand(5, -1, -1, -1)
    kind = RGB(resize=40, size=32)
    augment = Augment(brightness=0.5, contrast=0.5, saturation=0.5)
    with kind.open(Media(path=frames)) as track:
        draws = [kind.draw(track, augment, rng=rng(seed)) for seed in (1, 1, 2)]
        raw = track.frames_at(np.arange(5)[None])
        a, b, c = (kind.prepare(raw, draw)[0] for draw in draws)
    assert a.shape == (3, 5, 32, 32)
    torch.testing.assert_close(a, a[:, :1].expand_as(a))  # frames that are alike stay alike
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_colour_changes():
    kind = PLAIN.change(size=2, resize=2)
    frames = torch.tensor([40, 80, 120], dtype=torch.uint8)[None, :, None, None].expand(1, 3, 2, 2)
    grey = 0.299 * 40 + 0.587 * 80 + 0.114 * 120  # 72.6

    def changed(name, factor):
        draw = Draw(scaled=(2, 2), box=(0, 0, 2, 2), colour=((name, factor),))
        return one(kind, frames, draw)[:, 0, 0, 0].tolist()

    assert changed("brightness", 1.5) == pytest.approx([60, 120, 180])
    assert changed("brightness", 3.0) == pytest.approx([120, 240, 255])  # stays an image
    half = [(v + grey) / 2 for v in (40, 80, 120)]
    assert changed("saturation", 0.5) == pytest.approx(half)
    assert changed("contrast", 0.5) == pytest.approx(half)  # one colour: its mean grey


def test_contrast_has_one_mean_per_clip():
    frames = torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    frames[1] = 100
    draw = Draw(scaled=(2, 2), box=(0, 0, 2, 2), colour=(("contrast", 0.5),))
    out = one(PLAIN.change(size=2, resize=2), frames, draw)
    assert out[0, :, 0, 0].tolist() == pytest.approx([25, 75])


def test_the_label_follows_the_flip():
    augment = Augment(left_right=((3, 4), (7, 9)))
    assert [augment.relabel(k, flipped=True) for k in (3, 4, 5, 7, 9)] == [4, 3, 5, 9, 7]
    assert augment.relabel(3, flipped=False) == 3


@pytest.mark.parametrize(("kind", "channels"), [(PLAIN, 2), (FLOW, 3)])
def test_images_of_other_channels_are_refused(kind, channels):
    images = torch.zeros(1, 2, channels, 4, 4, dtype=torch.uint8)
    with pytest.raises(ShapeError, match=rf"C = {kind.channels}"):
        kind.prepare(images, WHOLE)


def test_a_mean_for_each_channel_or_one_for_all():
    with pytest.raises(ShapeError, match="mean has 3 values for the 2 channels"):
        Flow(mean=(1.0, 2.0, 3.0))


def test_flow_has_no_colours():
    with (
        open_video(torch.zeros(2, 3, 300, 300, dtype=torch.uint8)) as track,
        pytest.raises(RecipeError, match="'flow' input cannot be jittered"),
    ):
        Flow().draw(track, Augment(brightness=0.1), rng=rng())


def test_the_usual_case_is_imagenet_normalised_and_square():
    frames = torch.randint(0, 256, (2, 4, 3, 64, 96), dtype=torch.uint8)
    out = crops_of(RGB(resize=64, size=56), frames)  # centre: rows 4, columns 20
    pixel = frames[1, 2, 0, 4, 20].item() / 255
    assert out[1, 0, 2, 0, 0].item() == pytest.approx((pixel - 0.485) / 0.229, rel=1e-5)
    assert out.is_contiguous()
    assert math.prod(out.shape) == 2 * 3 * 4 * 56 * 56
