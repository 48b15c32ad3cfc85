"""Any network of the zoo as an encoder of the video tasks of MTEB.

MTEB (Muennighoff et al., EACL 2023, arXiv:2210.07316) is the package ``mteb``, of Apache-2.0. Its
tasks of the modality "video" classify, cluster, pair and retrieve videos by the vectors that an
encoder gives; which is what it calls `VideoEncoder` with, a loader of batches. `VideoEncoder`
itself needs no ``mteb``; the description of it that `mteb.evaluate` asks for does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from zoopraxis.errors import DataError, VideoError, ZoopraxisError
from zoopraxis.inputs import Media
from zoopraxis.prediction.features import POOLED
from zoopraxis.prediction.pipeline import Model, Precision, extract_features, opened
from zoopraxis.video import ArrayVideo

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

__all__ = ["VideoEncoder"]

VIDEO = "video"
"""Column of the batches, and the modality."""


class VideoEncoder:
    """A frozen network that turns videos into vectors, as ``mteb.evaluate`` takes it.

    Parameters
    ----------
    model : str, path or OpenModel
        What `zoopraxis.checkpoints.saved.open_model` takes.
    layer : str, default="pooled"
        As for `zoopraxis.extract_features`.
    views, crops : int, default=1
        Clips over each video, and crops of each; their vectors are averaged.
    device, precision
        As for `zoopraxis.predict`.
    batch_size : int, default=8
        Clips that the network takes at a time. The ``batch_size`` of MTEB is that of its loader:
        videos at a time, which are encoded one after the other.
    progress : callable, optional
        Called with the number of videos encoded, and of all; 0 where the loader has no length.

    Raises
    ------
    ZoopraxisError
        The model cannot be opened.

    Examples
    --------
    >>> import mteb  # doctest: +SKIP
    >>> task = mteb.get_task("HMDB51Classification")  # doctest: +SKIP
    >>> mteb.evaluate(VideoEncoder("r3d_18.torchvision_k400", views=4), task)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: Model,
        *,
        layer: str = POOLED,
        views: int = 1,
        crops: int = 1,
        device: str | torch.device = "cpu",
        precision: Precision = "float32",
        batch_size: int = 8,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.net = opened(model)
        self.layer, self.views, self.crops = layer, views, crops
        self.device, self.precision, self.batch_size = device, precision, batch_size
        self.progress = progress

    @property
    def mteb_model_meta(self) -> Any:
        """Describe the encoder, as ``mteb.models.ModelMeta``.

        MTEB keeps results by name and revision, so the revision is a hash of all that decides the
        vectors: the network with its weights, the layer, the clips and the precision.

        Raises
        ------
        ZoopraxisError
            mteb is not installed.
        """
        try:
            meta = import_module("mteb.models").ModelMeta
        except ModuleNotFoundError as error:
            raise ZoopraxisError(
                f"evaluation by MTEB needs {error.name}, which is not installed",
                "pip install 'zoopraxis[mteb]'",
            ) from error
        settings = {
            "layer": self.layer,
            "views": self.views,
            "crops": self.crops,
            "precision": self.precision,
        }
        identity = {**settings, "engine": "", **self.net.identity}
        state = [*self.net.model.parameters(), *self.net.model.buffers()]
        return meta.create_empty(
            {
                "name": f"zoopraxis/{self.net.name.replace('/', '_')}",
                "revision": hashlib.sha256(
                    json.dumps(identity, sort_keys=True).encode()
                ).hexdigest(),
                "experiment_kwargs": settings,
                "modalities": [VIDEO],
                "framework": ["PyTorch"],
                "n_parameters": sum(p.numel() for p in self.net.model.parameters()),
                "memory_usage_mb": sum(x.numel() * x.element_size() for x in state) / 2**20,
                "similarity_fn_name": "cosine",
                "use_instructions": False,
            }
        )

    def encode(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any = None,
        hf_split: str = "",
        hf_subset: str = "",  # noqa: ARG002 - MTEB passes it by name
        prompt_type: Any = None,  # noqa: ARG002 - MTEB passes it by name
        **options: Any,  # noqa: ARG002 - of encoders of text, and for progress bars
    ) -> NDArray[np.float32]:
        """Give a vector for each video.

        Parameters
        ----------
        inputs : iterable of mapping
            Batches, each with a list of videos under "video": files, their contents, frames as a
            uint8 tensor or array (T, 3, H, W), ``{"path": ..., "bytes": ...}``, or decoders of
            torchcodec. Of a loader over a data set of ``datasets``, the files are taken before
            torchcodec decodes them, and frames are read as everywhere else: shrunk as they are
            decoded, which changes features of frames that were decoded before by some 1e-3.
        task_metadata, hf_split
            Which task it is, for messages.

        Returns
        -------
        ndarray of shape (N, D)

        Raises
        ------
        DataError
            The batches hold no videos, or there are none.
        VideoError
            A video cannot be read. MTEB needs a vector of each, so none is left out.
        ZoopraxisError
            As of `zoopraxis.extract_features`.
        """
        title = getattr(task_metadata, "name", None) or "the loader"
        if isinstance(inputs, DataLoader):
            inputs = _of_files(inputs)
        total = len(cast("Any", inputs).dataset) if isinstance(inputs, DataLoader) else 0
        vectors: list[Tensor] = []
        for item in _videos(inputs, title):
            try:
                vectors.append(
                    extract_features(
                        _media(item),
                        self.net,
                        layer=self.layer,
                        views=self.views,
                        crops=self.crops,
                        pool="video",
                        device=self.device,
                        precision=self.precision,
                        batch_size=self.batch_size,
                    )
                )  # (D,)
            except VideoError as error:
                place = f"{title} {hf_split}".strip()
                raise VideoError(
                    f"video {len(vectors)} of {place}: {error.problem}", error.hint
                ) from error
            if self.progress:
                self.progress(len(vectors), total)
        if not vectors:
            raise DataError(f"{title} gives no videos", "check the split of the task")
        encoded: NDArray[np.float32] = torch.stack(vectors).numpy()  # (N, D)
        return encoded

    def similarity(self, embeddings1: ArrayLike, embeddings2: ArrayLike) -> Tensor:
        """Cosines of vectors (N, D) with vectors (M, D): (N, M)."""
        return _normalised(embeddings1) @ _normalised(embeddings2).T

    def similarity_pairwise(self, embeddings1: ArrayLike, embeddings2: ArrayLike) -> Tensor:
        """Cosines of vectors (N, D) with as many others, one by one: (N,)."""
        return (_normalised(embeddings1) * _normalised(embeddings2)).sum(dim=1)


