"""Published checkpoints: downloaded once, checked and kept."""

import hashlib
import http.client
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from zoopraxis.checkpoints.download import Progress, download, reason_of
from zoopraxis.errors import DownloadError
from zoopraxis.files import cache_folder
from zoopraxis.spec import Weights

__all__ = [
    "cached_file",
    "fetch",
    "file_of",
    "is_non_commercial",
]

_NON_COMMERCIAL = re.compile(
    r"\bCC[ -]BY[ -]NC\b|\bnon[ -]?commercial\b|\b(research|academic)( use| purposes)? only\b",
    re.IGNORECASE,
)


def cached_file(weights: Weights) -> Path:
    """Where a checkpoint lies, or will lie, in the cache.

    In a folder named after its first address: files of other data sets often bear the same name.
    """
    address = next(iter(weights.urls), "") or weights.page
    folder = hashlib.sha256(address.encode()).hexdigest()[:8]
    return cache_folder() / folder / file_of(weights)


def file_of(weights: Weights) -> PurePosixPath:
    """Name of a checkpoint's file, with its folder where it comes with others."""
    address = next(iter(weights.urls), "")
    return PurePosixPath(weights.file or address.rsplit("/", 1)[-1].split("?")[0])


def is_non_commercial(licence: str) -> bool:
    """Whether a licence restricts the use of weights to other than commercial purposes.

    # "CC BY-NC 4.0", "CC-BY-NC-SA-4.0", "research only"
    """
    return bool(_NON_COMMERCIAL.search(licence))


def fetch(
    weights: Weights,
    *,
    accept_licence: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Path:
    """Return the file of a checkpoint, downloading it if it is not in the cache.

    Its addresses are tried in order. A broken download is resumed by the next call, if the server
    still has the same file; a file with a wrong hash is removed.

    Parameters
    ----------
    weights : Weights
        The checkpoint.
    accept_licence : bool, default=False
        Download weights under a licence for other than commercial use. The environment variable
        ``ZOOPRAXIS_ACCEPT_LICENCE=1`` does the same.
    progress : callable, optional
        Called with the bytes that are here, and of how many (None: not known).
    say : callable, optional
        Called with a line on what is downloaded, from where, under which licence; by default it
        is printed to stderr.

    Returns
    -------
    Path
        The file, in `cache_folder`.

    Raises
    ------
    DownloadError
        No address has the file, or has it with another hash; only a person can download it; its
        licence must be accepted first. The hint says what to do.
    """
    target = cached_file(weights)
    if target.is_file():
        return target
    say = say or _print
    name, addresses = weights.name, weights.urls
    if not addresses:
        raise DownloadError(
            f"{name} can only be downloaded in a browser", _by_hand(weights, target)
        )
    _check_licence(weights, accepted=accept_licence)

    def announce(host: str, start: int, total: int | None) -> None:
        size = "" if total is None else f" ({total / 1e6:.1f} MB)"
        resumed = f", resuming at {start / 1e6:.1f} MB" if start else ""
        licence = weights.licence or "not stated"
        say(f"downloading {target.name} from {host}{size}{resumed}; licence: {licence}")

    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    failures = []
    with _alone(target, say=say):
        if target.is_file():  # another process was faster
            return target
        for address in addresses:
            try:
                download(address, part, announce=announce, progress=progress)
                _check_hash(part, weights.sha256)
            except (OSError, http.client.HTTPException) as error:
                failures.append(f"  {address}: {reason_of(error)}")
            else:
                part.replace(target)
                return target
    problem = "\n".join([f"cannot download {name}:", *failures])
    raise DownloadError(problem, f"check the network, or {_by_hand(weights, target)}")


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _by_hand(weights: Weights, target: Path) -> str:
    """Say how a person gets the file."""
    # A checkpoint of TensorFlow is an index, and its data beside it.
    others = ", with the .data files beside it," if target.suffix == ".index" else ""
    return f"download {file_of(weights)} from {_where(weights)} and save it{others} as {target}"


def _where(weights: Weights) -> str:
    """Page of a checkpoint, or its first address as a browser takes it."""
    address = next(iter(weights.urls), "its authors")
    scheme, _, rest = address.partition("://")
    if scheme == "gdrive":
        address = f"https://drive.google.com/file/d/{rest}/view"
    elif scheme == "hf":
        address = f"https://huggingface.co/{'/'.join(rest.split('/')[:2])}"
    return weights.page or address


def _check_licence(weights: Weights, *, accepted: bool) -> None:
    accepted = accepted or os.environ.get("ZOOPRAXIS_ACCEPT_LICENCE") == "1"
    if accepted or not is_non_commercial(weights.licence):
        return
    raise DownloadError(
        f"{weights.model}.{weights.tag} is published for other than commercial use: "
        f"{weights.licence}, {_where(weights)}",
        "if you comply with the licence, accept it: --accept-licence on the command line, "
        "accept_licence=True in Python, or ZOOPRAXIS_ACCEPT_LICENCE=1 in the environment",
    )


def _check_hash(path: Path, expected: str) -> None:
    """Remove a file that has not the hash, or the beginning of a hash, that was published."""
    if not expected:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(expected):
        path.unlink()
        raise OSError(
            f"the file has the SHA-256 {found[: max(len(expected), 8)]}..., expected {expected}"
        )


@contextmanager
def _alone(target: Path, *, say: Callable[[str], None]) -> Iterator[None]:
    """Let one process at a time download a file; the others wait for it."""
    if sys.platform == "win32":  # it has no flock
        yield
        return
    import fcntl

    lock = target.with_name(f"{target.name}.lock")
    with lock.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that is downloading {target.name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
