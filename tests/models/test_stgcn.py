"""ST-GCN: neighbours, missing people, other layouts, and the authors' sizes."""

from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ConversionError, ShapeError
from zoopraxis.models import list_models, model_spec
from zoopraxis.models.stgcn import STGCN, GraphConv
from zoopraxis.skeletons import LAYOUTS, partition_matrices
from zoopraxis.testing import count_macs, count_params, noise_clip, read_golden
from zoopraxis.weights import weights_of

GOLDEN = Path(__file__).parent.parent / "golden"


@torch.no_grad()
def test_a_graph_convolution_averages_the_joint_and_its_neighbours():
    layout = LAYOUTS["openpose-18"]
    matrices = torch.tensor(partition_matrices(layout, "uniform"), dtype=torch.float32)
    conv = GraphConv(1, 1, 1)
    conv.conv.weight.fill_(1.0)
    conv.conv.bias.zero_()
    x = torch.arange(18.0)[None, None, None]  # joint j has the value j

    out = conv(x, matrices)[0, 0, 0]

    wrist, nose = layout.joints.index("left_wrist"), layout.joints.index("nose")
    assert out[wrist] == (7 + 6) / 2  # itself and the elbow
    assert out[nose] == (0 + 1 + 14 + 15) / 4  # itself, the neck and both eyes


@torch.no_grad()
def test_every_block_reaches_one_joint_further():
    torch.manual_seed(0)
    network = create_model("test_stgcn").eval()
    x = noise_clip((1, *model_spec("test_stgcn").clip.shape))
    other = x.clone()
    wrist = LAYOUTS["openpose-18"].joints.index("left_wrist")
    other[:, :, :, wrist] += 1.0

    reached = []
    for blocks in (1, 2, 3):
        short = STGCN("openpose-18", channels=(8,) * blocks, num_classes=2).eval()
        differs = short.forward_joints(x) != short.forward_joints(other)
        reached.append(set(differs.any(dim=(0, 1, 2, 4)).nonzero().flatten().tolist()))

    names = [{LAYOUTS["openpose-18"].joints[j] for j in joints} for joints in reached]
    assert names[0] == {"left_wrist", "left_elbow"}
    assert names[1] == {*names[0], "left_shoulder"}
    assert names[2] == {*names[1], "neck", "left_hip"}
    assert (network(x) != network(other)).all()


@torch.no_grad()
def test_people_are_averaged_and_their_order_does_not_matter():
    network = create_model("test_stgcn").eval()
    x = noise_clip((2, *model_spec("test_stgcn").clip.shape))  # (B, C, T, J, P)

    torch.testing.assert_close(network(x.flip(4)), network(x))
    alone = [network(x[..., p : p + 1]) for p in range(2)]
    torch.testing.assert_close(network(x), (alone[0] + alone[1]) / 2)


def test_joints_of_another_layout_are_refused():
    network = create_model("test_stgcn")
    with pytest.raises(ShapeError, match="18, P") as caught:
        network(torch.zeros(1, 3, 16, 25, 2))
    assert "openpose-18" in caught.value.hint
    with pytest.raises(ShapeError, match=r"\(1, 3, 16, 18\) are not"):
        network(torch.zeros(1, 3, 16, 18))


@pytest.mark.parametrize(
    ("golden", "model"),
    [
        ("stgcn_kinetics_openpose", "stgcn_openpose"),
        ("stgcn_openpose_noweight", "stgcn_openpose_unweighted"),
        ("stgcn_ntu", "stgcn_ntu"),
        ("stgcn_ntu_uniform", "stgcn_ntu_uniform"),
        ("mm_stgcn", "stgcn_coco"),
    ],
)
def test_sizes_and_graphs_are_those_of_the_reference(golden, model):
    reference = read_golden(golden, GOLDEN)
    with torch.device("meta"):
        network = create_model(model)

    assert count_params(network) == reference.record["params"]
    shape = tuple(reference.input().shape)
    if golden == "mm_stgcn":  # (B, P, T, J, C)
        shape = (shape[0], shape[4], shape[2], shape[3], shape[1])
    macs = reference.record["flops_conv_matmul"]  # of each einsum four digits are counted
    assert count_macs(network, shape) == pytest.approx(macs, rel=1e-4)
    ours = create_model(model).adjacency  # not that of a checkpoint
    key = "buffer_backbone.gcn.9.gcn.A" if golden == "mm_stgcn" else "buffer_A"
    assert torch.equal(ours, torch.from_numpy(reference.arrays[key]))


def test_a_checkpoint_of_another_skeleton_is_refused():
    state = read_golden("stgcn_ntu", GOLDEN).state_dict()
    with pytest.raises(ConversionError, match=r"shapes differ, the first 'adjacency'"):
        convert_state_dict("stgcn_openpose", state, source="stgcn")


def test_published_checkpoints_have_the_clips_they_were_trained_on():
    frames = {
        (name, weights.source): model_spec(name).clip.sampling.num_frames
        for name in list_models(family="stgcn")
        for weights in weights_of(name)
    }
    assert frames == {
        ("stgcn_openpose", "stgcn"): 300,
        ("stgcn_ntu", "stgcn"): 300,
        ("stgcn_coco", "mmaction2"): 100,
        ("stgcn_ntu_100", "mmaction2"): 100,
    }
