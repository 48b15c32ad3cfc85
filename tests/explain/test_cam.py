"""Grad-CAM: against captum, by hand, and for every family of the zoo."""

import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ModelNotFoundError, ShapeError, ZoopraxisError
from zoopraxis.explain.cam import FEATURES, grad_cam, over_clip
from zoopraxis.layers.head import ClipHead
from zoopraxis.models import VideoClassifier, list_models, model_spec
from zoopraxis.testing import noise_clip


class Cells(VideoClassifier):
    """Features are the mean of each cell of 1 x 2 x 2 pixels, and its negative."""

    def __init__(self):
        super().__init__()
        self.head = ClipHead(2, 2)
        with torch.no_grad():
            self.head.linear.weight.copy_(torch.eye(2))

    def forward_features(self, x):
        x = nn.functional.avg_pool3d(x[:, :1], (1, 2, 2))
        return torch.cat([x, -x], dim=1)


class Halves(nn.Module):
    """A network as two modules, as captum wants it."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.features = Features(model)

    def forward(self, x):
        return self.model.forward_head(self.features(x))


class Features(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model.forward_features(x)


def built(name):
    torch.manual_seed(0)
    inputs = model_spec(name).clip.example(batch=2, seed=1)
    return create_model(name).eval(), inputs if isinstance(inputs, tuple) else (inputs,)


def test_the_heat_lies_where_the_class_is():
    clip = torch.zeros(1, 3, 4, 8, 8)
    clip[:, :, 2, 4:6, 6:8] = 1  # frame 2, row 2 and column 3 of the cells

    bright, dark = (grad_cam(Cells(), (clip,), label=k).heat for k in (0, 1))

    assert bright.nonzero().tolist() == [[0, 2, 2, 3]]
    # d y / d A_k is 1 / 64 at each of the 4 x 4 x 4 cells
    assert bright[0, 2, 2, 3].item() == pytest.approx(1 / 64)
    assert not dark.any()


@pytest.mark.parametrize("name", list_models("test_*"))
def test_every_family_gives_heat(name):
    model, inputs = built(name)
    model.train()

    found = grad_cam(model, inputs)

    assert model.training
    assert all(module.training for module in model.modules())
    torch.testing.assert_close(found.logits, model.eval()(*inputs))
    assert torch.equal(found.classes, found.logits.argmax(dim=1))
    assert found.heat.isfinite().all()
    assert (found.heat >= 0).all()
    assert found.heat.any()
    assert found.heat.shape[0] == 2
    assert found.heat.shape[1] <= inputs[0].shape[2]
    assert found.heat.shape[2] * found.heat.shape[3] > 1
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    "name",
    ["test_r2plus1d", "test_i3d", "test_slowfast", "test_tsm", "test_gsm", "test_trn", "test_x3d"],
)
def test_features_are_weighed_as_by_captum(name):
    model, (clip,) = built(name)
    halves = Halves(model)

    ours = grad_cam(model, (clip,), label=1)
    theirs = LayerGradCam(halves, halves.features).attribute(
        clip, target=1, relu_attributions=True
    )  # (B, 1, T', H', W')

    assert ours.layer == FEATURES
    assert ours.heat.any()
    torch.testing.assert_close(ours.heat, theirs[:, 0].detach())


def test_a_module_is_weighed_as_by_captum():
    model, (clip,) = built("test_resnet3d")

    ours = grad_cam(model, (clip,), label=1, layer="layer2")
    theirs = LayerGradCam(model, model.layer2).attribute(clip, target=1, relu_attributions=True)

    assert ours.heat.any()
    torch.testing.assert_close(ours.heat, theirs[:, 0].detach())


def test_frames_in_the_batch_come_back_into_time():
    model, inputs = built("test_tsm")

    merged = grad_cam(model, inputs, label=1, layer="backbone")

    torch.testing.assert_close(merged.heat, grad_cam(model, inputs, label=1).heat)


def test_a_network_that_pools_its_frames_is_explained_before():
    model, inputs = built("test_lrcn")

    assert grad_cam(model, inputs).layer == "encoder.backbone"


def test_heat_is_stretched_over_the_clip():
    heat = torch.zeros(2, 2, 2, 2)
    heat[0, 1, 0, 1] = 5.0

    x = over_clip(heat, (8, 16, 16))

    assert x.shape == (2, 8, 16, 16)
    assert x[0, 7, 0, 15] == x.max() == 1
    assert not x[0, 0].any()
    assert not x[1].any()


def test_what_cannot_be_explained_is_said():
    model = create_model("test_resnet3d")
    clip = noise_clip((1, 3, 8, 32, 32))

    with pytest.raises(ModelNotFoundError, match="no module called 'layer9'"):
        grad_cam(model, (clip,), layer="layer9")
    with pytest.raises(ShapeError, match=r"'head\.linear' gives a tensor of shape"):
        grad_cam(model, (clip,), layer="head.linear")
    with pytest.raises(ShapeError, match="class -1 of a network"):
        grad_cam(model, (clip,), label=-1)
    model.unused = nn.Identity()
    with pytest.raises(ZoopraxisError, match="'unused' runs 0 times"):
        grad_cam(model, (clip,), layer="unused")
