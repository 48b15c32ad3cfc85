"""What stops a run from outside its own checks, as errors that say what to do.

A worker that the system kills, memory that is full, a disk that is full: torch and the system
report them by exceptions of many types, whose text is all that tells them apart.
"""

import errno
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.utils.data._utils import signal_handling

from zoopraxis.errors import TrainingError, ZoopraxisError
from zoopraxis.models.base import is_wrong_clip_size
from zoopraxis.training.recipe import Recipe

__all__ = ["named_failures"]

# "DataLoader worker (pid 7) is killed by signal: Killed." and "DataLoader worker (pid(s) 7, 8)
# exited unexpectedly with exit code 1.": the second form, without a code, hides the first, which
# is then its context.
WORKER = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? (?P<pids>[\d, ]+)\)"
    r"(?: is killed by signal: (?P<signal>[^.]+)|.*?exit code (?P<code>\d+))?"
)
NORM_OF_ONE = re.compile(r"Expected more than 1 (?:value per channel|spatial element)")
SHARED_MEMORY = re.compile(r"</torch_\d+")  # the files in it
OPEN_FILES = re.compile(r"[Tt]oo many open files|items of ancdata")
MEMORY = re.compile(
    r"can't allocate memory|Cannot allocate memory|not enough memory|[Oo]ut of memory"
)
DISK = re.compile(r"No space left on device|Disk quota exceeded|PytorchStreamWriter failed")


@contextmanager
def named_failures(recipe: Recipe) -> Iterator[None]:
    """Raise a failure that we know as a `TrainingError` that names the remedy."""
    try:
        yield
    except ZoopraxisError:
        raise
    except Exception as error:
        named = _named(error, recipe)
        if named is None:
            raise
        raise named from error


def _named(error: BaseException, recipe: Recipe) -> TrainingError | None:
    """Return the error that says what to do; None for a failure that we do not know."""
    texts = [str(e) for e in _chain(error)]
    workers = [match for match in map(WORKER.search, texts) if match]
    if workers or _from_a_queue(error):
        _ignore_further_workers()
        return _lost_worker(workers, recipe)
    text = "\n".join(texts)
    if isinstance(error, ValueError) and NORM_OF_ONE.search(text):
        return _norm_of_one(recipe)
    if is_wrong_clip_size(error):
        return TrainingError(
            f"the clip does not fit {recipe.model.name}: {texts[0].splitlines()[0]}",
            "leave out clip.num_frames, clip.size and clip.resize, or set others; "
            f"`zoopraxis info {recipe.model.name}` says what the model expects",
        )
    if OPEN_FILES.search(text):
        return TrainingError(
            "the loader workers have too many files open",
            "raise the limit (ulimit -n 65536), or set fewer data.workers",
        )
    if SHARED_MEMORY.search(text):
        return _shared_memory(recipe)
    if _is_disk(error) or DISK.search(text):
        return TrainingError(
            f"the run cannot be written: {texts[0].splitlines()[0]}",
            "free space on the disk of --out; the run resumes with --resume",
        )
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or MEMORY.search(text):
        return _memory(error, recipe)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it was raised from, the newest first."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__


def _from_a_queue(error: BaseException) -> bool:
    """Whether a worker broke off in the middle of handing over a clip."""
    frames = traceback.extract_tb(error.__traceback__)
    broken_off = isinstance(error, ConnectionError | EOFError | FileNotFoundError)
    return broken_off and any("multiprocessing" in Path(f.filename).parts for f in frames)


def _ignore_further_workers() -> None:
    """Take back torch's handler, which raises at the end of a worker wherever the program is.

    A process takes its time to end: the signal may come while this failure is being printed.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        return
    handler = signal.getsignal(signal.SIGCHLD)
    if getattr(handler, "__module__", "") == signal_handling.__name__:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal_handling._SIGCHLD_handler_set = False  # the next loader sets it again


def _lost_worker(found: list[re.Match[str]], recipe: Recipe) -> TrainingError:
    """Error for a loader worker that ended before its work."""
    process = f" (process {found[0]['pids'].strip()})" if found else ""
    name = next((match["signal"] for match in found if match["signal"]), "")
    code = next((match["code"] for match in found if match["code"]), "")
    if name == "Bus error":
        return _shared_memory(recipe)
    if name not in ("", "Killed") or code:
        ended = f"ended by the signal {name!r}" if name else f"ended with exit code {code}"
        return TrainingError(
            f"a loader worker{process} {ended}",
            "data.workers=0 decodes in the training process and shows where; leave a video that "
            "does it out of the list",
        )
    return TrainingError(
        f"a loader worker{process} was killed, most likely because memory ran out",
        f"{_fewer_workers(recipe)}, which --resume may change; if that is not enough, choose a "
        f"smaller train.batch_size{_cache(recipe)}",
    )


def _fewer_workers(recipe: Recipe) -> str:
    return f"set data.workers={recipe.data.workers // 2} or fewer (now {recipe.data.workers})"


def _cache(recipe: Recipe) -> str:
    """Advice to those who keep the videos in memory."""
    return " or data.cache=none" if recipe.data.cache == "memory" else ""


def _shared_memory(recipe: Recipe) -> TrainingError:
    return TrainingError(
        "the shared memory through which loader workers hand over clips is full",
        f"{_fewer_workers(recipe)}, or give more of it (docker run --shm-size=8g)",
    )


def _norm_of_one(recipe: Recipe) -> TrainingError:
    part = recipe.train
    skips = ", or on_bad_video=skip left one" if part.on_bad_video == "skip" else ""
    return TrainingError(
        "a batch norm got a single value per channel, of which there are no statistics: "
        f"a micro-batch has one clip (train.batch_size = {part.batch_size}, "
        f"train.micro_batches = {part.micro_batches}{skips}), or the clip is too small",
        "give every device and micro-batch two clips or more, or set train.freeze_norms=all",
    )


def _memory(error: BaseException, recipe: Recipe) -> TrainingError:
    part = recipe.train
    where = "the GPU" if isinstance(error, torch.OutOfMemoryError) else "this machine"
    more = f"set train.micro_batches={2 * part.micro_batches}, " if part.batch_size > 1 else ""
    bf16 = "train.precision=bf16-mixed, " if part.precision == "32" else ""
    return TrainingError(
        f"the memory of {where} is full: steps of {part.batch_size} clips in "
        f"{part.micro_batches} micro-batches on each device",
        f"{more}{bf16}or choose a smaller train.batch_size or clip.size{_cache(recipe)}",
    )


def _is_disk(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
