"""VGG-16 over frames, up to its second hidden layer.

Simonyan and Zisserman, ICLR 2015. arXiv:1409.1556. The features of a frame are the 4096 of fc7,
as in the two-stream networks, and have no height and width: (N, 4096, 1, 1).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.resnet3d import initialise

__all__ = ["VGG16"]

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions


class VGG16(nn.Module):
    """Thirteen 3x3 convolutions with biases and two hidden layers.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame, or of a stack of frames.
    dropout : float, default=0.5
        After fc6; the dropout after fc7 belongs to the head.
    """

    num_features = 4096

    def __init__(self, *, in_channels: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels, count in _STAGES:
            for _ in range(count):
                layers += [nn.Conv2d(in_channels, channels, 3, padding=1), nn.ReLU(inplace=True)]
                in_channels = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.fc6 = nn.Linear(512 * 7 * 7, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.dropout = nn.Dropout(dropout)
        initialise(self)

    def forward(self, x: Tensor, _num_frames: int = 1) -> Tensor:
        """Map frames (N, C, H, W) to features (N, 4096, 1, 1)."""
        x = self.features(x)  # (N, 512, H/32, W/32)
        # 224 pixels give 7x7 positions already
        x = F.adaptive_avg_pool2d(x, 7).flatten(1)  # (N, 25088)
        x = self.dropout(F.relu(self.fc6(x)))  # (N, 4096)
        x = F.relu(self.fc7(x))  # (N, 4096)
        return x[:, :, None, None]  # (N, 4096, 1, 1)
