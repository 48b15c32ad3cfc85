"""Pictures of what features are worth: by training videos, by dimensions, and as a map."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize

from zoopraxis.errors import DataError
from zoopraxis.evaluation.features import FeatureSet
from zoopraxis.evaluation.page import plain_text
from zoopraxis.evaluation.probe import Probing, linear_svm
from zoopraxis.evaluation.protocols import Round
from zoopraxis.files import write_atomically
from zoopraxis.metrics import Scores, top_k_accuracy
from zoopraxis.trajectories.classify import check_classes
from zoopraxis.video import open_video

__all__ = [
    "DimensionCurve",
    "dimension_curve",
    "draw_dimensions",
    "draw_map",
    "draw_shots",
]

_THUMBNAIL = 36  # pixels of the shorter side


@dataclass(frozen=True, kw_only=True)
class DimensionCurve:
    """Accuracy of a linear SVM after PCA.

    Parameters
    ----------
    name : str
        Network and layer.
    dims : tuple of int
        Dimensions that are kept.
    top1 : tuple of float
        Accuracy with each, a fraction of one: the mean over the rounds.
    """

    name: str
    dims: tuple[int, ...]
    top1: tuple[float, ...]

    @property
    def points(self) -> Iterator[tuple[int, float]]:
        """Pairs of dimensions and accuracy."""
        return zip(self.dims, self.top1, strict=True)


def dimension_curve(
    features: FeatureSet,
    rounds: Sequence[Round],
    *,
    layer: str,
    dims: Sequence[int] = (10, 50, 100, 200, 500),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> DimensionCurve:
    """Measure how compact features are (Tran et al., ICCV 2015, section 4, Figure 5).

    PCA is fitted to the training videos of each round, so there are at most as many dimensions as
    these, or as the features have: what lies above is left out.

    Parameters
    ----------
    features, rounds, layer
        As for `zoopraxis.evaluation.probe.probe`.
    dims : sequence of int
        Dimensions.
    seed : int, default=0
        Of PCA and SVM.
    progress : callable, optional
        Called with the number of SVMs trained, and of all.

    Raises
    ------
    DataError
        The features are no vectors, or every number of dimensions is too large.
    """
    x, classes = features.read(layer), features.classes
    if x.ndim != 2:
        raise DataError(
            f"the features of {layer!r} in {features.folder} have the shape {x.shape[1:]}",
            "extract with --keep video",
        )
    most = min(x.shape[1], *(len(train) for r in rounds for train, _ in r))
    used = tuple(d for d in sorted(set(dims)) if d <= most)
    if not used:
        raise DataError(
            f"{min(dims)} dimensions are more than the {most} there are", "ask for fewer"
        )
    done, total = 0, sum(len(r) for r in rounds) * len(used)
    accuracy = np.zeros((len(rounds), len(used)))
    for number, pairs in enumerate(rounds):
        scores: list[list[Scores]] = [[] for _ in used]
        for train, test in pairs:
            check_classes(classes[train].tolist(), features.labels)
            pca = PCA(used[-1], random_state=seed).fit(normalize(x[train]))
            known, unknown = pca.transform(normalize(x[train])), pca.transform(normalize(x[test]))
            for column, d in enumerate(used):
                scores[column].append(
                    linear_svm(known[:, :d], classes[train], unknown[:, :d], seed)
                )
                done += 1
                if progress is not None:
                    progress(done, total)
        truth = classes[np.concatenate([test for _, test in pairs])]
        accuracy[number] = [top_k_accuracy(np.concatenate(parts), truth) for parts in scores]
    return DimensionCurve(
        name=f"{features.model} {layer}", dims=used, top1=tuple(accuracy.mean(axis=0).tolist())
    )


def draw_dimensions(curves: Sequence[DimensionCurve], path: Path) -> Path:
    """Draw the curves of several features into one PNG."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for curve in curves:
        axes.plot(
            curve.dims, [100 * v for v in curve.top1], marker="o", label=plain_text(curve.name)
        )
    axes.set(xscale="log", xlabel="dimensions after PCA", ylabel="top-1 accuracy (%)")
    _dress(axes, sorted({d for curve in curves for d in curve.dims}))
    return _write(figure, path)


