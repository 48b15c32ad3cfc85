"""Folders of features with chosen numbers in them."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from zoopraxis.evaluation.features import open_features


def write_features(folder: Path, layers, classes, *, labels, groups=None, paths=None):
    """Write features {layer: (N, ...)} as `zoopraxis features` does, and open them."""
    folder.mkdir(parents=True, exist_ok=True)
    count = len(classes)
    names = [f"v{n}" for n in range(count)]
    tensors = {name: torch.from_numpy(np.asarray(x, np.float32)) for name, x in layers.items()}
    shard = "features-00000.safetensors"
    save_file(tensors, folder / shard, metadata={"zoopraxis.features": json.dumps(names)})
    manifest = {"network": {}, "title": "net", "trained": True, "settings": {"layers": [*layers]}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    groups = groups or names
    paths = paths or names
    truth = [int(k) for k in classes]
    rows = [[names[n], paths[n], truth[n], groups[n], shard, n] for n in range(count)]
    index = {"labels": list(labels), "unread": {}, "videos": rows}
    (folder / "index.json").write_text(json.dumps(index))
    return open_features(folder)
