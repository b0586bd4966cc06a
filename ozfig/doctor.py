"""What this machine can do: cores, memory, devices, programs and optional parts. Nothing is asked of a network."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rich.markup import escape

from ozfig import __version__, console, registry
from ozfig.engines.resolve import EMBEDDED
from ozfig.web import render

State = Literal["ok", "missing", "note"]
FEWEST_FREE_GB = 5
MARKS = {"ok": "[green]✓[/green]", "missing": "[yellow]–[/yellow]", "note": "[dim]·[/dim]"}
COMPILERS = ("c++", "g++", "clang++")
PART = {
    "tune": "fine-tuning, export and evaluation",
    "serve": "the API and the chat page",
    "render": "pages that need JavaScript",
    "documents": "PDF, DOCX and PPTX",
    "hub": "data sets of the hub and Parquet files",
    "postgres": "chats in PostgreSQL",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, and what to do where it is missing."""

    name: str
    state: State
    found: str
    mend: str = ""


def examine() -> list[Finding]:
    """Look at everything. Takes a few seconds, because torch has to be loaded to know its devices."""
    return [*_machine(), *_parts(), *_devices(), *_programs(), *_models()]


def _machine() -> Iterator[Finding]:
    """Versions, cores, memory and disk."""
    yield Finding("ozfig", "ok", f"{__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}")
    cores, memory = os.cpu_count() or 1, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield Finding("processor", "ok", f"{cores} cores, {platform.machine()}")
    yield Finding("memory", "ok", f"{memory / 1e9:.0f} GB")
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    scarce = f"runs are written here; {FEWEST_FREE_GB} GB are soon filled" if free < FEWEST_FREE_GB else ""
    yield Finding("disk", "note" if scarce else "ok", f"{free:,.0f} GB free", scarce)


def _parts() -> Iterator[Finding]:
    """The optional parts, by the modules that each needs."""
    for extra in dict.fromkeys(registry.EXTRAS.values()):
        needed = [module for module, part in registry.EXTRAS.items() if part == extra]
        absent = [module for module in needed if find_spec(module) is None]
        what = PART.get(extra, extra)
        if absent:
            yield Finding(extra, "missing", f"{what}: lacks {', '.join(absent)}", f'pip install "ozfig[{extra}]"')
        else:
            yield Finding(extra, "ok", what)


def _devices() -> Iterator[Finding]:
    """What torch computes on, and in which precision."""
    if find_spec("torch") is None:
        return
    torch = import_module("torch")
    device = "Apple's GPU (MPS)" if torch.backends.mps.is_available() else "the processor; no GPU"
    if torch.cuda.is_available():
        device = "CUDA: " + ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    yield Finding("torch", "ok", f"{torch.__version__}, computes on {device}")


def _programs() -> Iterator[Finding]:
    """Programs beside Python, none of which has to be there."""
    compiler = next((path for name in COMPILERS if (path := shutil.which(name))), "")
    yield Finding("compiler", "ok" if compiler else "note", compiler or "none; nothing needs one")
    browser = render.missing()
    yield Finding("browser", "missing" if browser else "ok", "none" if browser else _browser(), browser)
    if find_spec("xllamacpp") is not None:
        yield Finding("llama.cpp", "ok", f"xllamacpp {_version('xllamacpp')}")
    token = "HF_TOKEN is set" if os.environ.get("HF_TOKEN") else "HF_TOKEN is not set: gated models cannot be loaded"
    yield Finding("token", "ok", token)


def _browser() -> str:
    return render.program() or "Playwright's own Chromium"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


def _models() -> Iterator[Finding]:
    """The embedded models, whole or not."""
    for folder in sorted(path.parent for path in EMBEDDED.glob("*/config.json")):
        weights = sorted(folder.glob("*.safetensors"))
        size = sum(path.stat().st_size for path in weights)
        if weights:
            yield Finding(folder.name, "ok", f"embedded, {size / 1e6:.0f} MB")
        else:
            yield Finding(folder.name, "missing", "its weights are not there", "install ozfig again")


def show(found: list[Finding]) -> None:
    """Print the findings, one line each, with the mend below what is missing."""
    for finding in found:
        console.say(f"  {MARKS[finding.state]} {finding.name:<11}{escape(finding.found)}")
        if finding.mend:
            console.say(f"  {'':<13}[dim]{escape(finding.mend)}[/dim]")
