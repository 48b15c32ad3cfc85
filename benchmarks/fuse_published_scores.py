"""Late fusion of the streams of compressed video, on scores that were published for every video.

    python benchmarks/fuse_published_scores.py SCORES

SCORES is an ``.npz`` with `labels` (N,) and an array (N, K) for each of the streams `iframe`, `mv`,
`residual`, `flow` and `dmc`: the scores of the networks that DMC-Net's authors trained, on test
split 1 of UCF-101 (github.com/facebookresearch/dmc-net, exp_my/ucf101_*; their files are pickled).

Prediction, written before the first run: the accuracies that a plain sum of these scores is known
to have, to the second decimal: 86.70, 67.96, 78.72, 82.74 and 80.02 % alone, 89.53 % for the three
streams of CoViAR, 91.20 % with flow and 92.73 % for I-frames and flow. The floor is a label at
random, 0.99 %. DMC-Net's own script doubles the I-frames; the paper has 90.9 % in the mean of the
three splits. The results are in docs/compressed.md.
"""

import argparse

import numpy as np

from zoopraxis.metrics import mean_class_accuracy, top_k_accuracy
from zoopraxis.prediction.fusion import average_scores

ALONE = ("iframe", "mv", "residual", "flow", "dmc")
FUSIONS = (
    {"iframe": 1, "mv": 1, "residual": 1},
    {"iframe": 1, "flow": 1},
    {"iframe": 1, "mv": 1, "residual": 1, "flow": 1},
    {"iframe": 1, "mv": 1, "residual": 1, "dmc": 1},
    {"iframe": 2, "mv": 1, "residual": 1},
    {"iframe": 2, "mv": 1, "residual": 1, "flow": 1},
    {"iframe": 2, "mv": 1, "residual": 1, "dmc": 1},
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scores", metavar="SCORES")
    with np.load(parser.parse_args().scores) as file:
        labels = file["labels"].astype(np.int64)  # (N,)
        streams = {name: file[name].astype(np.float64) for name in ALONE}  # (N, K) each
    print(f"| {len(labels)} videos | top-1 | top-5 | mean of classes |")
    print("|---|---|---|---|")
    for weights in (*({name: 1} for name in ALONE), *FUSIONS):
        fused = average_scores(
            [streams[name] for name in weights], weights=[float(w) for w in weights.values()]
        )
        cells = (
            top_k_accuracy(fused, labels),
            top_k_accuracy(fused, labels, k=5),
            mean_class_accuracy(fused, labels),
        )
        name = " + ".join(f"{w if w > 1 else ''} {name}".strip() for name, w in weights.items())
        print(f"| {name} | {' | '.join(f'{100 * cell:.2f}' for cell in cells)} |")


if __name__ == "__main__":
    main()