def draw_shots(results: Sequence[Probing], path: Path) -> Path:
    """Draw accuracy by training videos of each class, with its confidence, into a PNG."""
    ticks = sorted({p.shots for r in results for p in r.points if p.shots})
    last = 2 * ticks[-1] if ticks else 1  # where "all" is drawn
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for result in results:
        points = sorted(result.points, key=lambda p: p.shots or np.inf)
        x = [p.shots or last for p in points]
        (line,) = axes.plot(
            x, [100 * p.top1 for p in points], marker="o", label=plain_text(result.name)
        )
        low = [100 * (p.top1 if p.low is None else p.low) for p in points]
        high = [100 * (p.top1 if p.high is None else p.high) for p in points]
        axes.fill_between(x, low, high, color=line.get_color(), alpha=0.2)
        axes.vlines(x, low, high, color=line.get_color())
    axes.set(xscale="log", xlabel="training videos of each class", ylabel="top-1 accuracy (%)")
    _dress(axes, [*ticks, last], [*map(str, ticks), "all"])
    return _write(figure, path)


def draw_map(
    features: FeatureSet, path: Path, *, layer: str, most: int = 400, seed: int = 0
) -> Path:
    """Draw a map of the videos by t-SNE, a thumbnail each, framed in the colour of its class.

    Parameters
    ----------
    features : FeatureSet
        Vectors of the videos, which must still lie where they were.
    path : Path
        The PNG.
    layer : str
        Name of the layer.
    most : int, default=400
        Videos drawn, at most; of more, some are drawn at random.
    seed : int, default=0
        Of t-SNE and the choice.

    Raises
    ------
    DataError
        The features are no vectors, or there are fewer than four videos.
    VideoError
        A video cannot be read.
    """
    x, classes = features.read(layer), features.classes
    if x.ndim != 2 or len(x) < 4:
        raise DataError(
            f"the features of {layer!r} in {features.folder} have the shape {x.shape}",
            "extract with --keep video, of four videos or more",
        )
    chosen = np.arange(len(x))
    if len(x) > most:
        chosen = np.sort(np.random.default_rng(seed).choice(len(x), most, replace=False))
    x = normalize(x[chosen])
    perplexity = min(30.0, (len(x) - 1) / 3)
    init = "pca" if min(x.shape) >= 2 else "random"
    places = TSNE(perplexity=perplexity, init=init, random_state=seed).fit_transform(x)  # (N, 2)
    figure = Figure(figsize=(10, 10), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xticks=[], yticks=[])
    axes.scatter(places[:, 0], places[:, 1], s=0)
    colours = colormaps["turbo"](np.linspace(0.05, 0.95, len(features.labels)))
    for (a, b), n in zip(places.tolist(), chosen.tolist(), strict=True):
        frame = OffsetImage(_thumbnail(features.paths[n]), zoom=0.8)
        edge = {"edgecolor": colours[classes[n]], "linewidth": 2}
        axes.add_artist(AnnotationBbox(frame, (a, b), pad=0.05, bboxprops=edge))
    for k, label in enumerate(features.labels):
        axes.scatter([], [], color=colours[k], marker="s", label=plain_text(label))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=6, frameon=False, fontsize=8)
    return _write(figure, path)


def _thumbnail(path: str) -> NDArray[np.uint8]:
    """Middle frame of a video, small: (H, W, 3)."""
    with open_video(path) as video:
        frame = video.frames_at([video.num_frames // 2], resize=_THUMBNAIL)[0]  # (3, H, W)
    picture: NDArray[np.uint8] = frame.permute(1, 2, 0).numpy()
    return picture


def _dress(axes: Axes, ticks: Sequence[int], names: Sequence[str] | None = None) -> None:
    """Label the marks, and nothing between them."""
    axes.set_xticks(ticks, names or [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)


def _write(figure: Figure, path: Path) -> Path:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())
    return path
