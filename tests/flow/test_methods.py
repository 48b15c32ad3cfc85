"""Every method of optical flow finds a shift that is known."""

import json

import cv2
import numpy as np
import pytest
import torch

from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.flow import METHODS, compute_flow, flow_method


@pytest.fixture(scope="module")
def frames():
    """Texture (3, 3, 48, 64) that moves 2 pixels to the right and 1 down at every frame."""
    noise = np.random.default_rng(0).uniform(0, 255, (72, 88, 3)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 2)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    views = [texture[10 - t : 58 - t, 10 - 2 * t : 74 - 2 * t] for t in range(3)]
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", METHODS)
def test_a_shift_is_found(name, frames):
    flow = compute_flow(frames, flow_method(name))

    assert flow.shape == (2, 2, 48, 64)
    assert flow.dtype == torch.float32
    inside = flow[:, :, 8:-8, 8:-8]
    assert (inside[:, 0] - 2).abs().mean() < 0.2
    assert (inside[:, 1] - 1).abs().mean() < 0.2


@pytest.mark.parametrize("name", METHODS)
def test_a_key_says_the_method_and_every_parameter(name):
    method = flow_method(name)

    key = json.loads(method.key)

    assert key.pop("method") == name
    assert type(method)(**key) == method


def test_what_is_no_pair_of_frames_is_refused(frames):
    with pytest.raises(ShapeError, match="fewer"):
        compute_flow(frames[:1], flow_method("dis"))
    with pytest.raises(ShapeError, match="frame 2 is 32x48, the one before it 64x48"):
        compute_flow([frames[0], frames[1][:, :, :32]], flow_method("dis"))


def test_a_name_that_is_unknown_is_refused_with_a_near_one():
    with pytest.raises(ZoopraxisError, match="unknown method of optical flow 'tlv1'") as caught:
        flow_method("tlv1")
    assert "tvl1" in caught.value.hint
