"""Draw docs/images/cam.png and deep_draw.png, and print the table of docs/explain.md.

zoopraxis data theatre theatre --clips-per-class 40 --boxes
zoopraxis train theatre_r2plus1d data.train=theatre train.epochs=14 --out run
python docs/make_explain_pictures.py run
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoopraxis.checkpoints.saved import open_model
from zoopraxis.explain.cam import FEATURES, grad_cam, over_clip
from zoopraxis.explain.deep_draw import DrawSettings, deep_draw
from zoopraxis.explain.shown import heated, save_pictures, seen_frames
from zoopraxis.inputs import Media
from zoopraxis.inputs.base import view_indices
from zoopraxis.prediction.pipeline import view_inputs
from zoopraxis.regions import read_boxes
from zoopraxis.training.build import read_lists
from zoopraxis.training.recipe import read_recipe

IMAGES = Path(__file__).parent / "images"
LAYERS = (FEATURES, "layer2")
SHOWN = "pick_up"
DRAWN = ("walk", "wave", "pick_up", "open_door")


def main() -> None:
    """Measure where the heat lies on held-out performers, and draw one clip and four classes."""
    folder = Path(sys.argv[1])
    recipe = read_recipe(folder / "recipe.toml")
    _, held_out = read_lists(recipe.data, multi_label=False)
    if held_out is None:
        raise SystemExit("the recipe keeps no clips from training")
    net = open_model(folder)
    model: Any = net.model
    size = net.clip.shape[-1]
    found: dict[str, list[float]] = {layer: [] for layer in LAYERS}
    chance: list[float] = []
    rows: list[Any] = []
    for sample in held_out:
        with net.clip.input.open(sample) as track:
            indices = view_indices(track, sample, net.clip.sampling, views=1)[0]  # (T,)
            draw = net.clip.input.crops(track, 1)[0]
            inputs: Any = view_inputs(track, sample, net.clip)[0]
            label = int(str(sample.label))
            scale = draw.scaled[0] / track.height
        inside = np.zeros((len(indices), size, size), bool)  # (T, S, S)
        boxes = read_boxes(Path(sample.path).with_suffix(".boxes.csv"))
        for mask, frame in zip(inside, indices, strict=True):
            for i in boxes.in_frame(frame):
                corners = boxes.boxes[i] * scale - np.tile(draw.box[1::-1], 2)
                x1, y1, x2, y2 = np.rint(corners).clip(0, size).astype(int)
                mask[y1:y2, x1:x2] = True
        chance.append(inside.mean())
        for layer in LAYERS:
            # of the true class: where it is, not where another one was seen
            cam = grad_cam(model, (inputs,), label=label, layer=layer)
            heat = over_clip(cam.heat, inside.shape)[0].numpy()  # (T, S, S)
            found[layer].append(float(heat[inside].sum() / heat.sum()) if heat.any() else np.nan)
        if held_out.labels[label] == SHOWN and not rows:
            frames, _ = seen_frames(Media(path=sample.path), net.clip)
            cam = grad_cam(model, (inputs,), label=label, layer=FEATURES)
            rows = [*frames[0], *heated(frames, over_clip(cam.heat, inside.shape))[0]]
    print(f"{len(held_out)} clips; boxes of performer and object cover {np.mean(chance):.1%}")
    for layer, parts in found.items():
        ratio = np.asarray(parts) / np.asarray(chance)
        print(
            f"{layer}: {np.nanmean(parts):.1%} of the heat within, {np.nanmedian(ratio):.2f} times "
            f"chance (median), more than chance in {np.nanmean(ratio > 1):.0%}, "
            f"no heat in {np.isnan(parts).sum()}"
        )
    large = [x.repeat(2, axis=0).repeat(2, axis=1) for x in rows]
    save_pictures(IMAGES / "cam.png", large, fps=8)
    drawn = []
    for name in DRAWN:
        result = deep_draw(model, net.clip, net.labels.index(name), settings=DrawSettings())
        print(f"drawn {name}: probability {result.score:.3f}")
        drawn += list(result.pictures.repeat_interleave(2, 1).repeat_interleave(2, 2).numpy())
    save_pictures(IMAGES / "deep_draw.png", drawn, fps=8)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
