"""A GGUF file by address: on the hub (`owner/name`, `owner/name:Q4_K_M`, `owner/name/file.gguf`) or behind a URL.

A URL carries the file's hash, `https://host/model.gguf#sha256=<64 hex>`; the hub tells it. Files are kept by their
hash beside the packed models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ozfig.engines import download
from ozfig.engines.archive import cache
from ozfig.errors import OutsideError, UserError
from ozfig.files import is_url

HUB = re.compile(r"(?P<repository>\w[\w.-]*/\w[\w.-]*)(?::(?P<quantisation>\w+)|/(?P<file>[\w./-]+\.gguf))?")
# which of several files is meant where none is named: the field's habit, then the next larger ones
PREFERRED = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16", "BF16")


@dataclass(frozen=True)
class Remote:
    """Where a file is, what it is called, and the SHA-256 that it must have."""

    url: str
    name: str
    sha256: str
    headers: dict[str, str]


def is_address(text: str) -> bool:
    """Whether a text names a GGUF file that is not on this disk."""
    if is_url(text):
        return urlsplit(text).path.endswith(".gguf")
    # a run that is not made yet, or a slip in a folder's name, must not become a stranger's repository
    here = text.startswith("runs/") or Path(text).expanduser().parent.is_dir()
    return bool(HUB.fullmatch(text)) and not here


def called(text: str) -> str:
    """What the model of an address is called: its file's or repository's name."""
    path = PurePosixPath(urlsplit(text).path if is_url(text) else text.partition(":")[0])
    return path.name.removesuffix(".gguf")


def fetch(text: str, progress: download.Progress | None = None) -> Path:
    """The file of an address, downloaded once; one that was cut goes on.

    Raises UserError for an address without a file or a file with another hash, OutsideError when it cannot be fetched.
    """
    remote = _behind_url(text) if is_url(text) else _on_hub(text)
    target = cache() / remote.sha256 / remote.name
    return download.fetch(remote.url, remote.sha256, target, progress, remote.headers)


def _behind_url(text: str) -> Remote:
    url, _, fragment = text.partition("#")
    if not re.fullmatch(r"sha256=[0-9a-fA-F]{64}", fragment):
        raise UserError(f"{url}: add the file's hash, so that it is the one you mean: {url}#sha256=<64 hex>")
    return Remote(url, PurePosixPath(urlsplit(url).path).name, fragment.removeprefix("sha256=").lower(), {})


def _on_hub(text: str) -> Remote:
    """Ask the hub for the file's place and hash; a gated or private one needs HF_TOKEN."""
    from huggingface_hub import HfApi, get_token, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    parts = HUB.fullmatch(text)
    if parts is None:
        raise UserError(f"{text}: write owner/name, owner/name:Q4_K_M, owner/name/file.gguf or a URL")
    repository = parts["repository"]
    try:
        info = HfApi().model_info(repository, files_metadata=True)
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403, 404):
            raise UserError(
                f"{text}: the hub shows no such repository (HTTP {status}); check the name, accept its licence on "
                f"https://huggingface.co/{repository}, and set HF_TOKEN"
            ) from None
        raise OutsideError(f"{text}: the hub answers {status}; run it again") from None
    except (HTTPError, OSError) as error:
        raise OutsideError(f"{text}: the hub cannot be reached ({type(error).__name__})") from None
    sibling = _chosen(text, parts["file"] or "", parts["quantisation"] or "", info.siblings or [])
    token = get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = hf_hub_url(repository, sibling.rfilename, revision=info.sha)
    return Remote(url, PurePosixPath(sibling.rfilename).name, sibling.lfs["sha256"], headers)


def _chosen(text: str, file: str, quantisation: str, siblings: list[Any]) -> Any:
    """The file that is meant. Raises UserError where there is none, or it comes in several parts."""
    found = {s.rfilename: s for s in siblings if s.rfilename.endswith(".gguf") and s.lfs}
    if file:
        names = [name for name in found if name == file]
    else:
        wanted = [quantisation] if quantisation else PREFERRED
        ranked = [name for q in wanted for name in sorted(found) if re.search(rf"\b{q}\b", _spaced(name), re.I)]
        names = ranked or ([] if quantisation else sorted(found))
    if not names:
        raise UserError(f"{text}: no such GGUF file there; it has {', '.join(sorted(found)) or 'none'}")
    if re.search(r"-\d{5}-of-\d{5}\.gguf$", names[0]):
        raise UserError(f"{text}: {names[0]} comes in several parts; name a smaller quantisation, owner/name:Q4_K_M")
    return found[names[0]]


def _spaced(name: str) -> str:
    """A file's name with its parts apart, but not those of a quantisation's name."""
    return re.sub(r"[.-]", " ", PurePosixPath(name).name)
