"""Question-answer pairs from the structure of a text, without a model.

Four rules: questions that the text itself asks (faq), headings with the text under them (heading),
definition lists (definition) and tables (table). Each pair keeps its passage as context.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ozfig.overlap.words import content_words, normalised
from ozfig.prepare import Context, Made, tables
from ozfig.prepare.wording import inside, page_name, prose, shorten, swapped, with_article, worded
from ozfig.recipe import NoPairs, RulePairs
from ozfig.retrieval import chunk
from ozfig.retrieval.chunk import Passage, Section
from ozfig.types import Document, Example

Places = dict[tuple[str, str], list[Passage]]
SHORTEST = 5  # words of an answer under a heading
# a question, with or without the mark or number that a list of questions puts before it
ASKED = r"(?:Q(?:uestion)?\s?\d*[:.)]|\d+(?:\.\d+)*[.)])"
QUESTION = re.compile(rf"^(?:{ASKED}\s*)?(.{{8,200}}\?)$")
ANSWERED = re.compile(r"^(?:A(?:nswer)?\s?\d*[:.)]|:)\s*")
TERM = re.compile(r"^\*\*(.+?)\*\*:?$")
NUMBERING = re.compile(r"^\d+(?:\.\d+)*[.)]?\s+")
# tables, definitions and captions: other rules read them, or nobody should
NO_PROSE = re.compile(r"^\s*\||^\*\*.+?\*\*:?\n: |^\*[^*\n]+\*$|^Q(?:uestion)?\s?\d*:")
CLAUSE = re.compile(r"^(?:who|whom|what|how|where|when|why|which)\b", re.IGNORECASE)
TIME = re.compile(r"^(?:before|after|while|once)\b", re.IGNORECASE)
PLACE = re.compile(r"^(?:by|on|in|at|from|under|around|outside|inside|out)\b", re.IGNORECASE)
AUXILIARY = re.compile(
    r"^(?:is|are|was|do|does|did|can|could|may|might|must|shall|should|will|would|have|has|tell)\b", re.IGNORECASE
)
# words that name no subject of their own
GENERIC = content_words(
    "prices costs rates fees details information overview introduction notes general history before after once while"
)
FAQ_PAGE = re.compile(r"\b(?:faq|questions|answers)\b", re.IGNORECASE)
ABOUT = ["What should I know about {topic}?", "Tell me about {topic}."]
MEANING = ["What {verb} {named}?", 'What does "{term}" mean?']


@dataclass(frozen=True)
class Pair:
    """A question found in a section, before it becomes an example."""

    question: str
    answer: str
    document: Document
    part: Section
    maker: str


def by_rules(section: RulePairs, context: Context) -> Made:
    """Every pair that the chosen rules find, in the documents' order; counted by rule."""
    rules: dict[str, Callable[[Document, Section], Iterator[tuple[str, str]]]] = {
        "faq": _faq,
        "heading": _heading,
        "definition": _definitions,
        "table": tables.ask,
    }
    found = [
        Pair(question, answer, document, part, name)
        for document in context.documents
        for part in chunk.sections(document)
        for name in section.rules
        for question, answer in rules[name](document, part)
    ]
    kept = _told_apart(found)
    places = _places(context)
    made = Made(examples=[_example(pair, places) for pair in kept])
    made.counts = {**Counter(pair.maker for pair in kept), "ambiguous": len(found) - len(kept)}
    return made


def none(section: NoPairs, context: Context) -> Made:
    """No pairs: only the data sets' own."""
    return Made()


def _places(context: Context) -> Places:
    """The run's passages by the section that they are of: a pair is trained with what a search may find."""
    places: Places = defaultdict(list)
    for passage in context.passages or [p for d in context.documents for p in chunk.passages(d)]:
        places[passage.uri, passage.title_path].append(passage)
    return places


def _example(pair: Pair, places: Places) -> Example:
    document = pair.document
    return Example.pair(
        pair.question,
        pair.answer,
        context=_context(pair, places),
        source=document.uri,
        maker=pair.maker,
        origin=document.source,
    )