def _normalised(vectors: ArrayLike) -> Tensor:
    """Scale vectors (N, D) to length one; a single one (D,) is N = 1."""
    x = torch.as_tensor(vectors).float()
    return F.normalize(x.reshape(-1, x.shape[-1]), dim=1)


def _of_files(loader: DataLoader[Any]) -> DataLoader[Any]:
    """Let a loader over a data set of ``datasets`` give the files of its videos, undecoded."""
    data = cast("Any", loader.dataset)
    column = getattr(data, "features", None) or {}
    if not getattr(column.get(VIDEO), "decode", False):
        return loader
    undecoded = import_module("datasets").Video(decode=False)
    return DataLoader(
        data.cast_column(VIDEO, undecoded),
        batch_size=loader.batch_size,
        collate_fn=loader.collate_fn,
        num_workers=loader.num_workers,
    )


def _videos(batches: Iterable[Mapping[str, Any]], title: str) -> Iterator[Any]:
    """Yield the videos of all batches."""
    for batch in batches:
        if VIDEO not in batch:
            raise DataError(
                f"{title} gives {', '.join(batch)}, and the network reads {VIDEO}",
                "choose tasks whose modality is video alone",
            )
        yield from batch[VIDEO]


def _media(item: Any) -> Media:
    """Wrap one video of a batch."""
    if isinstance(item, Mapping):  # of `datasets`: the contents, where they lie in the data set
        item = item.get("bytes") or item.get("path") or b""
    elif hasattr(item, "get_frames_in_range"):  # torchcodec's decoder
        frames = item.get_frames_in_range(0, len(item))
        times = frames.pts_seconds.numpy() - float(frames.pts_seconds[0])
        item = ArrayVideo(frames.data, fps=item.metadata.average_fps, timestamps=times)
    return Media.of(item)
