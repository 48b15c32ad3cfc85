"""Test networks by MTEB on the theatre: classification and clustering of videos.

pip install 'zoopraxis[mteb]'
zoopraxis data theatre theatre --clips-per-class 12 --performers 12
python examples/mteb_theatre.py theatre/clips.csv run r3d_18.torchvision_k400

Any list with groups will do. The tasks are of MTEB's own classes: half of the performers train the
classifier, and the others are classified and clustered. With a name, `mteb.get_task` gives the
published ones, HMDB51Classification for example.
"""

import sys
from typing import Any

import datasets
import mteb
from mteb.abstasks import AbsTaskClassification, AbsTaskClustering

from zoopraxis.data.samples import read_samples
from zoopraxis.evaluation.mteb import VideoEncoder

SAMPLES = read_samples(sys.argv[1])
GROUPS = sorted({sample.group for sample in SAMPLES})


def videos(groups: list[str]) -> datasets.Dataset:
    """Videos of some groups, in the format of MTEB's tasks."""
    some = [sample for sample in SAMPLES if sample.group in groups]
    rows = {"video": [s.path for s in some], "label": [s.label for s in some]}
    return datasets.Dataset.from_dict(rows).cast_column("video", datasets.Video())


def describe(name: str, kind: str, score: str) -> mteb.TaskMetadata:
    """Describe a task of videos alone."""
    return mteb.TaskMetadata(
        name=name,
        description=f"{len(SAMPLES.labels)} actions by {len(GROUPS)} performers.",
        dataset={"path": "theatre", "revision": "1"},
        type=kind,
        category="v2c",
        eval_splits=["test"],
        eval_langs=["zxx-Zxxx"],
        main_score=score,
        modalities=["video"],
        bibtex_citation="",
    )


class Halves:
    """Both tasks read the list, not the Hub."""

    def load_data(self, **_: Any) -> None:
        """Let the first half of the groups train, and the others test."""
        half = len(GROUPS) // 2
        self.dataset = datasets.DatasetDict(train=videos(GROUPS[:half]), test=videos(GROUPS[half:]))
        self.data_loaded = True


class Classification(Halves, AbsTaskClassification):
    """Logistic regression on a few vectors of each class, the mean of ten draws."""

    metadata = describe("TheatreClassification", "VideoClassification", "accuracy")
    input_column_name = "video"


class Clustering(Halves, AbsTaskClustering):
    """k-means of bootstrapped vectors; the V-measure against the classes."""

    metadata = describe("TheatreClustering", "VideoClustering", "v_measure")
    input_column_name = "video"
    label_column_name = "label"
    max_fraction_of_documents_to_embed = None


for model in sys.argv[2:]:
    encoder = VideoEncoder(model, views=2)
    # without a cache: MTEB would keep the results by the name of the task, and the list may change
    found = mteb.evaluate(encoder, [Classification(), Clustering()], cache=None)
    for result in found.task_results:
        print(f"{model}\t{result.task_name}\t{100 * result.get_score():.1f}")
