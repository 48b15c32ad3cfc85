"""Every network against its authors' code: the same weights, the same clip, the same numbers."""

import re
from pathlib import Path

import pytest
import torch

from zoopraxis.models import FAMILIES, family_of, list_models
from zoopraxis.testing import golden_error, read_golden, read_index

GOLDEN = Path(__file__).parent.parent / "golden"
NAMES = {*list_models(), *list_models("test_*")}
# "p3d_199 with ... (source p3d_caffe)" names the model p3d_199 and another source; rows about
# single layers have tests of their own
ROWS = [
    (row["golden"], name, note[1] if note else row["source"])
    for row in read_index(GOLDEN)
    for note in [re.search(r"\(source (\w+)\)", row["model"])]
    if (name := re.split(r"[ :]", row["model"])[0]) in NAMES
    and "official test path" not in row["model"]  # test_slowfast.py and test_x3d.py have these
]
ELSEWHERE = {  # single layers, backbones and test paths, in the tests of their files
    "dmc_contextnetwork",
    "dmc_estimatordensenet",
    "dmc_estimatordensenettiny",
    "gcn_kipf_cora_shape",
    "gcn_kipf_small",
    "gsm_module_c16_t4",
    "psf_slow_8x8_r50_fullconv_v2",
    "psf_x3d_s_fullconv_v2",
    "repflow_layer",
    "strg_resnet50_16f",  # these take boxes besides the clip
    "strg_rgcn",
    "strg_st_graph",
    "trn_multiscale_8_all",
    "trn_multiscale_8_seed0",
    "trn_single_8",
    "tv_googlenet",
    "tv_googlenet_aux",
    "tv_inception_v3",
    "tv_inception_v3_aux",
    "tv_resnet18",
    "tv_resnet50",
    "tvnet_flow",
    "twostream_cross_modality",
}
HEAVY_GMACS, HEAVY_PARAMS = 70, 80e6  # most of the time goes into these few


def params():
    for name, model, source in ROWS:
        golden = read_golden(name, GOLDEN)
        heavy = (
            golden.record["flops_conv_matmul"] / 1e9 > HEAVY_GMACS
            or golden.record.get("params", 0) > HEAVY_PARAMS
        )
        for dtype in golden.dtypes:
            label = name if dtype == torch.float32 else f"{name}-float64"
            marks = [pytest.mark.slow] if heavy else []
            yield pytest.param(name, model, source, dtype, id=label, marks=marks)


@pytest.mark.parametrize(("name", "model", "source", "dtype"), list(params()))
def test_output_equals_the_reference(name, model, source, dtype):
    golden = read_golden(name, GOLDEN)

    assert golden_error(golden, model, source, dtype=dtype) < golden.tolerance_in(dtype)


def test_a_coarse_bound_in_float32_is_never_the_only_one():
    goldens = {name: read_golden(name, GOLDEN) for name, _, _ in ROWS}

    for name, golden in goldens.items():
        if golden.tolerance > 1e-4:  # an error of ours could hide
            # the same network in float64, or with weights that do not amplify rounding
            assert torch.float64 in golden.dtypes or f"{name}_v2" in goldens, name


def test_no_golden_is_forgotten():
    run = {golden for golden, _, _ in ROWS}

    assert {row["golden"] for row in read_index(GOLDEN)} - run == ELSEWHERE


def test_families_without_a_golden_are_those_that_the_readme_names():
    named = {
        "cnn3d",
        "i3d_baselines",
        "beyond_short_snippets",
        "fstcn",
        "motion_feature_network",
        "tdn",
        *("off", "tvnet", "space_time_region_graph"),  # in the tests of their files
    }

    assert set(FAMILIES) - {family_of(model) for _, model, _ in ROWS} == named


def test_every_family_keeps_a_quick_golden():
    families = {family_of(model) for _, model, _ in ROWS}
    quick = {family_of(p.values[1]) for p in params() if not p.marks}

    assert quick == families
