"""X3D: six factors define every size; the fully convolutional test."""

from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.models import model_spec
from zoopraxis.models.x3d import XL, Expansion, S, round_width
from zoopraxis.prediction.fully_convolutional import FullyConvolutional, map_size
from zoopraxis.testing import (
    count_macs,
    count_params,
    golden_error,
    read_golden,
    relative_error,
)
from zoopraxis.training.expansion import count_expansion_macs

GOLDEN = Path(__file__).parent.parent / "golden"

# the paper's M parameters (Tables 2 to 4, in its digits) and GMACs of one clip
PUBLISHED = [
    ("x3d_xs", 3.8, 0.61),
    ("x3d_s", 3.8, 1.96),
    ("x3d_m", 3.8, 4.73),
    ("x3d_l", 6.2, 18.37),
    ("x3d_xl", 11.1, 35.84),
    ("x3d_xxl", 20.3, 143.56),
]


@pytest.mark.parametrize(("name", "params", "macs"), PUBLISHED)
def test_published_parameters_and_multiply_adds(name, params, macs):
    with torch.device("meta"):
        model = create_model(name)

    assert round(count_params(model) / 1e6, 1) == params
    assert round(count_macs(model, (1, *model_spec(name).clip.shape)) / 1e9, 2) == macs


def test_the_basis_is_a_tiny_network_for_images():
    with torch.device("meta"):
        model = create_model("x2d")

    assert model_spec("x2d").clip.shape == (3, 1, 112, 112)
    assert round(count_params(model) / 1e6, 2) == 1.63
    assert count_macs(model, (1, 3, 1, 112, 112)) / 1e6 == pytest.approx(20.67, abs=0.01)


def test_the_two_builds_differ_by_one_batch_norm():
    with torch.device("meta"):
        normed, bare = create_model("x3d_s"), create_model("x3d_ptv_s")

    assert (count_params(normed), count_params(bare)) == (3_794_322, 3_794_274)
    absent = normed.state_dict().keys() - bare.state_dict().keys()
    assert {key.rsplit(".", 1)[0] for key in absent} == {"layer1.0.shortcut.norm"}


def test_factors_give_the_papers_table_3():
    # X3D-XL: blocks, channels and inner channels of the stages
    assert XL.stages() == [(5, 32, 72), (10, 72, 162), (25, 136, 306), (15, 280, 630)]
    assert S.stages() == [(3, 24, 54), (5, 48, 108), (11, 96, 216), (7, 192, 432)]
    assert (S.num_frames, S.size) == (13, 160)


def test_widths_are_multiples_of_eight_and_not_much_less():
    assert [round_width(w) for w in (1, 11.9, 12, 34.8, 89)] == [8, 16, 16, 32, 88]
    assert round_width(10.9) == 16  # 8 would be less than nine tenths


def test_every_other_block_has_a_gate():
    with torch.device("meta"):
        gates = [len(list(block.gate.parameters())) > 0 for block in create_model("x3d_s").layer2]

    assert gates == [True, False, True, False, True]


@pytest.mark.parametrize("golden", ["ptv_x3d_xs"])
def test_pytorchvideos_build_is_exact(golden):
    name = "x3d_ptv_" + golden.split("_")[2]

    record = read_golden(golden, GOLDEN)
    assert golden_error(record, name, "pytorchvideo") < record.tolerance


@torch.no_grad()
def test_the_official_test_path():
    golden = read_golden("psf_x3d_s_fullconv_v2", GOLDEN)
    model = create_model("x3d_s").eval()
    model.load_state_dict(convert_state_dict("x3d_s", golden.state_dict(), source="pyslowfast"))

    window = map_size(model, model_spec("x3d_s").clip)  # of 160 pixels

    logits = FullyConvolutional(model, window)(golden.input())

    assert relative_error(logits.softmax(1), golden.output) < golden.tolerance


@pytest.mark.parametrize("name", ["x2d", "x3d_s", "x3d_xl"])
def test_the_formula_counts_what_the_network_computes(name):
    spec = model_spec(name)
    with torch.device("meta"):
        model = create_model(name)

    counted = count_macs(model, (1, *spec.clip.shape))
    assert count_expansion_macs(spec.args["expansion"]) == counted


def test_the_factors_may_come_from_a_file():
    factors = {"t": 4, "tau": 2, "w": 0.34, "b": 2}
    with torch.device("meta"):
        named, built = (create_model("x3d_s", expansion=e) for e in (factors, Expansion(**factors)))

    assert {k: v.shape for k, v in named.state_dict().items()} == {
        k: v.shape for k, v in built.state_dict().items()
    }
