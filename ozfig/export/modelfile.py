"""A Modelfile for Ollama: https://docs.ollama.com/modelfile

Ollama frames a conversation by a Go template of its own, so ours has to be said again in Go. What the chat template
puts between two turns is found by rendering marked ones; a template that does more than join turns is left out, and
Ollama then takes the nearest that it knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ozfig.errors import UserError
from ozfig.types import Message, Role

# before[(role of the turn before, role of this one)], and at the end what opens a reply
Joints = dict[tuple[str, str], str]
Render = Callable[[Sequence[Message]], str]
REPLY = "reply"
TALKS: list[list[Role]] = [
    ["user"], ["system", "user"], ["user", "assistant", "user"],
    ["system", "user", "assistant", "user"], ["system", "user", "assistant", "user", "assistant", "user"],
]  # fmt: skip


def text(merged: Path, name: str, system: str) -> str:
    """The Modelfile of a GGUF file that lies beside it; `merged` has its tokenizer."""
    from ozfig.engines.loading import load_tokenizer

    tokenizer = load_tokenizer(merged)
    lines = [f"FROM ./{name}"]
    template = go_template(tokenizer)
    if template:
        lines.append(f'TEMPLATE """{template}"""')
    if system and '"""' not in system:
        lines.append(f'SYSTEM """{system}"""')
    if tokenizer.eos_token:
        lines.append(f"PARAMETER stop {json.dumps(tokenizer.eos_token, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def go_template(tokenizer: Any) -> str:
    """The tokenizer's chat template in Go, without the start marker that the model's own tokenizer sets.

    Empty for a template that is more than text between turns.
    """
    bos = tokenizer.bos_token or ""

    def render(turns: Sequence[Message]) -> str:
        rows = [{"role": turn.role, "content": turn.content} for turn in turns]
        return str(tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=True)).removeprefix(bos)

    joints = None if "strftime_now" in (tokenizer.chat_template or "") else _joints(render)
    return _in_go(joints) if joints else ""


def _joints(render: Render) -> Joints | None:
    """What a template puts before each turn, or None where that depends on more than the roles beside it."""
    from jinja2 import TemplateError

    joints: Joints = {}
    try:
        for roles in TALKS:
            turns = [Message(role, f"\u2063turn {i}\u2063") for i, role in enumerate(roles)]
            whole, before = render(turns), ""
            for turn in turns:
                between, found, whole = whole.partition(turn.content)
                if not found or joints.setdefault((before, turn.role), between) != between:
                    return None
                before = turn.role
            if joints.setdefault((before, REPLY), whole) != whole:
                return None
    except (TemplateError, UserError):
        return None
    return joints


def _in_go(joints: Joints) -> str:
    """One line of Go: every text is a quoted string, so that neither Go nor Ollama trims it."""
    roles: list[Role] = ["system", "user", "assistant"]
    turns = [f'eq .Role "{role}" }}}}{_before(role, joints)}{{{{ .Content }}}}' for role in roles]
    body = "{{ if " + "{{ else if ".join(turns) + "{{ end }}"
    reply = _quoted(joints[("user", REPLY)])
    return '{{ $before := "" }}{{ range .Messages }}' + body + "{{ $before = .Role }}{{ end }}" + reply


def _before(role: str, joints: Joints) -> str:
    """What stands before a role's turn, by the role of the turn before it."""
    known = {before: text for (before, after), text in joints.items() if after == role}
    cases = [f'eq $before "{before}" }}}}{_quoted(text)}' for before, text in known.items()]
    return "{{ if " + "{{ else if ".join(cases) + "{{ end }}"


def _quoted(text: str) -> str:
    """A Go action that prints a text."""
    return f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}" if text else ""
