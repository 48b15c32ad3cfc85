"""Keys of VGG-16 in other code bases."""

from zoopraxis.spec import Replacement

RENAME_VGG: tuple[tuple[str, Replacement], ...] = (
    (r"^classifier\.0\.", "fc6."),
    (r"^classifier\.3\.", "fc7."),
)
"""Keys of torchvision's VGG-16 in terms of `VGG16`, without the classifier."""
