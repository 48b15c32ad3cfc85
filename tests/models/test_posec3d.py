"""PoseC3D: shapes, crops of training, how far the network looks in time."""

import numpy as np
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.inputs import Media
from zoopraxis.layers.inflated_resnet import InflatedBottleneck
from zoopraxis.models import model_spec
from zoopraxis.models.posec3d import LIMBS
from zoopraxis.skeletons import LAYOUTS
from zoopraxis.testing import count_params, noise_clip


@torch.no_grad()
def test_features_have_half_the_frames_and_an_eighth_of_the_side():
    with torch.device("meta"):
        network = create_model("posec3d_slowonly_r50")
        for side in (56, 64):
            x = torch.empty(1, 17, 48, side, side)
            assert network.forward_features(x).shape == (1, 512, 24, side // 8, side // 8)


def test_the_network_is_as_large_as_the_paper_says():
    with torch.device("meta"):
        assert round(count_params(create_model("posec3d_slowonly_r50")) / 1e6, 1) == 2.0


@torch.no_grad()
def test_the_first_stage_sees_single_frames():
    network = create_model("test_posec3d").eval()
    for module in network.modules():
        if isinstance(module, InflatedBottleneck):
            module.norm3.weight.fill_(1.0)  # it starts at 0: blocks as their shortcuts
    x = noise_clip((1, *model_spec("test_posec3d").clip.shape))
    other = x.clone()
    other[:, :, 3] += 1.0

    def differ(layers):
        a, b = x, other
        for layer in layers:
            a, b = layer(a), layer(b)
        return (a != b).any(dim=(0, 1, 3, 4)).nonzero().flatten().tolist()

    assert differ([network.stem, network.layer1]) == [3]
    assert differ([network.stem, network.layer1, network.layer2]) == [2, 3, 4]


@torch.no_grad()
def test_a_recording_of_a_crowd_reaches_the_network(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.uniform(0.1, 1, size=(30, 20, 17, 3)))
    clip = model_spec("test_posec3d").clip
    with clip.input.open(Media(path="a.mp4", skeleton=str(tmp_path / "a.npy"))) as track:
        (draw,) = clip.input.crops(track, 1)
        x = clip.input.prepare(clip.input.read(track, np.arange(8)[None], draw), draw)

    assert create_model("test_posec3d").eval()(x).isfinite().all()
    assert create_model("test_posec3d").eval()(torch.zeros_like(x)).isfinite().all()


def test_limbs_are_those_of_both_sides():
    names = LAYOUTS["coco-17"].joints
    assert len(LIMBS) == len(set(map(frozenset, LIMBS))) == 17
    assert {names[joint] for limb in LIMBS for joint in limb} == set(names)
    assert model_spec("posec3d_slowonly_r50_limbs").clip.shape == (17, 48, 64, 64)
