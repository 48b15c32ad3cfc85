"""Every network against its authors' code: the same weights, the same clip, the same numbers."""

import re
from pathlib import Path

import pytest

from zoopraxis.models import list_models
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
HEAVY_GMACS = 40


def params():
    for golden, model, source in ROWS:
        macs = read_golden(golden, GOLDEN).record["flops_conv_matmul"] / 1e9
        marks = [pytest.mark.slow] if macs > HEAVY_GMACS else []
        yield pytest.param(golden, model, source, id=golden, marks=marks)


@pytest.mark.parametrize(("name", "model", "source"), list(params()))
def test_output_equals_the_reference(name, model, source):
    golden = read_golden(name, GOLDEN)

    assert golden_error(golden, model, source) < golden.tolerance
