"""Networks by name, with random weights or those of a published checkpoint."""

from typing import Any

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.download import Progress
from zoopraxis.checkpoints.hub import fetch
from zoopraxis.checkpoints.read import read_state_dict
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.registry import model_spec
from zoopraxis.spec import Weights
from zoopraxis.weights.registry import build_network, find_weights

__all__ = ["create_model", "load_published"]


def create_model(
    name: str,
    *,
    weights: str = "",
    num_classes: int | None = None,
    source: str = "",
    accept_licence: bool = False,
    **args: Any,
) -> VideoClassifier:
    """Build a network, and load its weights when asked to.

    Parameters
    ----------
    name : str
        A name from `zoopraxis.list_models`, or ``name.tag`` for a published checkpoint.
    weights : str, default=""
        Tag of a published checkpoint (``"k400"``). The default is random weights.
    num_classes : int, optional
        K. With weights of another K the classifier is re-initialised.
    source : str, default=""
        Build the network as this source has it, where builds differ in a padding or an epsilon.
        With weights, the source that they are converted by, in place of their own.
    accept_licence : bool, default=False
        Download weights under a licence for other than commercial use.
    **args
        Arguments of the model's class, in place of the entry's.

    Returns
    -------
    VideoClassifier
        In training mode, on the CPU; maps (B, C, T, H, W) to logits (B, K).

    Raises
    ------
    ModelNotFoundError
        No model, tag or source of that name.
    ConversionError
        The weights do not fit the source or the arguments.
    DownloadError
        The weights cannot be downloaded, or their licence must be accepted first.
    """
    if not weights and "." in name:
        name, weights = name.split(".", 1)
    model_spec(name)
    if weights:
        found = find_weights(name, weights)
        return load_published(
            found, num_classes=num_classes, source=source, accept_licence=accept_licence, **args
        )
    return build_network(name, source=source, num_classes=num_classes, **args)


def load_published(
    weights: Weights,
    *,
    num_classes: int | None = None,
    source: str = "",
    accept_licence: bool = False,
    progress: Progress | None = None,
    **args: Any,
) -> VideoClassifier:
    """Build a network with a published checkpoint, downloaded once and kept.

    Parameters
    ----------
    weights : Weights
        The checkpoint.
    num_classes : int, optional
        K. With another number of classes than the checkpoint's, the classifier is re-initialised.
    source : str, default=""
        The source that the weights are converted by, in place of their own.
    accept_licence : bool, default=False
        Download weights under a licence for other than commercial use.
    progress : callable, optional
        Called with the bytes downloaded, and of how many; see `zoopraxis.checkpoints.hub.fetch`.
    **args
        Arguments of the model's class, in place of the entry's.

    Returns
    -------
    VideoClassifier
        In training mode, on the CPU.

    Raises
    ------
    DownloadError
        The file cannot be downloaded, or its licence must be accepted first.
    ConversionError
        The weights do not fit the source or the arguments.
    """
    source = source or weights.source
    state = read_state_dict(fetch(weights, accept_licence=accept_licence, progress=progress))
    network = create_model(weights.model, num_classes=weights.num_classes, source=source, **args)
    network.load_state_dict(convert_state_dict(weights.model, state, source=source, **args))
    if num_classes not in (None, weights.num_classes):
        network.reset_classifier(num_classes)
    return network
