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
import torch.nn.functional as F

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
LAYERS = (FEATURES, "layer3", "layer2")
GRID = 4  # columns of the clip, and rows, that are covered one by one
SHOWN = "pick_up"
DRAWN = ("walk", "wave", "pick_up", "open_door")


def main() -> None:
    """Measure where the heat lies on held-out performers, and draw one clip and four classes.

    Two other heats say what to expect. The ideal one is the boxes themselves, at the resolution of
    the features. The one of covering is by how much the logit falls when one of 4 x 4 cells of the
    clip is covered with the mean colour, which needs no gradient and no layer.
    """
    folder = Path(sys.argv[1])
    recipe = read_recipe(folder / "recipe.toml")
    _, held_out = read_lists(recipe.data, multi_label=False)
    if held_out is None:
        raise SystemExit("the recipe keeps no clips from training")
    net = open_model(folder)
    model: Any = net.model
    size = net.clip.shape[-1]
    found: dict[str, list[float]] = {name: [] for name in (*LAYERS, "ideal", "covering")}
    correct: list[bool] = []
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
        # of the true class: where it is, not where another one was seen
        cams = {x: grad_cam(model, (inputs,), label=label, layer=x) for x in LAYERS}
        logits = cams[FEATURES].logits  # (1, K)
        correct.append(int(logits.argmax()) == label)
        heats = {layer: cam.heat for layer, cam in cams.items()}  # each (1, T', H', W')
        boxed = torch.from_numpy(inside[None].astype(np.float32))  # (1, T, S, S)
        _, length, height, width = heats[FEATURES].shape
        heats["ideal"] = F.adaptive_avg_pool3d(boxed, (length, height, width))
        fall = logits[0, label] - covered(model, inputs)[:, label]  # (16,)
        heats["covering"] = fall.clamp(min=0).reshape(1, 1, GRID, GRID)
        for name, heat in heats.items():
            shown = over_clip(heat, inside.shape)[0].numpy()  # (T, S, S)
            part = float(shown[inside].sum() / shown.sum()) if shown.any() else np.nan
            found[name].append(part)
        if held_out.labels[label] == SHOWN and not rows:
            frames, _ = seen_frames(Media(path=sample.path), net.clip)
            rows = [*frames[0], *heated(frames, over_clip(heats[FEATURES], inside.shape))[0]]
    rate = np.mean(correct)
    print(f"{len(held_out)} clips; boxes cover {np.mean(chance):.1%}; top-1 {rate:.1%}")
    for name, values in found.items():
        parts = np.asarray(values)
        ratio = parts / np.asarray(chance)
        any_heat = ratio[~np.isnan(ratio)]
        print(
            f"{name}: {np.nanmean(parts):.1%} of the heat within, {np.median(any_heat):.2f} times "
            f"chance (median), more than chance in {np.mean(any_heat > 1):.0%}, "
            f"no heat in {len(parts) - len(any_heat)}; of clips with the correct class "
            f"{np.nanmean(parts[np.asarray(correct)]):.1%}"
        )
    large = [x.repeat(2, axis=0).repeat(2, axis=1) for x in rows]
    save_pictures(IMAGES / "cam.png", large, fps=8)
    drawn = []
    for name in DRAWN:
        result = deep_draw(model, net.clip, net.labels.index(name), settings=DrawSettings())
        print(f"drawn {name}: probability {result.score:.3f}")
        drawn += list(result.pictures.repeat_interleave(2, 1).repeat_interleave(2, 2).numpy())
    save_pictures(IMAGES / "deep_draw.png", drawn, fps=8)


@torch.no_grad()
def covered(model: Any, clip: torch.Tensor) -> torch.Tensor:
    """Logits (16, K) of a clip (1, C, T, S, S) with a cell of all frames at the mean colour."""
    cell = clip.shape[-1] // GRID
    clips = clip.repeat(GRID**2, 1, 1, 1, 1)  # (16, C, T, S, S)
    for number, one in enumerate(clips):
        top, left = cell * (number // GRID), cell * (number % GRID)
        one[..., top : top + cell, left : left + cell] = 0
    logits: torch.Tensor = model(clips)
    return logits


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
