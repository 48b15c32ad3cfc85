"""What features of regions cost: R-CNN, SPP-net, Fast R-CNN and Faster R-CNN on one frame.

    python benchmarks/region_features.py
    python benchmarks/region_features.py --regions 16 --more 300 2000

All have VGG-16 with its two hidden layers, random weights, and one frame of the theatre, 320x240.
R-CNN warps every region to 224x224 pixels and runs the whole network on it. The others run the
convolutions once, for the frame, and only the hidden layers for each region: on a pyramid of 50
bins (SPP-net), or 7x7 bins (Fast R-CNN). These three take their proposals from elsewhere, here from
OpenCV's selective search (fast mode); Faster R-CNN finds them in the same map, with one 3x3
convolution (RPN). Multiply-adds are counted, in billions, and for ``--more`` regions computed from
those; seconds are of the processor, with one thread, the best of the rounds.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead

from zoopraxis.layers.vgg import VGG16
from zoopraxis.regions import pyramid_pool_regions, roi_max_pool
from zoopraxis.regions.pool import LEVELS
from zoopraxis.theatre import film

STRIDE = 16  # of VGG's map before its last pooling, which the regions' pooling replaces
BINS = sum(level * level for level in LEVELS)

Branch = Callable[[Tensor, Tensor], Tensor]


class Networks(nn.Module):
    """The four, on one backbone."""

    def __init__(self) -> None:
        super().__init__()
        self.vgg = VGG16()
        self.pyramid6 = nn.Linear(512 * BINS, 4096)
        self.rpn = RegionProposalNetwork(
            AnchorGenerator(((128, 256, 512),), ((0.5, 1.0, 2.0),)),
            RPNHead(512, 9),
            0.7,
            0.3,
            256,
            0.5,
            pre_nms_top_n={"training": 2000, "testing": 1000},
            post_nms_top_n={"training": 2000, "testing": 300},
            nms_thresh=0.7,
        )

    def maps(self, frame: Tensor) -> Tensor:
        """Map a frame (1, 3, H, W) to (1, 512, H/16, W/16)."""
        out: Tensor = self.vgg.features[:-1](frame)
        return out

    def hidden(self, pooled: Tensor, fc6: nn.Linear) -> Tensor:
        """Map pooled regions (R, ...) to (R, 4096)."""
        return F.relu(self.vgg.fc7(F.relu(fc6(pooled.flatten(1)))))

    def r_cnn(self, frame: Tensor, boxes: Tensor) -> Tensor:
        """Warp each region and run everything on it."""
        crops = []
        for x1, y1, x2, y2 in boxes.round().int().tolist():
            crop = frame[..., y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
            crops.append(F.interpolate(crop, size=(224, 224), mode="bilinear"))
        return torch.cat([self.vgg(crop).flatten(1) for crop in crops])  # (R, 4096)

    def spp_net(self, frame: Tensor, boxes: Tensor) -> Tensor:
        """Pool the window of each region in a pyramid."""
        pooled = pyramid_pool_regions(self.maps(frame), boxes[None], stride=STRIDE)[0]
        return self.hidden(pooled, self.pyramid6)

    def fast_r_cnn(self, frame: Tensor, boxes: Tensor) -> Tensor:
        """Pool each region in 7x7 bins."""
        return self.hidden(
            roi_max_pool(self.maps(frame), boxes[None], stride=STRIDE)[0], self.vgg.fc6
        )

    def faster_r_cnn(self, frame: Tensor, boxes: Tensor) -> Tensor:
        """Propose regions from the map too; as many are pooled as the others are given."""
        maps = self.maps(frame)
        proposals, _ = self.rpn(ImageList(frame, [tuple(frame.shape[2:])]), {"0": maps})
        regions = proposals[0][: len(boxes)]
        return self.hidden(roi_max_pool(maps, regions[None], stride=STRIDE)[0], self.vgg.fc6)


def selective_search(frame: Tensor, number: int) -> Tensor:
    """Propose regions (R, 4) of a frame (1, 3, H, W)."""
    search: Any = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage((frame[0].permute(1, 2, 0).numpy()[..., ::-1] * 255).astype(np.uint8))
    search.switchToSelectiveSearchFast()
    found = torch.from_numpy(np.asarray(search.process(), np.float32))  # x, y, width, height
    return torch.cat([found[:, :2], found[:, :2] + found[:, 2:]], dim=1)[:number]


def seconds(work: Callable[[], Any], rounds: int) -> float:
    """Processor time of the fastest of some rounds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


@torch.inference_mode()
def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regions", type=int, default=8)
    parser.add_argument("--more", type=int, nargs="*", default=[2000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    networks = Networks().eval()
    clip = film("pick_up", seed=1, performer=1, size=(320, 240))
    frame = torch.from_numpy(clip.frames[0].copy()).permute(2, 0, 1)[None].float() / 255
    boxes = selective_search(frame, options.regions)
    found = seconds(lambda: selective_search(frame, options.regions), options.rounds)
    print(f"selective search: {found:.2f} s")
    columns = [f"GMACs, {n} regions" for n in (len(boxes), *options.more)]
    print(f"| network | {' | '.join(columns)} | seconds, {len(boxes)} regions |")
    print("|---" * (len(columns) + 2) + "|")
    branches: dict[str, Branch] = {
        "R-CNN": networks.r_cnn,
        "SPP-net": networks.spp_net,
        "Fast R-CNN": networks.fast_r_cnn,
        "Faster R-CNN": networks.faster_r_cnn,
    }
    for name, branch in branches.items():
        one, all_ = (count(branch, frame, boxes[:n]) for n in (1, len(boxes)))
        each = (all_ - one) / (len(boxes) - 1)  # of a further region
        more = [all_ + each * (n - len(boxes)) for n in options.more]
        spent = seconds(partial(branch, frame, boxes), options.rounds)
        cells = " | ".join(f"{macs:.1f}" for macs in (all_, *more))
        print(f"| {name} | {cells} | {spent:.2f} |", flush=True)


def count(branch: Branch, frame: Tensor, boxes: Tensor) -> float:
    """Billions of multiply-adds."""
    with FlopCounterMode(display=False) as counter:
        branch(frame, boxes)
    return float(counter.get_total_flops()) / 2e9


if __name__ == "__main__":
    main()
