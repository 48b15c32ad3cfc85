"""Skeletons: layouts of joints, the partition matrices of their graphs, readers of recordings."""

from zoopraxis.skeletons.layouts import LAYOUTS, Layout, skeleton_layout
from zoopraxis.skeletons.partitions import hop_distances, partition_matrices

__all__ = ["LAYOUTS", "Layout", "hop_distances", "partition_matrices", "skeleton_layout"]
