"""CoViAR's networks: what is normalised, and which weights they take."""

import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.models import model_spec
from zoopraxis.testing import fill, noise_clip


def test_motion_is_scaled_by_its_own_statistics():
    torch.manual_seed(0)
    network = create_model("test_coviar").train()
    clips = noise_clip((4, 2, 3, 64, 64)) * torch.tensor([0.01, 3.0])[:, None, None, None] + 0.2

    seen = []
    network.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(clips)

    frames = seen[0]  # (B * T, 2, H, W)
    assert frames.shape == (12, 2, 64, 64)
    torch.testing.assert_close(frames.mean(dim=(0, 2, 3)), torch.zeros(2), rtol=0, atol=1e-5)
    torch.testing.assert_close(frames.std(dim=(0, 2, 3))[1], torch.tensor(1.0), rtol=1e-3, atol=0)


def test_images_are_not():
    with torch.device("meta"):
        state = create_model("coviar_iframe_r152_3").state_dict()
    assert not [key for key in state if key.startswith("input_norm")]


def test_streams_are_those_of_the_authors():
    kinds = {name: model_spec(f"coviar_{name}_3").clip.input for name in STREAMS}

    for name, (channels, order, mean) in STREAMS.items():
        kind = kinds[name]
        assert (kind.channels, kind.channel_order, kind.mean[0]) == (channels, order, mean)
        assert (kind.reference, kind.bound, kind.resize) == ("i_frame", 20.0, (256, 256))


STREAMS = {
    "iframe_r152": (3, "rgb", 0.485),
    "vectors_r18": (2, "rgb", 0.5),
    "residual_r18": (3, "bgr", 0.5),
}


def test_the_i_frames_start_from_an_image_network():
    from torchvision.models import resnet152

    with torch.device("meta"):
        shapes = {k: tuple(t.shape) for k, t in resnet152(num_classes=7).state_dict().items()}
    state = {k: torch.from_numpy(fill(k, s)) for k, s in shapes.items()}

    ours = convert_state_dict("coviar_iframe_r152_3", state, source="torchvision")

    assert torch.equal(ours["backbone.stem.conv.weight"], state["conv1.weight"])
    assert torch.equal(ours["head.linear.bias"], state["fc.bias"])
