"""Under which licence a base model came, from what lies in its folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ozfig import files

# the hub's identifiers, by words near the top of a licence's text
TEXTS = {
    r"Apache License\s+Version 2\.0": "apache-2.0",
    r"MIT License|Permission is hereby granted, free of charge": "mit",
    r"LLAMA 2 COMMUNITY LICENSE": "llama2",
    r"LLAMA 3 COMMUNITY LICENSE": "llama3",
    r"LLAMA 3\.1 COMMUNITY LICENSE": "llama3.1",
    r"LLAMA 3\.2 COMMUNITY LICENSE": "llama3.2",
    r"LLAMA 3\.3 COMMUNITY LICENSE": "llama3.3",
    r"Gemma Terms of Use": "gemma",
    r"Attribution-ShareAlike 4\.0": "cc-by-sa-4.0",
    r"Attribution-NonCommercial 4\.0": "cc-by-nc-4.0",
    r"Attribution 4\.0": "cc-by-4.0",
    r"BSD 3-Clause": "bsd-3-clause",
}
TOP = 2000  # characters
KEYS = ("license", "license_name", "license_link", "language")


def inherited(base: Path) -> dict[str, Any]:
    """What a base's card, licence file or configuration says of its licence and language, under the card's keys.

    Empty where they say nothing.
    """
    card, config = front_matter(base / "README.md"), base / "config.json"
    found = {key: card[key] for key in KEYS if card.get(key)}
    if "license" not in found:
        stated = _of_text(base) or (files.read_json(config).get("license") if config.exists() else None)
        found |= {"license": str(stated).lower()} if stated else {}
    return found


def front_matter(path: Path) -> dict[str, Any]:
    """The YAML at the top of a Markdown file; empty where there is none."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    block = re.match(r"---\s*\n(.*?)\n---\s*\n", text, re.DOTALL)
    try:
        found = yaml.safe_load(block[1]) if block else None
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _of_text(base: Path) -> str:
    """The licence whose words a licence file begins with."""
    for path in sorted([*base.glob("LICENSE*"), *base.glob("LICENCE*")]):
        top = " ".join(path.read_text(encoding="utf-8", errors="replace")[:TOP].split())
        for words, name in TEXTS.items():
            if re.search(words, top, re.IGNORECASE):
                return name
    return ""
