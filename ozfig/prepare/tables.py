"""Questions from tables: one for each cell, answered in a full sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ozfig.overlap.words import content_words
from ozfig.prepare.wording import capital, ended, inside, page_name, with_article, worded
from ozfig.retrieval import chunk
from ozfig.retrieval.chunk import Section
from ozfig.types import Document

ROW = re.compile(r"^\s*\|(.+)\|\s*$")
RULE = re.compile(r"^\s*\|?[\s:|-]+\|?\s*$")
PRICE = re.compile(r"\b(?:price|cost|fee|rate|deposit|charge|discount|salary|wage|pay)s?\b", re.IGNORECASE)
MONEY = re.compile(r"[£$€¥]\s?\d|\d\s?(?:[£$€¥]|USD|EUR|GBP)|\bfree\b", re.IGNORECASE)
QUANTITY = re.compile(
    r"^(?:[\d£$€<>≤≥]|(?:up to|over|under|from|less|more|between|at least|at most|below|above)\b)", re.I
)
DETERMINED = re.compile(r"^(?:the|an?|any|each|every|all|one|two|three|my|your|our|no|other|extra|\w+ing)\b", re.I)
# headers that are no noun and cannot stand before "of"
NO_NOUN = re.compile(
    r"^(?:who|whom|what|how|where|when|why|which|for|at|by|in|on|from|to|until|since"
    r"|ask|apply|open|closed|includes?|sleeps|needs?|takes|covers|valid|available"
    r"|summer|winter|spring|autumn|weekdays?|weekends?|yes|no|\d)\b|\b(?:since|by|for|at|to|until|from)$",
    re.IGNORECASE,
)
SEASON = re.compile(r"^(?:summer|winter|spring|autumn|low season|high season)$", re.IGNORECASE)
PRICE_WORDINGS = ["How much is {name}?", "What is the {label} of {name}?"]


@dataclass(frozen=True)
class Table:
    """Header and rows, all of one width. The first `keys` cells tell the rows apart."""

    header: list[str]
    rows: list[list[str]]
    keys: int

    def is_money(self, column: int) -> bool:
        """Whether a column holds prices, by its header or its cells."""
        return bool(PRICE.search(self.header[column])) or any(MONEY.match(row[column]) for row in self.rows)


def tables(document: Document, text: str) -> Iterator[Table]:
    """The Markdown tables of a text whose rows can be told apart before their last cell; cells as within a sentence."""
    for block in chunk.blocks(text):
        lines = [line for line in block.splitlines() if ROW.match(line)]
        if len(lines) < 3 or not RULE.match(lines[1]):
            continue
        header = _cells(lines[0], document)
        rows = [cells for line in lines[2:] if len(cells := _cells(line, document)) == len(header)]
        keys = next((k for k in range(1, len(header)) if len({tuple(r[:k]) for r in rows}) == len(rows)), None)
        if keys and rows:
            yield Table(header, rows, keys)


def ask(document: Document, part: Section) -> Iterator[tuple[str, str]]:
    """Question and answer for each cell of a section's tables."""
    page = page_name(document, part)
    for table in tables(document, part.text):
        for row in table.rows:
            name = _row_name(table, row, document)
            if not name:
                continue
            place = _place(part, page, row, document)
            for column in range(table.keys, len(row)):
                if table.header[column] and row[column].strip("-–— "):
                    question, answer = _cell(table, row, column, name, page)
                    yield question if _names(name, place) else f"{question[:-1]} ({place})?", ended(answer)


def _names(name: str, place: str) -> bool:
    return content_words(place) <= content_words(name)


def _place(part: Section, page: str, row: Sequence[str], document: Document) -> str:
    """What a row belongs to: a mere quantity needs the heading right above, a thing only the page."""
    if QUANTITY.match(row[0]) and len(part.path) > 1 and len(content_words(part.heading)) > 1:
        return inside(part.heading, document)
    return page


def _row_name(table: Table, row: Sequence[str], document: Document) -> str:
    """A row's first cell with what it needs to stand in a sentence, then the further cells that identify it."""
    name = row[0]
    if not name:
        return ""
    if QUANTITY.match(name):
        header = table.header[0]
        name = f"{'an' if header[:1] in 'aeiou' else 'a'} {header} of {name}" if header else name
    else:
        name = with_article(row[0], document)
        name = name if name[0].isupper() or DETERMINED.match(name) else f"the {name}"
    more = [cell for cell in row[1 : table.keys] if cell]
    return f"{name} ({', '.join(more)})" if more else name


def _cell(table: Table, row: Sequence[str], column: int, name: str, page: str) -> tuple[str, str]:
    """Question and answer for one cell: prices, headers that are no noun, numbers of things, then other nouns."""
    label, value = table.header[column], row[column]
    label = re.sub(r"^((?:tele)?phone)$", r"\1 number", re.sub(r", (.+)$", r" (\1)", label))
    if table.is_money(column):
        if not PRICE.search(label):
            label, name = "price", f"{name} ({label})"
        of = "of" if label in {"price", "cost"} and not QUANTITY.match(row[0]) else "for"
        wordings = PRICE_WORDINGS if of == "of" else [f"What is the {{label}} {of} {{name}}?"]
        told = f"The {label} {of} {name} is {value}" if MONEY.search(value) else f"{capital(name)}: {value}"
        return worded(wordings, f"{name} {label}").format(label=label, name=name), told
    hours = _opening_hours(table.header[column], page)
    if hours is not None:
        return f"What are the opening hours of {name}{hours}?", f"The opening hours of {name}{hours} are {value}"
    if NO_NOUN.search(label):
        return f'What is listed under "{capital(label)}" for {name}?', f"{capital(name)}, {label}: {value}"
    if _is_plural(label) and value.isdigit():
        return f"How many {label} are listed for {name}?", f"The number of {label} for {name} is {value}"
    verb, of = "are" if _is_plural(label) else "is", "of" if name[0].isupper() else "for"
    return f"What {verb} the {label} {of} {name}?", f"The {label} {of} {name} {verb} {value}"


def _opening_hours(header: str, page: str) -> str | None:
    """How a column of opening hours continues "the opening hours of the office"; None for any other column."""
    if SEASON.match(header) and re.search(r"\bhours\b|\bopening\b", page, re.IGNORECASE):
        return f" in {header.lower()}" if " " not in header else f" in the {header.lower()}"
    return "" if header.lower() in {"open", "opening hours", "opening times"} else None


def _is_plural(label: str) -> bool:
    noun = re.split(r",| (?:of|per|for|in|with) ", label)[0]
    return noun in {"people", "children"} or (noun.endswith("s") and not noun.endswith(("ss", "us")))


def _cells(line: str, document: Document) -> list[str]:
    found = ROW.match(line)
    return [inside(chunk.plain(cell), document) for cell in re.split(r"(?<!\\)\|", found[1])] if found else []
