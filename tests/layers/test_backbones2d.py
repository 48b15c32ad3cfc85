"""Image networks against their references, and time merged into the batch."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torchvision

from zoopraxis.checkpoints.convert import rename
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ModelNotFoundError, ShapeError
from zoopraxis.layers.frames import merge_time, split_time
from zoopraxis.layers.inception_v3 import TORCHVISION, InceptionV3
from zoopraxis.layers.mobilenet_v2 import MobileNetV2
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.layers.timm2d import TimmBackbone, blocks_of
from zoopraxis.layers.vgg import VGG16
from zoopraxis.spec import Source
from zoopraxis.testing import noise_clip, read_golden, relative_error
from zoopraxis.weights.keys.inception_v3 import RENAME_INCEPTIONV3_TORCHVISION
from zoopraxis.weights.keys.resnet2d import RENAME_RESNET2D
from zoopraxis.weights.keys.vgg import RENAME_VGG

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize(
    ("golden", "build", "table"),
    [
        ("tv_resnet18", lambda: ResNet2d(18), RENAME_RESNET2D),
        ("tv_resnet50", lambda: ResNet2d(50), RENAME_RESNET2D),
        (
            "tv_inception_v3",
            lambda: InceptionV3(build=TORCHVISION),
            RENAME_INCEPTIONV3_TORCHVISION,
        ),
        (
            "tv_inception_v3_aux",
            lambda: InceptionV3(build=TORCHVISION),
            RENAME_INCEPTIONV3_TORCHVISION,
        ),
    ],
)
@torch.no_grad()
def test_features_give_the_references_logits(golden, build, table):
    golden = read_golden(golden, GOLDEN)
    state = rename(golden.state_dict(), Source(rename=table))
    weight, bias = state.pop("fc.weight"), state.pop("fc.bias")
    network = build()
    network.load_state_dict(state)

    features = network.eval()(golden.input())

    assert features.shape[1] == network.num_features
    logits = F.linear(features.mean(dim=(2, 3)), weight, bias)
    assert relative_error(logits, golden.output) < golden.tolerance


@torch.no_grad()
def test_mobilenet_is_torchvisions():
    ours, theirs = MobileNetV2().eval(), torchvision.models.mobilenet_v2().eval()
    values = theirs.features.state_dict().values()
    ours.load_state_dict(dict(zip(ours.state_dict(), values, strict=True)))
    frames = noise_clip((2, 3, 64, 64))

    assert relative_error(ours(frames), theirs.features(frames)) < 1e-5


@torch.no_grad()
def test_vgg_is_torchvisions():
    ours, theirs = VGG16().eval(), torchvision.models.vgg16().eval()
    state = rename(theirs.state_dict(), Source(rename=((r"^classifier\.6\.", None), *RENAME_VGG)))
    ours.load_state_dict(state)
    frames = noise_clip((2, 3, 64, 64))
    hidden = theirs.classifier[:5](theirs.avgpool(theirs.features(frames)).flatten(1))

    assert relative_error(ours(frames).flatten(1), hidden) < 1e-5


def test_stacks_of_flow_are_merged_frame_by_frame():
    # x of frame t is 10 t, y is 10 t + 1
    clip = torch.tensor([[10.0 * t, 10.0 * t + 1] for t in range(4)]).T[None, :, :, None, None]

    assert merge_time(clip, stack=2).flatten(1).tolist() == [[0, 1, 10, 11], [20, 21, 30, 31]]
    with pytest.raises(ShapeError, match="4 frames do not split into stacks of 3"):
        merge_time(clip, stack=3)


def test_splitting_undoes_merging():
    clip = noise_clip((2, 3, 4, 5, 5))

    assert torch.equal(split_time(merge_time(clip), 4), clip)


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("resnet18", 8),
        ("mobilenetv2_100", 17),
        ("convnext_atto", 12),
        ("regnety_002", 13),
    ],
)
def test_blocks_of_timm_networks_are_found(name, blocks):
    with torch.device("meta"):
        network = TimmBackbone(name).network

    assert len(blocks_of(network)) == blocks


@pytest.mark.parametrize("family", ["tsn", "tsm", "gsm"])
@torch.no_grad()
def test_timm_networks_serve_the_families(family):
    torch.manual_seed(0)
    options = {"gate_std": 0.1} if family == "gsm" else {}
    model = create_model(
        f"{family}_timm", backbone="resnet10t", num_frames=4, num_classes=5, **options
    ).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)  # timm starts residual branches at zero
    clip = noise_clip((2, 3, 4, 64, 64))

    forward, backward = model(clip), model(clip.flip(2))

    assert forward.shape == (2, 5)
    turned = (forward - backward).abs().max() > 1e-4 * forward.abs().max()
    assert turned == (family != "tsn")
    assert relative_error(torch.cat([model(clip[:1]), model(clip[1:])]), forward) < 1e-4


def test_timm_has_no_such_network():
    with pytest.raises(ModelNotFoundError, match="resnet19") as caught:
        create_model("tsn_timm", backbone="resnet19")

    assert "resnet18" in caught.value.hint


def test_a_network_of_tokens_cannot_shift():
    with pytest.raises(ShapeError, match="no blocks of convolutions"), torch.device("meta"):
        create_model("tsm_timm", backbone="vit_tiny_patch16_224")
