"""2s-AGCN and AAGCN: the three graphs, the gate, attention."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.models import model_spec
from zoopraxis.models.aagcn import Attention, GatedGraphConv
from zoopraxis.models.agcn import AdaptiveGraphConv
from zoopraxis.skeletons import LAYOUTS, partition_matrices
from zoopraxis.testing import noise_clip

BODY = torch.tensor(partition_matrices(LAYOUTS["openpose-18"], "directed"), dtype=torch.float32)


@pytest.fixture(params=[AdaptiveGraphConv, GatedGraphConv])
def conv(request):
    torch.manual_seed(0)
    return request.param(3, 8, BODY)


@torch.no_grad()
def test_the_graph_is_the_body_one_learned_and_one_of_the_clip():
    torch.manual_seed(0)
    conv = AdaptiveGraphConv(3, 8, BODY)
    x = noise_clip((2, 3, 5, 18))

    for subset in range(3):
        of_clip = conv.graph(x, subset) - BODY[subset] - 1e-6
        # softmax over the joints that are summed
        torch.testing.assert_close(of_clip.sum(dim=1), torch.ones(2, 18), atol=1e-5, rtol=0)
        assert (of_clip > 0).all()
        assert not torch.allclose(of_clip[0], of_clip[1])  # each clip has its own

    # joints that move alike are related: the elbow repeats the wrist, ten times as strongly
    for embedding in (conv.theta[0], conv.phi[0]):
        embedding.weight.copy_(torch.eye(2, 3)[:, :, None, None])
        embedding.bias.zero_()
    x = 0.01 * x
    x[:, :, :, 4] = 10.0
    x[:, :, :, 3] = 10.0
    alike = conv.graph(x, 0)[0] - BODY[0]
    assert float(alike[3, 4]) > 0.4
    assert float(alike[16, 4]) < 1e-3


@torch.no_grad()
def test_a_closed_gate_leaves_the_learned_graph():
    conv = GatedGraphConv(3, 8, BODY)
    x = noise_clip((2, 3, 5, 18))

    assert torch.equal(conv.graph(x, 1), BODY[1].expand(2, 18, 18))
    conv.gate.fill_(0.5)
    assert ((conv.graph(x, 1) - BODY[1]).abs() < 0.5).all()
    assert not torch.allclose(conv.graph(x, 1)[0], conv.graph(x, 1)[1])


def test_the_learned_graph_receives_gradients(conv):
    conv.norm.weight.data.fill_(1.0)
    if isinstance(conv, GatedGraphConv):
        conv.gate.data.fill_(0.1)

    conv(noise_clip((2, 3, 5, 18))).square().sum().backward()

    assert (conv.learned.grad != 0).all()
    for embeddings in (conv.theta, conv.phi):
        assert all(embedding.weight.grad.any() for embedding in embeddings)


def test_the_body_is_not_learned_and_not_saved():
    conv = AdaptiveGraphConv(3, 8, BODY)

    assert "body" not in conv.state_dict()
    assert not conv.body.requires_grad
    assert torch.equal(conv.double().body, BODY.double())  # moves with the network


@torch.no_grad()
def test_attention_starts_even_over_frames_and_channels():
    torch.manual_seed(0)
    attention = Attention(8, 18)
    x = noise_clip((2, 8, 12, 18))

    # a sigmoid of 0 twice: 1.5 times 1.5; over joints, the weights differ
    gain = attention(x) / x / 2.25
    torch.testing.assert_close(gain, gain[:, :1, :1].expand_as(gain), rtol=1e-3, atol=1e-3)
    assert ((gain > 1) & (gain < 2)).all()
    assert attention.joints.kernel_size == (17,)
    assert Attention(8, 25).joints.kernel_size == (25,)


@pytest.mark.parametrize("name", ["test_agcn", "test_aagcn"])
def test_another_number_of_people_is_refused(name):
    network = create_model(name)
    with pytest.raises(ShapeError, match=r"\(B, 3, T, 18, 2\)") as caught:
        network(torch.zeros(1, 3, 16, 18, 30))
    assert "of 2 people" in caught.value.hint
    assert create_model(name, people=30)(torch.zeros(1, 3, 16, 18, 30)).shape == (1, 12)


@torch.no_grad()
def test_bones_and_joints_are_streams_of_one_architecture():
    # the second stream is the same network on another input
    spec = model_spec("test_agcn")
    bones = spec.clip.change(streams=("bones",))
    both = spec.clip.change(streams=("joints", "bones"))

    assert bones.shape == spec.clip.shape
    clip = torch.zeros(1, *both.shape)
    assert create_model("test_agcn", in_channels=6).eval()(clip).shape == (1, 12)
