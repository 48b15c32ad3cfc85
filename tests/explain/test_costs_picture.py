"""The picture of accuracy against cost has every point, and names that hide nothing."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from zoopraxis.errors import ZoopraxisError
from zoopraxis.explain.account import account
from zoopraxis.explain.costs_picture import draw_costs
from zoopraxis.weights import weights_of


def test_the_picture_has_every_published_accuracy():
    rows = [weights for weights in weights_of("r2plus1d_18") if weights.top1 is not None]
    figure, points = draw_costs([("r2plus1d_18", 40.5)])

    drawn = [tuple(xy) for c in figure.axes[0].collections for xy in c.get_offsets()]
    assert points == len(rows) > 0
    assert sorted(drawn) == sorted((40.5, weights.top1) for weights in rows)
    with pytest.raises(ZoopraxisError, match="no accuracy is published for test_tsn"):
        draw_costs([("test_tsn", 1.0)])


def test_names_in_the_picture_hide_nothing():
    names = ("x3d_s", "x3d_m", "ir_csn_152", "r3d_18", "r2plus1d_18", "mc3_18", "s3d")
    figure, points = draw_costs([(name, account(name).macs / 1e9) for name in names])
    axes, renderer = figure.axes[0], FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)

    boxes = [text.get_window_extent(renderer) for text in axes.texts if text.get_text()]
    dots = [axes.transData.transform(xy) for c in axes.collections for xy in c.get_offsets()]
    assert len(boxes) == points > 10
    for number, box in enumerate(boxes):
        assert axes.bbox.contains(*box.min)
        assert axes.bbox.contains(*box.max)
        assert not any(map(box.overlaps, boxes[:number]))
        assert not any(box.contains(x, y) for x, y in dots)
