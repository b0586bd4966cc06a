"""Verbs that bring a run to people: as an API and pages, in the terminal, on the hub."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ozfig import console
from ozfig.cli.flags import Json, RunFolder, Settings


def serve(
    *targets: str,
    host: str = "127.0.0.1",
    port: int = 8080,
    settings: Settings = None,
    database: Annotated[str, Parameter(help="SQLAlchemy URL or SQLite file of the stored chats.")] = "",
) -> None:
    """Serve models as an OpenAI-compatible API and a chat page; a folder of runs as its pages alone.

    Parameters
    ----------
    targets
        Run folders, .gguf files, GGUF files of the hub (owner/name, owner/name:Q4_K_M) or addresses
        (https://host/model.gguf#sha256=...; an OpenAI-compatible server: https://host/v1); the first one answers where
        no model is named. Or one folder of runs. Without any, what the variable OZFIG_MODEL names.
    host
        Address to listen on; anything but loopback needs OZFIG_API_KEY and OZFIG_PASSWORD.
    port
        Port to listen on.
    """
    from ozfig import pipeline, registry
    from ozfig.errors import UserError
    from ozfig.runs import runs_in

    targets = targets or tuple(os.environ.get("OZFIG_MODEL", "").split())
    if not targets:
        raise UserError("serve: name a run folder or a .gguf file, or set OZFIG_MODEL")
    if len(targets) == 1 and runs_in(Path(targets[0])):
        show = registry.find("server", "runs")
        return show(Path(targets[0]), host=host, port=port)  # type: ignore[no-any-return]
    found = pipeline.served(targets, settings)
    api = registry.find("server", "api")
    given = {"host": host, "port": port, "database": database}
    api(found.models, found.recipe, questions=found.questions, run=found.run, **given)
    return None


def chat(target: str, *, settings: Settings = None) -> None:
    """Talk with a run or a GGUF file in the terminal.

    Ctrl-C stops an answer; /system TEXT sets the system text, /reset forgets the conversation, /quit leaves.

    Parameters
    ----------
    target
        A run folder or a .gguf file.
    """
    from ozfig import pipeline, registry

    found = pipeline.served([target], settings)
    registry.find("server", "chat")(found.model, found.recipe)


@Parameter(name="*")
@dataclass(frozen=True)
class Space:
    """A Docker Space to make, instead of an upload of the run."""

    name: Annotated[str, Parameter(name="--space", help="The Space to make instead: user/name.")] = ""
    image: Annotated[
        str,
        Parameter(help="Space: the container image that it starts, made by deploy/Dockerfile; OZFIG_IMAGE by default."),
    ] = ""


def publish(
    target: RunFolder,
    *,
    to: str,
    yes: Annotated[bool, Parameter(negative="")] = False,
    private: Annotated[bool, Parameter(negative="")] = False,
    space: Space = Space(),
    as_json: Json = False,
) -> None:
    """Upload a run's adapter, GGUF files and model card to the Hugging Face hub; only lists them without --yes.

    With --space it is a Docker Space that serves what --to holds, a second step.

    Parameters
    ----------
    to
        The hub's repository: user/name. It is made where it is missing; HF_TOKEN has to allow that.
    yes
        Really upload.
    private
        Make a missing repository private.
    """
    from ozfig import registry
    from ozfig.runs import Run

    run = Run.open(target)
    if space.name:
        image = space.image or os.environ.get("OZFIG_IMAGE", "")
        found = registry.find("publish", "space")(run, to, space.name, image)
    else:
        found = registry.find("publish", "hub")(run, to)
    address = found.upload(private) if yes else ""
    if as_json:
        return print(json.dumps(found.to_json(address)))
    console.table(found.repository, ["file", "bytes"], [[name, f"{size:,}"] for name, size in found.rows()])
    console.say(f"\n  card    {found.card}")
    done = f"[bold]{address}[/bold]" if yes else "nothing was uploaded; read the card, then add [bold]--yes[/bold]"
    return console.say(f"  {done}")
