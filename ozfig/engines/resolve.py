"""From the name of a base model to a folder on this disk."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from ozfig import files
from ozfig.engines import archive
from ozfig.engines.embeddings import minilm_folder
from ozfig.engines.families import NAMES, decided, guess, head_of
from ozfig.errors import MissingExtra, OutsideError, UserError
from ozfig.types import ModelRef

EMBEDDED = Path(__file__).parents[1] / "models"
MINILM = "minilm"  # the encoder that a package of the index carries
UNWANTED = ["*/*"]  # a second copy from a sub-folder
DECISIVE = {".safetensors", ".json", ".model", ".jinja", ".txt"}


def resolve(base: str, head: str = "auto") -> ModelRef:
    """The model that `base` names: embedded, a local folder, a model of the hub or a packed one behind a URL.

    What comes from outside is downloaded once. Raises UserError for a name that stands for nothing, a gated model,
    weights that are not safetensors or a `head` that the model cannot have; OutsideError when the hub or the
    server cannot be reached.
    """
    folder, name = locate(base), NAMES.get(base, base)
    if folder is not None:
        return _reference(folder, base if base == MINILM else folder.name, head)
    if files.is_url(base):
        return _reference(archive.fetch(base), archive.Packed.parse(base).name, head)
    return _reference(_download(name), name, head)


def here(base: str) -> Path | None:
    """The folder of `base` if it is on this disk already, the hub's cache included; nothing is downloaded."""
    folder = locate(base)
    if folder is not None:
        return folder
    if files.is_url(base):
        kept = archive.cache() / archive.Packed.parse(base).sha256
        return kept if (kept / "config.json").is_file() else None
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError:
        return None
    try:
        return Path(snapshot_download(NAMES.get(base, base), local_files_only=True))
    except OSError:  # as it says that the cache has nothing of it
        return None


def head_for(base: str) -> str:
    """The head of a base, for help texts: of a local one by its configuration, of another by its name."""
    folder = locate(base)
    return head_of(files.read_json(folder / "config.json")) if folder else guess(base)


def locate(base: str) -> Path | None:
    """The folder that `base` names, read no further; None for a hub id or a URL. Raises UserError for neither."""
    if files.is_url(base):
        archive.Packed.parse(base)
        return None
    if base == MINILM:
        return minilm_folder()
    embedded, local = EMBEDDED / base, Path(base).expanduser()
    if re.fullmatch(r"[\w-]+", base) and (embedded / "config.json").is_file():
        return embedded
    if (local / "config.json").is_file():
        return local.resolve()
    if local.is_dir():
        raise UserError(f"base {base!r}: the folder holds no config.json, so it is no model")
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", NAMES.get(base, base)):
        raise UserError(f"base {base!r}: no such model; {_hint(base)}")
    return None


def _hint(base: str) -> str:
    """What a user may have meant."""
    known = [*sorted(p.parent.name for p in EMBEDDED.glob("*/config.json")), MINILM, *NAMES]
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
        return Path(snapshot_download(base, allow_patterns=archive.WANTED, ignore_patterns=UNWANTED))
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


def _reference(folder: Path, name: str, head: str) -> ModelRef:
    """A reference to a folder of safetensors weights, with the hash of all that decides its answers."""
    if not list(folder.glob("*.safetensors")):
        raise UserError(f"base {name!r}: no safetensors weights in {folder}; pickled weights are not loaded")
    parts = sorted(p for p in folder.iterdir() if p.suffix in DECISIVE)
    digest = files.sha256_value({p.name: _hash(p) for p in parts})
    own = decided(head, files.read_json(folder / "config.json"), name)
    return ModelRef("transformers", str(folder), name, sha256=digest, head=own)


def _hash(path: Path) -> str:
    """A file's SHA-256. The hub's cache names large files by theirs, which saves reading gigabytes."""
    stored = path.resolve().name
    return stored if re.fullmatch(r"[0-9a-f]{64}", stored) else files.sha256_path(path)
