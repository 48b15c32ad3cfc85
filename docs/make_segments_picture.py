"""Draw docs/images/segments.png: true and predicted segments of a film of several actions.

python docs/make_segments_picture.py RUN LIST FILM

RUN is a network trained on such films, LIST their segments, as docs/segments.md makes them; FILM is
one of the films.
"""

import sys
from dataclasses import replace
from pathlib import Path

from zoopraxis.data.samples import read_samples
from zoopraxis.evaluation.page import figure_png
from zoopraxis.evaluation.timeline_page import draw_timeline
from zoopraxis.evaluation.timelines import evaluate_timelines
from zoopraxis.prediction.pipeline import opened
from zoopraxis.prediction.timeline import Hysteresis


def main(run: str, table: str, film: str) -> None:
    """Predict the timeline of the film, and draw it below the true one."""
    net = opened(run)
    samples = read_samples(table, labels=net.labels)
    rows = tuple(sample for sample in samples if Path(sample.path).name == film)
    rule = Hysteresis(high=0.5, low=0.1, shortest=0.5, none="idle")
    found = evaluate_timelines(
        net, replace(samples, samples=rows), rule=rule, none="idle", window=2.2, step=0.36
    )
    (name,) = found.truth
    picture = figure_png(draw_timeline(found.truth[name], found.found[name]))
    (Path(__file__).parent / "images/segments.png").write_bytes(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
