"""One file from a server to disk: it goes on where it was cut, and counts only when its hash fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
from filelock import FileLock

from ozfig import files
from ozfig.errors import OutsideError, UserError

CHUNK = 1 << 20
CONNECT, SILENCE = 20, 60  # seconds until a server counts as gone
RANGE_IS_PAST_THE_END = 416
Progress = Callable[[int, int], None]


def fetch(
    url: str, sha256: str, target: Path, progress: Progress | None = None, headers: Mapping[str, str] | None = None
) -> Path:
    """Download to `target` what has this SHA-256; what is there already is kept.

    What came before a cut stays in `<target>.part`, and the next call asks for the rest. `progress` receives bytes
    so far and in all (0: not told). Raises UserError for a file with another hash, OutsideError when it cannot be
    fetched.
    """
    if target.exists():
        return target
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    lock = target.with_name(f"{target.name}.lock")
    try:
        with FileLock(lock):  # two processes must not write one part
            return _fetched(url, sha256, target, part, progress, dict(headers or {}))
    finally:
        lock.unlink(missing_ok=True)


def _fetched(
    url: str, sha256: str, target: Path, part: Path, progress: Progress | None, headers: dict[str, str]
) -> Path:
    if target.exists():
        return target
    try:
        _stream(url, part, progress, headers)
    except httpx.HTTPError as error:
        raise OutsideError(f"{url}: cannot be fetched ({type(error).__name__}); run it again to go on") from None
    found = files.sha256_path(part)
    if found != sha256:
        part.unlink()
        raise UserError(f"{url}: the file is another one: its sha256 is {found}")
    part.replace(target)
    return target


def _stream(url: str, part: Path, progress: Progress | None, headers: dict[str, str]) -> None:
    """Append to the part what is missing of it; a server that knows no ranges sends all again."""
    have = part.stat().st_size if part.exists() else 0
    if have:
        headers["Range"] = f"bytes={have}-"
    timeout = httpx.Timeout(SILENCE, connect=CONNECT)
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=timeout) as reply:
        if have and reply.status_code == RANGE_IS_PAST_THE_END:  # it was whole: the hash will tell
            return
        if reply.is_error:
            raise OutsideError(f"{url}: the server answers {reply.status_code}")
        goes_on = reply.status_code == httpx.codes.PARTIAL_CONTENT
        done = have if goes_on else 0
        total = done + int(reply.headers.get("Content-Length") or -done)
        with part.open("ab" if goes_on else "wb") as out:
            for block in reply.iter_bytes(CHUNK):
                out.write(block)
                done += len(block)
                if progress:
                    progress(done, total)
