"""ST-GCN++: the learned graph, the branches over time, people, and the authors' sizes."""

from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.models import model_spec
from zoopraxis.models.stgcn_plus import LearnedGraphConv, MultiScaleTimeConv
from zoopraxis.skeletons import LAYOUTS, partition_matrices
from zoopraxis.testing import count_params, noise_clip, read_golden

GOLDEN = Path(__file__).parent.parent / "golden"
TINY = ["test_stgcn_plus", "test_agcn", "test_aagcn"]


def test_the_graph_starts_as_the_body_and_is_learned():
    torch.manual_seed(0)
    network = create_model("test_stgcn_plus")
    body = torch.tensor(partition_matrices(LAYOUTS["coco-17"], "directed"), dtype=torch.float32)
    graphs = [m.adjacency for m in network.modules() if isinstance(m, LearnedGraphConv)]

    network(noise_clip((2, *model_spec("test_stgcn_plus").clip.shape))).square().sum().backward()

    assert len(graphs) == 4
    for graph in graphs:
        assert torch.equal(graph, body)
        # every pair of joints can become an edge, those that the body does not join too
        assert (graph.grad[:, body.sum(dim=0) == 0] != 0).all()


@torch.no_grad()
def test_branches_over_time_reach_one_to_four_frames():
    torch.manual_seed(0)
    conv = MultiScaleTimeConv(12).eval()
    x = noise_clip((1, 12, 15, 1))
    other = x.clone()
    other[:, :, 7] += 1.0  # may be seen as far as the branch reaches

    reached = []
    for branch in conv.branches:
        # each branch gives the frame itself and its neighbours to one side and the other
        differs = (branch(x) != branch(other)).any(dim=1)[0, :, 0]
        reached.append(differs.nonzero().flatten().tolist())

    assert reached[:4] == [[7 - d, 7, 7 + d] for d in (1, 2, 3, 4)]
    assert set(reached[4]) <= {6, 7, 8}
    assert reached[5] == [7]


def test_widths_that_six_does_not_divide_go_to_the_first_branch():
    conv = MultiScaleTimeConv(64)
    assert [branch[-1].out_channels for branch in conv.branches[:4]] == [14, 10, 10, 10]


@torch.no_grad()
@pytest.mark.parametrize("name", TINY)
def test_nobody_in_the_clip_gives_finite_logits(name):
    network = create_model(name).eval()
    assert network(torch.zeros(1, *model_spec(name).clip.shape)).isfinite().all()


@torch.no_grad()
def test_any_number_of_people_is_averaged():
    network = create_model("test_stgcn_plus").eval()
    crowd = noise_clip((1, 3, 16, 17, 30))

    alone = [network(crowd[..., p : p + 1]) for p in range(30)]
    torch.testing.assert_close(network(crowd), torch.stack(alone).mean(dim=0))
    with pytest.raises(ShapeError, match="17, P"):
        network(crowd[:, :, :, :5])


@pytest.mark.parametrize(
    ("golden", "model"),
    [
        ("pyskl_stgcnpp_ntu", "stgcn_plus_ntu"),
        ("pyskl_stgcnpp_coco", "stgcn_plus_coco"),
        ("pyskl_aagcn_coco", "aagcn_coco"),
        ("aagcn_ntu", "aagcn_ntu"),
        ("agcn_ntu", "agcn_ntu"),
        ("agcn_openpose", "agcn_openpose"),
        ("pyskl_posec3d_463", "posec3d_slowonly_r50"),
        ("pyskl_posec3d_346", "posec3d_slowonly_r50_346"),
    ],
)
def test_sizes_are_those_of_the_reference(golden, model):
    with torch.device("meta"):
        network = create_model(model)

    assert count_params(network) == read_golden(golden, GOLDEN).record["params"]
