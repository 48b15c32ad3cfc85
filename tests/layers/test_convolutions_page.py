"""The table of docs/convolutions.md, computed."""

from pathlib import Path

import pytest
import torch
from torch import nn

from zoopraxis.layers.conv3d import (
    channel_interactions,
    conv_spatial,
    conv_spatiotemporal,
)
from zoopraxis.models.csn import PointThenDepth
from zoopraxis.models.r2plus1d import Conv2Plus1d
from zoopraxis.testing import count_macs, count_params

PAGE = Path(__file__).parent.parent.parent / "docs" / "convolutions.md"
CONVS = (
    lambda: conv_spatial(64, 64),
    lambda: conv_spatiotemporal(64, 64),
    lambda: Conv2Plus1d(64, 64),
    lambda: nn.Conv3d(64, 64, 3, padding=1, groups=4, bias=False),
    lambda: nn.Conv3d(64, 64, 3, padding=1, groups=64, bias=False),
    lambda: PointThenDepth(64, 64, stride=(1, 1)),
)


def table():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.parametrize(("row", "make"), list(zip(table(), CONVS, strict=True)))
def test_costs_are_those_of_the_page(row, make):
    with torch.device("meta"):
        conv = make()
    norms = sum(count_params(m) for m in conv.modules() if isinstance(m, nn.BatchNorm3d))

    assert f"{count_params(conv) - norms:,}" == row[1]
    assert f"{count_macs(conv, (1, 64, 16, 56, 56)) / 1e9:.2f}" == row[2]
    assert f"{channel_interactions(conv):,}" == row[3]


def test_pictures_are_there():
    for name in ("kernels", "groups"):
        assert f"images/{name}.png" in PAGE.read_text()
        assert (PAGE.parent / "images" / f"{name}.png").is_file()
