"""Question-answer pairs from the structure of a text, without a model.

Four rules: questions that the text itself asks (faq), headings with the text under them (heading),
definition lists (definition) and tables (table). Each pair keeps its passage as context.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ozfig import files
from ozfig.recipe import NoPairs, RulePairs
from ozfig.retrieval import chunk
from ozfig.retrieval.chunk import Section
from ozfig.types import Document, Example

ANSWER_WORDS = 60
CONTEXT_WORDS = 220
QUESTION = re.compile(r"^(?:Q:\s*)?(.{8,200}\?)$")
TERM = re.compile(r"^\*\*(.+?)\*\*:?$")
ROW = re.compile(r"^\s*\|(.+)\|\s*$")
RULE = re.compile(r"^\s*\|?[\s:|-]+\|?\s*$")
NUMBERING = re.compile(r"^\d+(?:\.\d+)*[.)]?\s+")
PRICE = re.compile(r"\b(?:price|cost|fee|rate|deposit|charge|discount|salary|wage)s?\b", re.IGNORECASE)
# tables, definitions and captions: other rules read them, or nobody should
NO_PROSE = re.compile(r"^\s*\||^\*\*.+?\*\*:?\n: |^\*[^*\n]+\*$")
HEADING_WORDINGS = [
    "{page}: what should I know about {topic}?",
    "Tell me about {topic} ({page}).",
    "What do you say about {topic} under {page}?",
]
TERM_WORDINGS = ["What is {named}?", 'What does "{term}" mean?', 'What do you mean by "{term}"?']
# a full stop ends a sentence unless it follows a short form or a single letter
SENTENCE_END = re.compile(r"(?<!\bNo)(?<!\bMr)(?<!\bDr)(?<!\bMrs)(?<!\bSt)(?<!\be\.g)(?<!\bi\.e)(?<!\b[A-Z])[.!?](?=\s|$)")


def by_rules(documents: Sequence[Document], section: RulePairs) -> list[Example]:
    """Every pair that the chosen rules find, in the documents' order."""
    rules: dict[str, Callable[[Document, Section], Iterator[tuple[str, str]]]] = {
        "faq": _faq,
        "heading": _heading,
        "definition": _definitions,
        "table": _tables,
    }
    found = []
    for document in documents:
        for part in chunk.sections(document):
            for name in section.rules:
                for question, answer in rules[name](document, part):
                    context = _context(document, part, answer)
                    found.append(Example.pair(question, answer, context=context, source=document.uri, maker=name))
    return found


def none(documents: Sequence[Document], section: NoPairs) -> list[Example]:
    """No pairs: only the data sets' own."""
    return []


def _faq(document: Document, part: Section) -> Iterator[tuple[str, str]]:
    """A heading or bold line that asks, and the text up to the next one."""
    asked = QUESTION.match(part.heading)
    question, held = (asked[1] if asked else ""), list[str]()
    for block in chunk.blocks(part.text):
        line = chunk.plain(block)
        found = QUESTION.match(line) if TERM.match(block) or block.startswith("Q:") else None
        if found:
            if question and held:
                yield question, shorten("\n".join(held))
            question, held = found[1], []
        elif question:
            held.append(re.sub(r"^A:\s*", "", prose(block)))
    if question and any(held):
        yield question, shorten("\n".join(held))


def _heading(document: Document, part: Section) -> Iterator[tuple[str, str]]:
    """A heading that does not ask, and the prose under it."""
    if QUESTION.match(part.heading):
        return
    blocks = [block for block in chunk.blocks(part.text) if not NO_PROSE.match(block)]
    answer = shorten("\n".join(prose(block) for block in blocks))
    if len(answer.split()) < 5:
        return
    page = _page(document, part)
    if len(part.path) > 1:
        topic = _inside(NUMBERING.sub("", part.heading), document)
        yield _worded(HEADING_WORDINGS, answer).format(topic=topic, page=page), answer
    else:
        yield f"What should I know about {_inside(page, document)}?", answer


def _definitions(document: Document, part: Section) -> Iterator[tuple[str, str]]:
    """Terms and their definitions: a line in bold, then lines that begin with a colon."""
    term = ""
    for line in part.text.splitlines():
        named = TERM.match(line.strip())
        if named:
            term = chunk.plain(named[1])
        elif term and line.startswith(":"):
            meaning = shorten(prose(line.lstrip(": ")))
            if meaning:
                yield _worded(TERM_WORDINGS, term).format(term=term, named=_article(term, meaning, document)), meaning
            term = ""


