"""zoopraxis embedding FEATURES OUT.png: a map of the videos, like beside like."""

from pathlib import Path
from typing import Annotated

import typer


def embedding(
    features: Annotated[Path, typer.Argument(help="Folder of `zoopraxis features`.")],
    out: Annotated[Path, typer.Argument(help="The PNG.")],
    layer: Annotated[str, typer.Option(help="The layer.")] = "pooled",
    most: Annotated[int, typer.Option(min=4, help="Videos drawn, at most.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="Of t-SNE.")] = 0,
) -> None:
    """Draw a map of the videos by t-SNE of their features, with thumbnails."""
    from zoopraxis.evaluation.curves import draw_map
    from zoopraxis.evaluation.features import open_features

    print(draw_map(open_features(features), out, layer=layer, most=most, seed=seed))
