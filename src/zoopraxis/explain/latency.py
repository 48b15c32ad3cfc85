"""How long a network takes on this machine."""

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.engine.compiled import COMPILERS
from zoopraxis.engine.optimize import Engine, optimize_opened
from zoopraxis.errors import ZoopraxisError
from zoopraxis.prediction.pipeline import Precision, run

__all__ = ["Latency", "latency", "processor_name"]


@dataclass(frozen=True, kw_only=True)
class Latency:
    """How long one batch takes, over repeated runs.

    Parameters
    ----------
    p50, p90, p95 : float
        Milliseconds of wall-clock time.
    clips_per_second : float
        Of all runs together.
    batch, repeats : int
        Clips in a batch, and runs.
    threads : int or None
        Of the engine; None where OpenVINO or ONNX Runtime chose their number.
    engine : str
        What computed it, as of `zoopraxis.checkpoints.saved.OpenModel`; "" the network as written.
    precision, device, processor : str
        Where it ran, and how.
    """

    p50: float
    p90: float
    p95: float
    clips_per_second: float
    batch: int
    repeats: int
    threads: int | None
    engine: str
    precision: str
    device: str
    processor: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def latency(
    net: OpenModel,
    *,
    batch: int = 1,
    repeats: int = 20,
    warmup: int = 3,
    device: str = "cpu",
    precision: Precision = "float32",
    engine: Engine = "torch",
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Latency:
    """Time a network on noise, as `zoopraxis.predict` runs it, the checks of its input included.

    The result is on the CPU again when the clock stops, so that the device has finished.

    Parameters
    ----------
    net : OpenModel
        The network, and the clip that it expects.
    batch, repeats, warmup : int
        Clips in a batch, runs that are timed, and runs before them that are not.
    device, precision : str
        As for `zoopraxis.predict`.
    engine, threads
        As for `zoopraxis.engine.optimize.optimize_opened`: what the command line runs. The number
        of threads of this process is as before afterwards.
    progress : callable, optional
        Called with the runs that are done, and of how many.

    Raises
    ------
    ZoopraxisError
        A number is out of its range; the engine is not installed, or not for this device.
    """
    if min(batch, repeats) < 1 or warmup < 0:
        raise ZoopraxisError(
            f"batch is {batch}, repeats {repeats} and warmup {warmup}",
            "batch and repeats are 1 or more, warmup 0 or more",
        )
    inputs = net.clip.example(batch=batch)
    before = torch.get_num_threads()
    seconds = []
    try:
        fast = optimize_opened(
            net, engine=engine, precision=precision, threads=threads, device=device
        )
        used = threads or None if fast.engine in COMPILERS else torch.get_num_threads()
        for number in range(warmup + repeats):
            start = time.perf_counter()
            run(
                fast.model,
                inputs,
                device=device,
                precision=precision,
                batch_size=batch,
                video="noise",
            )
            seconds.append(time.perf_counter() - start)
            if progress is not None:
                progress(number + 1, warmup + repeats)
    finally:
        torch.set_num_threads(before)
    timed = np.array(seconds[warmup:])
    p50, p90, p95 = (float(value) for value in 1000 * np.percentile(timed, (50, 90, 95)))
    return Latency(
        p50=p50,
        p90=p90,
        p95=p95,
        clips_per_second=float(batch * repeats / timed.sum()),
        batch=batch,
        repeats=repeats,
        threads=used,
        engine=fast.engine,
        precision=precision,
        device=device,
        processor=processor_name(device),
    )


def processor_name(device: str = "cpu") -> str:
    """Name the processor of a device."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    listing = Path("/proc/cpuinfo")  # of Linux; `platform` names the architecture alone there
    lines = listing.read_text().splitlines() if listing.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
