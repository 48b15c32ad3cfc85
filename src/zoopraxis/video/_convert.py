"""Decoded frames to upright RGB, and chains of FFmpeg's filters."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from zoopraxis.video._base import Size
from zoopraxis.video._orientation import Orientation
from zoopraxis.video._resize import resize_image

__all__ = ["Converter", "build_graph"]


class Converter:
    """Converts decoded frames to upright RGB of one size.

    FFmpeg's quickest conversion to RGB, which is torchcodec's, so that the backend does not matter;
    then the resizing of all frames.
    """

    def __init__(self, orientation: Orientation) -> None:
        self._orientation = orientation
        self._graph: Graph | None = None
        self._built_for: tuple[object, ...] = ()

    def image(self, frame: VideoFrame, size: Size | None) -> NDArray[np.uint8]:
        """Convert a frame to uint8 (H, W, 3), scaled to ``size`` if given."""
        key = (frame.width, frame.height, frame.format.name)
        if self._graph is None or key != self._built_for:
            filters = ["scale=flags=bicubic", "format=rgb24", *self._orientation.filters]
            self._graph, self._built_for = build_graph(frame, filters), key
        self._graph.vpush(frame)
        made: Any = self._graph.vpull().to_ndarray()
        return resize_image(made, size)  # the graph ends in rgb24


def build_graph(frame: VideoFrame, filters: Sequence[str]) -> Graph:
    """Chain of FFmpeg's filters, ``name=arguments``, for frames like this one."""
    graph = Graph()
    graph.threads = 1
    buffer = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    nodes = [buffer]
    for text in filters:
        name, _, arguments = text.partition("=")
        nodes.append(graph.add(name, arguments or None))
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    return graph