def _told_apart(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs whose questions have one answer each: where pages differ, the question names the page or the heading.

    What still has two answers after that cannot be answered and is left out.
    """
    for name in (lambda p: page_name(p.document, p.part), lambda p: p.part.heading):
        several = _ambiguous(pairs)
        pairs = [_placed(p, name(p)) if normalised(p.question) in several else p for p in pairs]
    several = _ambiguous(pairs)
    return [p for p in pairs if normalised(p.question) not in several]


def _ambiguous(pairs: Sequence[Pair]) -> set[str]:
    answers: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        answers[normalised(pair.question)].add(normalised(pair.answer))
    return {question for question, found in answers.items() if len(found) > 1}


def _placed(pair: Pair, name: str) -> Pair:
    """The pair with a page or heading named before its question, unless the question names it already."""
    if not name or normalised(name) in normalised(pair.question):
        return pair
    return replace(pair, question=_under(name, pair.question))


def _under(name: str, question: str) -> str:
    asks = CLAUSE.match(question) or AUXILIARY.match(question)
    return f"{name}: {question[0].lower() + question[1:] if asks else question}"


def _faq(document: Document, part: Section) -> Iterator[tuple[str, str]]:
    """A heading or bold line that asks, and the text up to the next one; a bare question also names its page."""
    page = page_name(document, part)
    asked = QUESTION.match(part.heading)
    question, held = (asked[1] if asked else ""), list[str]()
    for block in [*chunk.blocks(_lines_apart(part.text)), ""]:
        line = chunk.plain(block)
        found = QUESTION.match(line) if TERM.match(block) or re.match(r"Q(?:uestion)?\b", block) else None
        if (found or not block) and question and any(held):
            bare = len(content_words(question)) < 3 and question != page and not FAQ_PAGE.search(page)
            yield _under(page, question) if bare else question, shorten("\n".join(held))
        if found:
            question, held = found[1], []
        elif question:
            held.append(ANSWERED.sub("", prose(block)))


def _lines_apart(text: str) -> str:
    """A text in which questions after `Q:` and in bold, and what follows them, are blocks of their own."""
    text = re.sub(r"\n(?=Q(?:uestion)?\s?\d*:)", "\n\n", text)
    return re.sub(r"^((?:Q(?:uestion)?\s?\d*:.*|\*\*.+\?\*\*))\n(?=\S)", r"\1\n\n", text, flags=re.MULTILINE)


def _heading(document: Document, part: Section) -> Iterator[tuple[str, str]]:
    """A heading that does not ask, and the prose under it."""
    if QUESTION.match(part.heading) or (len(part.path) < 2 and FAQ_PAGE.search(page_name(document, part))):
        return
    blocks = [block for block in chunk.blocks(part.text) if not NO_PROSE.match(block)]
    answer = shorten("\n".join(prose(block) for block in blocks))
    if len(answer.split()) >= SHORTEST:
        yield _about(document, part), answer


def _about(document: Document, part: Section) -> str:
    """A question that a heading answers, by the heading's shape; a bare heading also names its page."""
    page = page_name(document, part)
    heading = re.sub(r"^About (?=\S)", "", NUMBERING.sub("", part.heading))
    topic = inside(heading or page, document)
    if heading and PLACE.match(topic):
        return f"{page}, {swapped(topic)}: what should I know?"
    if topic.lower().startswith("how to "):
        question = f"How do I {swapped(topic[7:])}?"
    elif topic.lower().startswith("if "):
        question = f"What should I do {swapped(topic)}?"
    elif TIME.match(topic):
        question = f"What should I know {swapped(topic)}?"
    elif CLAUSE.match(topic):
        question = f"Can you tell me {swapped(topic)}?"
    else:
        question = worded(ABOUT, topic).format(topic=swapped(with_article(heading or page, document)))
    specific = content_words(swapped(topic)) - GENERIC
    bare = len(part.path) > 1 and (len(specific) < 2 or topic.startswith(("a ", "an ")))
    return _under(page, question) if bare else question


def _definitions(document: Document, part: Section) -> Iterator[tuple[str, str]]:
    """Terms and their definitions: a line in bold, then lines that begin with a colon."""
    term, meanings = "", list[str]()
    for line in [*part.text.splitlines(), "****:"]:
        named = TERM.match(line.strip())
        if named or line == "****:":
            if term and meanings and not QUESTION.match(term):  # the faq rule reads questions
                answer = shorten("\n".join(meanings))
                yield _what_is(term, answer, document, page_name(document, part)), answer
            term, meanings = (chunk.plain(named[1]) if named else ""), []
        elif term and line.startswith(":"):
            meanings.append(prose(line.lstrip(": ")))


def _what_is(term: str, meaning: str, document: Document, page: str) -> str:
    """Ask for a meaning where one is given, else what there is to know of the term."""
    named = with_article(term, document, meaning)
    bare = re.sub(r"^(?:the|an?) ", "", inside(term, document))
    told = re.match(rf"((?:the|an?) )?{re.escape(bare)}\b.{{0,40}}? (is|are|means?)\b", meaning, re.IGNORECASE)
    if told or (re.match(r"(?:an?|the|to)\b", meaning, re.IGNORECASE) and bare.lower() not in meaning.lower()):
        verb = "are" if told and told[2] == "are" else "is"
        single = named.startswith("the ")  # one certain thing is, and means nothing
        return worded(MEANING[:1] if single else MEANING, term).format(verb=verb, named=named, term=bare)
    asked = worded(ABOUT, term).format(topic=named)
    return f"{asked[:-1]} ({page}){asked[-1]}"


def _context(pair: Pair, places: Places) -> str:
    """The passage of a section that holds most of an answer, under its title path."""
    pieces = places[pair.document.uri, " > ".join(pair.part.path) or pair.document.title]
    return (chunk.find_passage(pieces, pair.answer) or pieces[0]).with_title()
