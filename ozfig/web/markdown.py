"""Cleaned HTML as Markdown: the converter's options, and what is put right in its output."""

from __future__ import annotations

import re
from collections.abc import Iterator

DATA = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]*|(?<![!-~])[!-~]{400,}")
DEFINITION = re.compile(r"^(\*\*[^\n]+\*\*|: [^\n]+)\n\n(?=: )", re.MULTILINE)
FENCE = re.compile(r"^(?:[\s>]|[-*+] |\d+[.)] )*(`{3,}|~{3,})")
NOT_A_PARAGRAPH = re.compile(r"[|>#:\s]|[-*+] |\d+[.)] ")
# a paragraph of this length that stands twice is there for another width of screen
LONG_PARAGRAPH = 80


def convert(html: str) -> str:
    """Cleaned HTML as Markdown."""
    from html_to_markdown import ConversionOptions, PreprocessingOptions
    from html_to_markdown import convert as to_markdown

    options = ConversionOptions(
        extract_metadata=False, hidden_content="reachable", autolinks=False, compact_tables=True, skip_images=True,
        expand_abbreviations=False, bullets="-", preprocessing=PreprocessingOptions(enabled=False),
    )  # fmt: skip
    return polish(to_markdown(html, options).content or "")


def polish(text: str) -> str:
    """Put prose right and leave code as it is, but for data in it."""
    seen: set[str] = set()
    parts = []
    for is_code, lines in _parts(DATA.sub("", text).splitlines()):
        part = "\n".join(line.rstrip() for line in lines)
        parts.append(part if is_code else _prose(part, seen))
    return "\n\n".join(words for part in parts if (words := part.strip("\n"))).strip()


def _parts(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    """Runs of lines, code blocks with their fences apart from what stands between them."""
    run: list[str] = []
    fence = ""
    for line in lines:
        mark = FENCE.match(line)
        if mark and not fence:
            yield False, run
            run, fence = [line], mark[1]
        elif mark and mark[1].startswith(fence) and not line.strip(" >`~"):
            yield True, [*run, line]
            run, fence = [], ""
        else:
            run.append(line)
    yield bool(fence), run


def _prose(text: str, seen: set[str]) -> str:
    """Join definitions to their terms; take out repeated paragraphs, empty headings, runs of empty lines."""
    text = text.replace("\u00b6", "").replace("\u200b", "")
    text = re.sub(r"[ \t]+$|^#{1,6}[ \t]*$|^\\$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(#{1,6} .+)\n(?=\S)", r"\1\n\n", text, flags=re.MULTILINE)
    text = DEFINITION.sub(r"\1\n", DEFINITION.sub(r"\1\n", text))
    text = re.sub(r"^(?:>[ >]*\n){2,}", ">\n", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_once(text.splitlines(), seen)))


def _once(lines: list[str], seen: set[str]) -> Iterator[str]:
    """Lines without the later copies of long paragraphs; lists and tables may repeat themselves."""
    for line in lines:
        if len(line) >= LONG_PARAGRAPH and not NOT_A_PARAGRAPH.match(line):
            if line in seen:
                continue
            seen.add(line)
        yield line
