"""zoopraxis info MODEL: what a model is, what it eats, and where its weights come from."""

import json
from dataclasses import asdict
from typing import Annotated

import typer


def info(
    model: Annotated[str, typer.Argument(help="A name from `zoopraxis models`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a model's paper, input, size, sources and checkpoints."""
    import sys

    from zoopraxis.models import model_spec

    spec = model_spec(model)
    paper = (sys.modules[spec.build.__module__].__doc__ or "").strip().splitlines()
    facts = {
        "name": spec.name,
        "paper": paper[0],
        "citation": paper[2] if len(paper) > 2 else "",
        "input": ["B", *spec.clip.shape],
        "clip": asdict(spec.clip),
        "params_m": spec.params_m,
        "macs_g": spec.macs_g,
        "order_sensitive": spec.order_sensitive,
        "sources": list(spec.sources),
        "weights": [asdict(weights) for weights in spec.weights],
    }
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    clip = spec.clip
    print(f"{spec.name}: {facts['paper']} {facts['citation']}")
    print(f"input    (B, {', '.join(map(str, clip.shape))}), {clip.sampling} sampling", end="")
    print(f", stride {clip.stride}" + (f", {clip.fps:g} fps" if clip.fps else ""))
    print(f"size     {spec.params_m} M parameters, {spec.macs_g} G multiply-adds a clip")
    print(f"order    {'matters' if spec.order_sensitive else 'of frames does not matter'}")
    print(f"sources  {', '.join(spec.sources) or 'none'}")
    for weights in spec.weights:
        score = f"{weights.top1} % top-1 ({weights.protocol})" if weights.top1 else ""
        print(f"weights  {spec.name}.{weights.tag}: {weights.dataset} {score}")