def _tables(document: Document, part: Section) -> Iterator[tuple[str, str]]:
    """One question for each price of a row, and one for all that a row of other columns says."""
    page = _page(document, part)
    place = f"{page}, {_inside(part.heading, document)}" if len(part.path) > 1 else page
    for header, row in table_rows(part.text):
        name = _inside(row[0], document)
        cells = [(_inside(c, document), v) for c, v in zip(header[1:], row[1:], strict=True) if c and v.strip("-–— ")]
        if not name or not cells:
            continue
        priced = [(label, value) for label, value in cells if PRICE.search(label)]
        for label, value in priced:
            yield f"What is the {label} of {name} ({page})?", _ended(f"The {label} of {name} is {value}")
        if len(priced) < len(cells):
            listed = ", ".join(f"{label}: {value}" for label, value in cells)
            yield f"{place}: what does the table say about {name}?", _ended(f"{row[0]}: {listed}")


def _worded(wordings: Sequence[str], content: str) -> str:
    """One of several wordings, by the content's hash: variety over the pairs, and one question for each fact."""
    return wordings[int(files.sha256_text(content)[:8], 16) % len(wordings)]


def table_rows(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Header and cells of each row of the Markdown tables in a text."""
    for block in chunk.blocks(text):
        lines = [line for line in block.splitlines() if ROW.match(line)]
        if len(lines) >= 3 and RULE.match(lines[1]):
            header = _cells(lines[0])
            for line in lines[2:]:
                cells = _cells(line)
                if len(cells) == len(header) > 1:
                    yield header, cells


def _cells(line: str) -> list[str]:
    found = ROW.match(line)
    return [chunk.plain(cell) for cell in re.split(r"(?<!\\)\|", found[1])] if found else []


def prose(block: str) -> str:
    """A Markdown block as plain text: list items become a line each, quotes and code fences lose their marks."""
    lines = [line for line in block.splitlines() if not chunk.FENCE.match(line)]
    return "\n".join(chunk.plain(re.sub(r"^\s*(?:[-*+]|\d+[.)]|>)\s+", "", line)) for line in lines).strip()


def shorten(text: str, words: int = ANSWER_WORDS) -> str:
    """The first sentences of a text within a number of words; one long sentence is kept whole up to twice that."""
    text = " ".join(_ended(line) for line in text.split("\n") if line.strip())
    if len(text.split()) <= words:
        return text
    kept = ""
    for end in SENTENCE_END.finditer(text):
        if kept and len(text[: end.end()].split()) > words:
            break
        kept = text[: end.end()]
    return kept if kept and len(kept.split()) <= 2 * words else " ".join(text.split()[:words])


def _ended(line: str) -> str:
    """A line as a sentence: list items often have no full stop."""
    line = line.strip()
    return line if line[-1] in ".!?:;,…\"”)" else f"{line}."


def _context(document: Document, part: Section, answer: str) -> str:
    """The passage of a section that holds most of an answer, under its title path."""
    whole = Document.make(document.uri, document.title, part.text)
    pieces = [chunk.Passage(p.uri, " > ".join(part.path) or document.title, p.text) for p in chunk.passages(whole, CONTEXT_WORDS)]
    found = chunk.find_passage(pieces, answer) or pieces[0]
    return found.with_title()


def _page(document: Document, part: Section) -> str:
    """What a page is about: its outermost heading, else its title."""
    return part.path[0] if part.path else document.title


def _inside(text: str, document: Document) -> str:
    """A heading or cell as it stands inside a sentence: its first letter is small unless it is a name.

    A name has a capital second word, more capitals or digits in its first, or is written large elsewhere
    in the middle of a sentence.
    """
    first, _, rest = text.partition(" ")
    named = rest[:1].isupper() or not first[1:].islower() or re.search(rf"[a-z,;] {re.escape(first)}\b", document.text)
    return text if named else first.lower() + text[len(first) :]


def _article(term: str, meaning: str, document: Document) -> str:
    """A term with the article that its own definition, else the document, puts before it."""
    for text in (meaning, document.text):
        found = re.search(rf"\b(an?|the) ({re.escape(term)})\b", text, re.IGNORECASE)
        if found:
            return f"{found[1].lower()} {found[2]}"
    return _inside(term, document)
