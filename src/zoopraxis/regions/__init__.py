"""Regions of frames: boxes, their files, their features, and detectors that find them."""

from zoopraxis.regions.boxes import box_area, box_iou, clip_boxes, pad_boxes, scale_boxes
from zoopraxis.regions.files import FrameBoxes, read_boxes, write_boxes
from zoopraxis.regions.pool import pyramid_pool, pyramid_pool_regions, roi_align, roi_max_pool

__all__ = [
    "FrameBoxes",
    "box_area",
    "box_iou",
    "clip_boxes",
    "pad_boxes",
    "pyramid_pool",
    "pyramid_pool_regions",
    "read_boxes",
    "roi_align",
    "roi_max_pool",
    "scale_boxes",
    "write_boxes",
]
