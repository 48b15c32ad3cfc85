"""Region graphs: who is linked to whom, missing regions, and the port's numbers."""

from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict, rename
from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.inflate import start_from
from zoopraxis.errors import ConversionError, ShapeError
from zoopraxis.models import model_spec
from zoopraxis.models.space_time_region_graph import RegionGraph, spatial_temporal_graphs
from zoopraxis.testing import count_params, fill, noise_clip, read_golden, relative_error
from zoopraxis.weights import find_source
from zoopraxis.weights.space_time_region_graph import PortedRegionGraph

GOLDEN = Path(__file__).parent.parent / "golden"
TINY = "test_space_time_region_graph"


@pytest.fixture
def model():
    torch.manual_seed(0)
    return create_model(TINY).eval()


@pytest.fixture
def inputs():
    return model_spec(TINY).clip.example(batch=2, seed=1)


def test_regions_are_linked_to_those_they_overlap_in_the_next_frame():
    here, half, away = [0.0, 0, 4, 4], [0.0, 2, 4, 6], [50.0, 50, 60, 60]
    boxes = torch.tensor([[here, away], [here, half], [away, here]])[None]  # (1, 3, 2, 4)

    front, back = spatial_temporal_graphs(boxes, torch.ones(1, 3, 2))

    assert front.shape == (1, 6, 6)
    expected = torch.zeros(6, 6)
    expected[0, 2], expected[0, 3] = 3 / 4, 1 / 4  # overlaps of 1 and 1/3
    expected[2, 5], expected[3, 5] = 1, 1
    torch.testing.assert_close(front[0], expected)
    expected = torch.zeros(6, 6)
    expected[2, 0], expected[3, 0] = 1, 1
    expected[5, 2], expected[5, 3] = 3 / 4, 1 / 4
    torch.testing.assert_close(back[0], expected)


def test_a_region_that_is_missing_has_no_links():
    boxes = torch.tensor([0.0, 0, 4, 4]).expand(1, 2, 2, 4)
    mask = torch.tensor([[[1.0, 1.0], [0.0, 1.0]]])

    front, back = spatial_temporal_graphs(boxes, mask)

    assert front[0, :2].tolist() == [[0, 0, 0, 1], [0, 0, 0, 1]]
    assert back[0, 2:].tolist() == [[0, 0, 0, 0], [0.5, 0.5, 0, 0]]


@torch.no_grad()
def test_similarity_has_two_ways_and_rows_that_add_up_to_one():
    torch.manual_seed(0)
    graph = RegionGraph(8)
    graph.phi.weight.normal_()
    graph.phi_prime.weight.normal_()
    mask = torch.tensor([[1.0, 1.0, 0.0, 1.0]])

    weights = graph.similarity_graph(torch.randn(1, 4, 8), mask)

    torch.testing.assert_close(weights.sum(dim=2), torch.ones(1, 4))
    assert not weights[..., 2].any()  # nobody looks at what is missing
    assert not torch.allclose(weights, weights.mT)


@torch.no_grad()
@pytest.mark.parametrize("branches", [("similarity",), ("spatial_temporal",), None])
def test_missing_regions_change_nothing(branches, inputs):
    torch.manual_seed(0)
    options = {} if branches is None else {"branches": branches}
    model = create_model(TINY, **options).eval()
    clip, boxes, mask = inputs
    more = torch.cat([boxes, torch.full_like(boxes[:, :, :1], 17.0)], dim=2)

    padded = model(clip, more, torch.cat([mask, torch.zeros_like(mask[:, :, :1])], dim=2))

    torch.testing.assert_close(padded, model(*inputs))


@torch.no_grad()
def test_the_order_of_the_boxes_of_a_frame_does_not_matter(model, inputs):
    clip, boxes, mask = inputs
    torch.testing.assert_close(model(clip, boxes.flip(2), mask.flip(2)), model(*inputs))


@torch.no_grad()
def test_boxes_matter_and_only_those_of_every_second_frame(model, inputs):
    clip, boxes, mask = inputs
    odd, even = boxes.clone(), boxes.clone()
    odd[:, 1::2], even[:, ::2] = 1.0, 1.0

    torch.testing.assert_close(model(clip, odd, mask), model(*inputs))
    assert not torch.allclose(model(clip, even, mask), model(*inputs))


