"""From the name of a base model to a folder on this disk."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from ozfig import files
from ozfig.errors import MissingExtra, OutsideError, UserError
from ozfig.types import ModelRef

EMBEDDED = Path(__file__).parents[1] / "models"
# weights, configuration and tokenizer; nothing that runs, and no second copy from a sub-folder
WANTED = ["*.json", "*.safetensors", "*.model", "*.jinja", "merges.txt", "vocab.txt", "LICENSE*", "README.md"]
UNWANTED = ["*/*"]
DECISIVE = {".safetensors", ".json", ".model", ".jinja", ".txt"}


def resolve(base: str) -> ModelRef:
    """The model that `base` names: pebble, a local folder, or a model of the hub, which is downloaded once.

    Raises UserError for a name that stands for nothing, a gated model or weights that are not safetensors;
    OutsideError when the hub cannot be reached.
    """
    folder = locate(base)
    if folder is None:
        return _reference(_download(base), base)
    return _reference(folder, folder.name)


def locate(base: str) -> Path | None:
    """The folder that `base` names, read no further; None for a hub id. Raises UserError for neither."""
    embedded, local = EMBEDDED / base, Path(base).expanduser()
    if re.fullmatch(r"[\w-]+", base) and (embedded / "config.json").is_file():
        return embedded
    if (local / "config.json").is_file():
        return local.resolve()
    if local.is_dir():
        raise UserError(f"base {base!r}: the folder holds no config.json, so it is no model")
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", base):
        raise UserError(f"base {base!r}: no such model; {_hint(base)}")
    return None


def _hint(base: str) -> str:
    """What a user may have meant."""
    known = sorted(p.parent.name for p in EMBEDDED.glob("*/config.json"))
    near = difflib.get_close_matches(base, known, 1, 0.5)
    return f"did you mean {near[0]}?" if near else f"use {', '.join(known)}, a folder, or a hub id such as owner/name"


def _download(base: str) -> Path:
    """The local copy of a hub model, asked of the hub so that a newer one is noticed."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
    except ModuleNotFoundError:
        raise MissingExtra(f"base {base}", "tune") from None
    try:
        return Path(snapshot_download(base, allow_patterns=WANTED, ignore_patterns=UNWANTED))
    except GatedRepoError:
        raise UserError(
            f"base {base!r}: its owner asks for a licence to be accepted: do so on https://huggingface.co/{base}, "
            "then set HF_TOKEN"
        ) from None
    except RepositoryNotFoundError:
        raise UserError(
            f"base {base!r}: not 'pebble', no folder of that name, and the hub has no such model "
            "(a private one needs HF_TOKEN)"
        ) from None
    except (LocalEntryNotFoundError, OSError) as error:
        raise OutsideError(
            f"base {base!r}: no folder of that name, and the hub cannot be reached ({type(error).__name__}); "
            "check the network, or use base: pebble"
        ) from None


def _reference(folder: Path, name: str) -> ModelRef:
    """A reference to a folder of safetensors weights, with the hash of all that decides its answers."""
    if not list(folder.glob("*.safetensors")):
        raise UserError(f"base {name!r}: no safetensors weights in {folder}; pickled weights are not loaded")
    parts = sorted(p for p in folder.iterdir() if p.suffix in DECISIVE)
    return ModelRef("transformers", str(folder), name, sha256=files.sha256_value({p.name: _hash(p) for p in parts}))


def _hash(path: Path) -> str:
    """A file's SHA-256. The hub's cache names large files by theirs, which saves reading gigabytes."""
    stored = path.resolve().name
    return stored if re.fullmatch(r"[0-9a-f]{64}", stored) else files.sha256_path(path)
