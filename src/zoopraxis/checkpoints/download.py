"""One address, one file: the web with resume, Hugging Face, and Google Drive."""

import http
import http.client
import json
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from zoopraxis.files import write_atomically

__all__ = ["Announce", "Progress", "download", "reason_of"]

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here, and of how many; None where the server does not say."""

Announce = Callable[[str, int, int | None], None]
"""Called once a server answers: its name, the bytes that are here already, and of how many."""

TIMEOUT = 20.0  # seconds without a sign of the server
LARGEST = 8 << 30  # bytes, where a server does not announce how many it sends
CHUNK = 1 << 20
LOCAL = ("localhost", "127.0.0.1", "::1")


def download(
    address: str, part: Path, *, announce: Announce, progress: Progress | None = None
) -> None:
    """Download the file that an address names.

    Parameters
    ----------
    address : str
        ``https://...``; ``http://`` of this machine alone; ``file://``; ``hf://owner/repo/file``;
        ``gdrive://id``.
    part : Path
        Where to. What a broken download from the web left here is continued, if address, version
        (ETag or Last-Modified) and size are still the same; so is a download from Hugging Face.
    announce, progress : callable
        See `Announce` and `Progress`. Hugging Face shows a bar of its own.

    Raises
    ------
    OSError, http.client.HTTPException
        The file cannot be had; `reason_of` says why in one line.
    """
    scheme, _, rest = address.partition("://")
    if scheme == "hf":
        _from_hugging_face(rest, part, announce=announce)
    elif scheme == "gdrive":
        _from_google_drive(rest, part, announce=announce, progress=progress)
    else:
        _from_web(address, part, announce=announce, progress=progress)


def reason_of(error: Exception) -> str:
    """Say in one line why a download failed."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return " ".join(str(reason).split()) or type(reason).__name__


# The web


class _Version(NamedTuple):
    """Which file a server answers with: what was begun of another one is not continued."""

    address: str
    stamp: str
    total: int | None


def _from_web(address: str, part: Path, *, announce: Announce, progress: Progress | None) -> None:
    if not _is_secure(address):
        raise OSError("not secure: only https:// is downloaded from")
    answer, start = _open(address, begun=_begun(part))
    with answer:
        if answer.headers.get_content_type() == "text/html":
            raise OSError("the answer is a web page, not a file")
        version = _version(address, answer)
        if not start:
            part.unlink(missing_ok=True)  # first: a part never lies beside another's note
            write_atomically(_note(part), json.dumps(version).encode())
        announce(urlsplit(address).hostname or "this machine", start, version.total)
        _receive(answer, part, start=start, total=version.total, progress=progress)
    _note(part).unlink()


def _note(part: Path) -> Path:
    """File that says of which version a part is."""
    return part.with_name(f"{part.name}.json")


def _begun(part: Path) -> tuple[_Version, int] | None:
    """Version of a part, and its size; None where there is nothing to continue."""
    try:
        size = part.stat().st_size
        version = _Version(*json.loads(_note(part).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return (version, size) if version.stamp and 0 < size < (version.total or 0) else None


def _open(address: str, *, begun: tuple[_Version, int] | None) -> tuple[Any, int]:
    """Open an address where its part ends, or at the beginning where that is of another file."""
    if begun and begun[0].address == address:
        version, start = begun
        try:
            answer = _request(address, start)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
        else:
            # bytes 1000-3999/4000
            begins = str(answer.headers.get("Content-Range")).startswith(f"bytes {start}-")
            if begins and _version(address, answer) == version:
                return answer, start
            if answer.status == http.HTTPStatus.OK:  # the server has no ranges
                return answer, 0
            answer.close()
    return _request(address), 0


def _version(address: str, answer: Any) -> _Version:
    """Read the version of a file from the headers of an answer."""
    etag = answer.headers.get("ETag") or "W/"
    stamp = answer.headers.get("Last-Modified") or "" if etag.startswith("W/") else etag
    total = answer.headers.get("Content-Length")
    if answer.status == http.HTTPStatus.PARTIAL_CONTENT:
        total = str(answer.headers.get("Content-Range")).rpartition("/")[2]
    return _Version(address, stamp, int(total) if re.fullmatch(r"\d+", total or "") else None)


def _receive(
    answer: Any, part: Path, *, start: int, total: int | None, progress: Progress | None
) -> None:
    """Append an answer to a part that has its first `start` bytes."""
    received = start
    with part.open("ab") as file:
        while chunk := answer.read(CHUNK):
            received += len(chunk)
            if received > (total or LARGEST):
                raise OSError(f"the server sends more than {total or LARGEST} bytes")
            file.write(chunk)
            if progress:
                progress(received, total)
    if total is not None and received < total:
        raise OSError(f"the connection broke after {received} of {total} bytes")


def _is_secure(address: str, *, local: bool = True) -> bool:
    """Whether nobody on the way can change the file: over https, or on this machine."""
    parts = urlsplit(address)
    here = parts.scheme == "file" or (parts.scheme == "http" and parts.hostname in LOCAL)
    return parts.scheme == "https" or (local and here)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to secure addresses alone; from this machine, to this machine too."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if not _is_secure(newurl, local=urlsplit(req.full_url).hostname in LOCAL):
            fp.close()
            raise OSError(f"redirects to {newurl}, which is not secure")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_Redirects)


def _request(address: str, start: int = 0) -> Any:
    """Open a checked address, at an offset."""
    headers = {"User-Agent": "zoopraxis"} | ({"Range": f"bytes={start}-"} if start else {})
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - checked
    try:
        return _OPENER.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        raise


# The libraries of others


def _from_google_drive(
    file_id: str, part: Path, *, announce: Announce, progress: Progress | None
) -> None:
    """Download through gdown, which answers the pages that Drive puts before large files."""
    gdown = _import("gdown")
    announce("Google Drive", 0, None)
    # Drive says of no version whether it is the one that was begun, so nothing is continued.
    with tempfile.TemporaryDirectory(dir=part.parent) as folder, _as_os_errors():
        path = Path(folder) / part.name
        gdown.download(
            id=file_id,
            output=str(path),
            quiet=True,
            use_cookies=False,
            timeout=TIMEOUT,
            progress=progress,
        )
        _note(part).unlink(missing_ok=True)
        path.replace(part)


def _from_hugging_face(address: str, part: Path, *, announce: Announce) -> None:
    """Download ``owner/repo/path/of/the/file`` through huggingface_hub, and its log-in."""
    hub, constants = _import("huggingface_hub"), _import("huggingface_hub.constants")
    if not re.fullmatch(r"[^/]+/[^/]+/.+", address):
        raise OSError("expected hf://owner/repo/file")
    owner, repo, name = address.split("/", 2)
    if constants.HF_HUB_OFFLINE:
        raise OSError("huggingface_hub is set offline: unset HF_HUB_OFFLINE")
    _ask(constants.ENDPOINT)
    announce("Hugging Face", 0, None)
    folder = part.with_name(f"{part.name}.hf")  # where an unfinished download waits
    with _as_os_errors():
        path = hub.hf_hub_download(repo_id=f"{owner}/{repo}", filename=name, local_dir=folder)
    _note(part).unlink(missing_ok=True)
    Path(path).replace(part)
    shutil.rmtree(folder)


def _ask(endpoint: str) -> None:
    """Find out if a server answers: huggingface_hub takes half a minute to say that none does."""
    request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 - the user's own
    try:
        urllib.request.urlopen(request, timeout=TIMEOUT).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()  # an answer


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise OSError(f"needs {package}: pip install 'zoopraxis[hub]'") from error


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Raise the errors of another library, and of those that it uses, as OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