def test_without_any_box_the_average_of_the_map_is_left(model, inputs):
    clip, boxes, mask = inputs

    features = model.forward_features(clip, boxes * 0, mask * 0).flatten(1)
    features.square().sum().backward()

    channels = features.shape[1] // 2
    assert features[:, :channels].all()
    assert not features[:, channels:].any()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@torch.no_grad()
@pytest.mark.parametrize("box", [[3.0, 3.0, 3.0, 3.0], [-9.0, -9.0, 99.0, 99.0], [0.0] * 4])
def test_boxes_that_are_points_or_too_large_give_finite_logits(model, inputs, box):
    clip, boxes, mask = inputs
    assert model(clip, torch.tensor(box).expand_as(boxes), mask).isfinite().all()


@torch.no_grad()
def test_a_graph_of_800_regions():
    boxes = model_spec(TINY).clip.input.change(num_boxes=50).example(16)[1]
    out = RegionGraph(8)(torch.randn(1, 16, 50, 8), boxes, torch.ones(1, 16, 50))
    assert out.shape == (1, 8)
    assert out.isfinite().all()


def test_boxes_of_other_clips_are_refused(model, inputs):
    clip, boxes, mask = inputs
    for wrong in (
        (clip, boxes[:1], mask),
        (clip, boxes[:, 1:], mask),
        (clip, boxes, mask[..., 1:]),
    ):
        with pytest.raises(ShapeError, match=r"for clips \(2, 3, 4, 64, 64\); expected"):
            model(*wrong)


def test_the_stages_of_the_training_start_from_one_another():
    i3d = create_model("i3d_nln_r50_32x4", depth=26, width=8, after={"layer2": (1,)})
    stage1 = create_model(TINY, branches=[])
    stage2 = create_model(TINY)

    start_from(stage1, i3d.state_dict(), new="^reduce|^head")
    start_from(stage2, stage1.state_dict(), new="^region_graph|^head")

    assert torch.equal(stage2.layer4[0].conv1.weight, i3d.layer4[0].conv1.weight)
    assert torch.equal(stage2.reduce.weight, stage1.reduce.weight)
    with pytest.raises(ConversionError, match="of another shape, the first 'head"):
        start_from(stage2, stage1.state_dict(), new="^region_graph")


# The port


def rois_of(golden):
    rois = torch.from_numpy(golden.arrays["buffer_rois"])
    return rois, torch.ones(rois.shape[:3])


def test_graphs_of_the_port():
    golden = read_golden("strg_st_graph", GOLDEN)

    graphs = torch.stack(PortedRegionGraph(8).spatial_temporal_graphs(*rois_of(golden)), dim=1)

    assert relative_error(graphs, golden.output) < golden.tolerance


@torch.no_grad()
def test_graph_convolutions_of_the_port():
    golden = read_golden("strg_rgcn", GOLDEN)
    graph = PortedRegionGraph(512)
    state = rename(golden.state_dict(), find_source("strg_i3d_r50_32x4", "strg"))
    graph.load_state_dict({k.removeprefix("region_graph."): v for k, v in state.items()})

    assert relative_error(graph(golden.input(), *rois_of(golden)), golden.output) < golden.tolerance
    assert count_params(graph) == golden.record["params"]


@pytest.mark.slow
@torch.no_grad()
def test_network_of_the_port():
    golden = read_golden("strg_resnet50_16f", GOLDEN)
    state = convert_state_dict("strg_i3d_r50_32x4", golden.state_dict(), source="strg")
    model = create_model("strg_i3d_r50_32x4", source="strg", num_classes=174).eval()
    model.load_state_dict(state)
    # the port has boxes of the map's frames, ours of the clip's
    boxes, mask = (part.repeat_interleave(2, dim=1) for part in rois_of(golden))

    logits = model(golden.input(), boxes, mask)

    assert relative_error(logits, golden.output) < golden.tolerance
    assert count_params(model) == golden.record["params"]


@torch.no_grad()
def test_the_port_is_not_the_paper():
    torch.manual_seed(0)
    paper, port = RegionGraph(8), PortedRegionGraph(8)
    state = {k: torch.from_numpy(fill(k, v.shape)) for k, v in port.state_dict().items()}
    port.load_state_dict(state)
    paper.load_state_dict({**paper.state_dict(), **state})
    _, boxes, mask = model_spec(TINY).clip.example()

    x = noise_clip((1, 4, 3, 8))

    assert not torch.allclose(port(x, boxes, mask), paper(x, boxes, mask), rtol=0.1)
