"""Accuracy of the GCN on the citation graphs of Planetoid: mean ± std over seeds.

    python benchmarks/gcn_planetoid.py DIR --seeds 20

DIR has the files ind.cora.* and ind.citeseer.* (the folder gcn/data of github.com/tkipf/gcn).
Prediction, written before the first run: the paper's 81.5 % on Cora and 70.3 % on Citeseer (means
of 100 seeds), so at least 81.0 % and 70.0 % in the mean of 20. The floor is the largest class of
the test nodes. The results are in docs/graphs.md.
"""

import argparse

import numpy as np
import torch

from zoopraxis.graphs.adjacency import (
    add_self_loops,
    first_order_chebyshev,
    renormalise,
    row_normalise,
)
from zoopraxis.graphs.planetoid import read_planetoid
from zoopraxis.graphs.train import Protocol, train_gcn

FORMS = {
    "renormalised": renormalise,
    "rows": lambda adjacency: row_normalise(add_self_loops(adjacency)),
    "first_order": first_order_chebyshev,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--names", nargs="+", default=["cora", "citeseer"])
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=["renormalised"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--window", type=int, default=10, help="0: no early stopping")
    options = parser.parse_args()
    protocol = Protocol(epochs=options.epochs, window=options.window)
    print("| graph | adjacency | test accuracy | largest class | epochs |")
    print("|---|---|---|---|---|")
    for name in options.names:
        graph = read_planetoid(options.folder, name)
        floor = float(torch.bincount(graph.labels[graph.test]).max() / len(graph.test))
        for form in options.forms:
            runs = [
                train_gcn(graph, protocol, seed=seed, normalise=FORMS[form])
                for seed in range(options.seeds)
            ]
            accuracy = 100 * np.array([run.test_accuracy for run in runs])
            epochs = np.array([run.epochs for run in runs])
            print(
                f"| {name} | {form} | {accuracy.mean():.1f} ± {accuracy.std():.1f} "
                f"| {100 * floor:.1f} | {epochs.mean():.0f} ± {epochs.std():.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
