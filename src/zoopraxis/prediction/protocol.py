"""A network as a protocol tests it, and the protocol by which its accuracy was published.

``tested = by_protocol(net, published(net).protocol)``, then `zoopraxis.evaluate` with
`Protocol.options`, measures a published accuracy again.
"""

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.errors import ZoopraxisError
from zoopraxis.prediction.fully_convolutional import Scores, fully_convolutional
from zoopraxis.spec import Protocol, Weights
from zoopraxis.weights.registry import find_weights

__all__ = ["by_protocol", "published"]


def by_protocol(net: OpenModel, protocol: Protocol) -> OpenModel:
    """Return a network to be tested on the clips of a protocol, and to see them as it says.

    Views, crops and mode are not the network's: they are options of what tests it.

    Raises
    ------
    RecipeError, ShapeError, ZoopraxisError
        The network cannot be tested so.
    """
    absent = [name for name in ("size", "resize") if not hasattr(net.clip.input, name)]
    refused = [name for name in absent if name in protocol.clip]
    if refused:
        raise ZoopraxisError(
            f"{net.name} takes {net.clip.input.kind}, which has no {' and no '.join(refused)}",
            f"leave {' and '.join(refused)} out",
        )
    if protocol.clip:
        net = net.with_clip(**protocol.clip)
    if protocol.fully_convolutional is None:
        return net
    mode = protocol.mode or ""
    if mode == "mean_given":
        raise ZoopraxisError(
            "a fully convolutional test makes probabilities of logits, and the mode 'mean_given' "
            "says that the model gives none",
            "leave one of them out",
        )
    scores: Scores = "sigmoid" if mode.endswith("sigmoid") else "softmax"
    return fully_convolutional(net, protocol.fully_convolutional, scores=scores)


def published(net: OpenModel) -> Weights:
    """Find the published checkpoint that a network is: its accuracy, and how that was measured.

    Parameters
    ----------
    net : OpenModel
        Opened by ``name.tag``, or from the file that such a checkpoint was converted to.

    Raises
    ------
    ZoopraxisError
        It is none of them, or how it was tested is not stated.
    """
    name = net.config.origin.get("weights", "")
    if not name:
        raise ZoopraxisError(
            f"{net.name} is no published checkpoint: nobody has measured it",
            "name one (`zoopraxis models --weights`), or a file that it was converted to",
        )
    weights = find_weights(*name.split(".", 1))
    if weights.protocol is None:
        raise ZoopraxisError(
            f"for {name} no accuracy is published with the protocol that it was measured by",
            "say how to test it: --views, --crops, --size, --convention",
        )
    return weights
