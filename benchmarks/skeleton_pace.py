"""What pacing a recording by its motion is worth: poses at 16 times, and an RBF SVM.

    python benchmarks/skeleton_pace.py msr_action3d ROOT --out runs/pace

Each training subject of the cross-subject protocol is held out in turn; test subjects are not
looked at. Takes seconds, and so can tell how to present skeletons before a network is trained. The
floor is ``pace = "time"``. The results are in docs/skeletons.md.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.svm import SVC

from zoopraxis.data.samples import SampleList, read_samples
from zoopraxis.data.sets.convert import convert_skeletons
from zoopraxis.inputs import Media, Sampling, Skeleton
from zoopraxis.inputs.base import view_indices
from zoopraxis.inputs.skeleton import Stream

LAYOUTS = {"msr_action3d": "msr-20", "utd_mhad": "kinect-20"}
SAMPLING = Sampling(num_frames=16, mode="segments")
STREAMS: dict[str, tuple[Stream, ...]] = {
    "joints": ("joints",),
    "joints and motion": ("joints", "joint_motion"),
}
MOTION = 2.4  # weight of motion beside joints


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=LAYOUTS)
    parser.add_argument("root", metavar="ROOT")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    convert_skeletons(options.name, options.root, options.out, workers=1)
    samples = read_samples(options.out / "cross_subject_train.csv")
    print("| pace | input | accuracy |")
    print("|---|---|---|")
    for pace in ("time", "motion"):
        for name, streams in STREAMS.items():
            kind = Skeleton(
                layout=LAYOUTS[options.name],
                people=1,
                streams=streams,
                normalise="body",
                pace=pace,
            )
            print(f"| {pace} | {name} | {100 * _accuracy(samples, kind):.1f} |", flush=True)


def _accuracy(samples: SampleList, kind: Skeleton) -> float:
    """Mean over the held-out subjects."""
    x = np.stack([_features(sample, kind) for sample in samples])  # (N, F)
    labels = np.array([sample.label for sample in samples])
    groups = np.array([sample.group for sample in samples])
    accuracies = []
    for held in sorted(set(groups)):
        train, test = groups != held, groups == held
        svm = SVC(C=10.0, gamma=1 / (x[train].var() * x.shape[1])).fit(x[train], labels[train])
        accuracies.append(svm.score(x[test], labels[test]))
    return float(np.mean(accuracies))


def _features(sample: Media, kind: Skeleton) -> np.ndarray:
    with kind.open(sample) as track:
        (draw,) = kind.crops(track, 1)
        indices = view_indices(track, sample, SAMPLING)
        clip = kind.prepare(kind.read(track, indices, draw), draw)[0].numpy()  # (C, T, J, P)
    clip[3:] *= MOTION
    return clip.ravel()


if __name__ == "__main__":
    main()
