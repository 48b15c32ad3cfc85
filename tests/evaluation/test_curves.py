"""Pictures of features: what they draw is measured, and they are drawn."""

import cv2
import numpy as np
import pytest

from feature_files import write_features
from videos import write_frames
from zoopraxis.errors import DataError
from zoopraxis.evaluation.curves import dimension_curve, draw_dimensions, draw_map, draw_shots
from zoopraxis.evaluation.probe import probe
from zoopraxis.evaluation.protocols import by_folds

LABELS = ("red", "green", "blue")
COLOURS = np.eye(3, dtype=np.uint8)[:, ::-1] * 255  # BGR


@pytest.fixture
def features(tmp_path):
    """Vectors whose first two dimensions tell the classes; films of one colour a class."""
    rng = np.random.default_rng(0)
    classes = np.arange(30) % 3
    x = 0.05 * rng.standard_normal((30, 12))
    x[:, :3] += np.eye(3)[classes]
    paths = []
    for k, label in enumerate(LABELS):
        path = tmp_path / f"{label}.mp4"
        colour = np.eye(3, dtype=np.uint8)[k] * 230
        write_frames(path, np.ascontiguousarray(np.broadcast_to(colour, (4, 32, 32, 3))))
        paths.append(str(path))
    return write_features(
        tmp_path / "f",
        {"pooled": x, "maps": np.zeros((30, 1, 2, 1, 1, 1))},
        classes,
        labels=LABELS,
        paths=[paths[k] for k in classes],
    )


def test_two_dimensions_are_enough(features):
    curve = dimension_curve(
        features, by_folds(features, folds=3), layer="pooled", dims=(12, 1, 2, 500)
    )

    assert curve.dims == (1, 2, 12)  # there are no 500
    assert curve.top1[1] == 1.0
    assert curve.top1[0] < 1.0


def test_more_dimensions_than_there_are(features):
    with pytest.raises(DataError, match="13 dimensions are more than the 12"):
        dimension_curve(features, by_folds(features, folds=3), layer="pooled", dims=(13,))


def test_curves_are_drawn(features, tmp_path):
    rounds = by_folds(features, folds=3)
    curve = dimension_curve(features, rounds, layer="pooled", dims=(1, 2))
    result = probe(features, rounds, layer="pooled", shots=(1, 3, None), draws=2)

    pictures = [
        draw_dimensions([curve], tmp_path / "d" / "dims.png"),
        draw_shots([result], tmp_path / "shots.png"),
    ]

    for picture in pictures:
        image = cv2.imread(str(picture))
        assert image.shape == (480, 720, 3)
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 10


def test_the_map_shows_every_video_beside_its_like(features, tmp_path):
    path = draw_map(features, tmp_path / "map.png", layer="pooled")

    image = cv2.imread(str(path)).astype(int)
    centres = []
    for colour in COLOURS:
        near = np.abs(image - 0.9 * colour).sum(axis=2) < 60
        _, _, stats, centre = cv2.connectedComponentsWithStats(near.astype(np.uint8))
        large = stats[:, cv2.CC_STAT_AREA] > 100
        large[0] = False
        assert large.sum() >= 2  # overlapping thumbnails are one patch
        centres.append(centre[large].mean(axis=0))
    apart = [np.linalg.norm(a - b) for a in centres for b in centres if a is not b]
    assert min(apart) > 100  # pixels, of 1200


def test_some_of_many(features, tmp_path):
    few = cv2.imread(str(draw_map(features, tmp_path / "a.png", layer="pooled", most=6)))
    many = cv2.imread(str(draw_map(features, tmp_path / "b.png", layer="pooled")))

    assert (few < 250).sum() < (many < 250).sum()


def test_maps_are_no_points(features, tmp_path):
    with pytest.raises(DataError, match="--keep video"):
        draw_map(features, tmp_path / "map.png", layer="maps")
    with pytest.raises(DataError, match="--keep video"):
        dimension_curve(features, by_folds(features), layer="maps", dims=(1,))
