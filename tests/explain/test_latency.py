"""How long a network takes, and how that was measured."""

import pytest
import torch

from zoopraxis.checkpoints.saved import open_model
from zoopraxis.errors import ZoopraxisError
from zoopraxis.explain.latency import latency


def test_latency_says_how_it_was_measured():
    calls = []
    found = latency(
        open_model("test_tsn"),
        batch=2,
        repeats=4,
        warmup=1,
        progress=lambda done, total: calls.append((done, total)),
    )

    assert 0 < found.p50 <= found.p90 <= found.p95
    assert (found.batch, found.repeats, found.precision) == (2, 4, "float32")
    assert (found.engine, found.threads) == ("torch", torch.get_num_threads())
    assert found.processor
    assert calls == [(n, 5) for n in range(1, 6)]
    with pytest.raises(ZoopraxisError, match="repeats 0"):
        latency(open_model("test_tsn"), repeats=0)
