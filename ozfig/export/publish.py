"""Hand a run's model to the Hugging Face hub: adapter, GGUF files and card, in one commit.

Nothing leaves the machine before `upload` is called.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ozfig import files
from ozfig.errors import MissingExtra, OutsideError, UserError
from ozfig.export import card
from ozfig.runs import Run

NAME = r"[A-Za-z0-9](?:[\w.-]{0,94}[A-Za-z0-9])?"
MEND = {
    401: "the hub does not accept HF_TOKEN; make a new one with the write role",
    403: "HF_TOKEN may not write there; make one with the write role",
    404: "no such user or organisation, or HF_TOKEN may not see it",
}


@dataclass(frozen=True)
class Publication:
    """What would be uploaded where: local files by their paths in the repository, the card among them."""

    repository: str
    files: dict[str, Path]
    card: Path
    kind: Literal["model", "space"] = "model"

    def rows(self) -> list[tuple[str, int]]:
        """Path in the repository and bytes of each file."""
        return [(name, path.stat().st_size) for name, path in sorted(self.files.items())]

    def to_json(self, uploaded: str = "") -> dict[str, Any]:
        """The contract for scripts; `uploaded` is the address of what was made."""
        rows = [{"path": name, "bytes": size} for name, size in self.rows()]
        return {"repository": self.repository, "files": rows, "card": str(self.card), "uploaded": uploaded or None}

    def upload(self, private: bool = False) -> str:
        """Make the repository where it is missing and commit the files; returns its address.

        Raises UserError for a missing token or right, OutsideError when the hub cannot be reached.
        """
        token = os.environ.get("HF_TOKEN")
        if not token:
            raise UserError(
                "publish needs HF_TOKEN: a token with the write role from https://huggingface.co/settings/tokens"
            )
        try:
            from huggingface_hub import CommitOperationAdd, HfApi
        except ModuleNotFoundError:
            raise MissingExtra("publish", "tune") from None
        hub = HfApi(token=token)
        added = [CommitOperationAdd(name, path) for name, path in sorted(self.files.items())]
        with _explained(self.repository):
            sdk = "docker" if self.kind == "space" else None
            address = hub.create_repo(
                self.repository, repo_type=self.kind, private=private or None, exist_ok=True, space_sdk=sdk
            )
            told = f"Upload the {self.kind} and its card"
            hub.create_commit(self.repository, added, commit_message=told, repo_type=self.kind)
        return str(address)


def prepare(run: Run, repository: str) -> Publication:
    """Collect a run's files and write its card into publish/. Raises UserError for what cannot be published."""
    check_name("--to", repository)
    exported = run.manifest("export")
    if exported is None or not run.is_intact(exported):
        raise UserError(f"{run.folder}: nothing exported, or changed since; run: ozfig export {run.folder}/recipe.yaml")
    found = {name: run.stage("export") / name for name in exported.outputs if not (run.stage("export") / name).is_dir()}
    lora = run.recipe.tune.method != "full"
    weights = run.stage("tune") / "adapter" if lora else run.stage("export") / "merged"
    if lora and not (weights.is_dir() and exported.inputs.get("adapter") in (None, files.sha256_path(weights))):
        raise UserError(f"{run.folder}: tuned anew since its export; run: ozfig export {run.folder}/recipe.yaml")
    found |= {path.name: path for path in sorted(weights.iterdir()) if path.is_file() and path.name != "README.md"}
    written = run.folder / "publish" / "README.md"
    files.write_text(written, card.text(run, repository, found))
    return Publication(repository, found | {"README.md": written}, written)


def check_name(option: str, repository: str) -> None:
    """Raises UserError for what the hub does not take as a repository's name."""
    if not re.fullmatch(f"{NAME}/{NAME}", repository) or "--" in repository or ".." in repository:
        raise UserError(f"{option} {repository!r}: not a repository's name; write user/name")


@contextmanager
def _explained(repository: str) -> Iterator[None]:
    """Turn the client's errors into one line."""
    # HTTPError is httpx's or its successor's, whichever the client was built on
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        said = (error.server_message or "").splitlines()
        if status in MEND:
            raise UserError(f"{repository}: {MEND[status]}") from None
        kind = UserError if status < 500 and status != 429 else OutsideError
        raise kind(f"{repository}: the hub answers {status}{': ' + said[0] if said else ''}") from None
    except (HTTPError, OSError) as error:
        raise OutsideError(f"{repository}: the hub cannot be reached ({type(error).__name__}); run it again") from None
