"""Question-answer pairs that a stronger model writes from each passage, checked against it."""

from __future__ import annotations

from collections.abc import Sequence

from ozfig import files
from ozfig.prepare import Context, Made
from ozfig.prepare.teach import grounding
from ozfig.prepare.teach.asking import Asker, Taught
from ozfig.prepare.teach.replies import TaughtPair
from ozfig.prepare.teach.teachers import Prompt
from ozfig.recipe import TeacherPairs
from ozfig.retrieval.chunk import Passage
from ozfig.types import Dropped, Example, Flagged, Message

SHORTEST = 8  # words of a passage that is worth a question
INSTRUCTIONS = (
    "You write questions and answers that will train an assistant. The assistant will see the question without the "
    "text, so each question has to make sense alone: name the person, thing, place or page that it asks about, and "
    "never write it, they, this, the text, the passage, the company or the author instead of a name. Ask what a "
    "reader would want to know, each question about another fact. Answer in whole sentences, with what the text says "
    "and nothing else; keep its names, numbers and conditions exact. Rather write fewer pairs than guess."
)
FORM = (
    'Write at most {pairs} pairs, as JSON and nothing else, in this form:\n{{"pairs": [{{"question": "...", "answer": '
    '"..."}}]}}\nIf the text states no fact, write {{"pairs": []}}.'
)
# completion models see one text done, so that they go on in its form
SHOWN = """Text:
Mill Lane Library > Opening hours

The library opens at nine on weekdays and stays closed on Sundays. A card is free for residents.

At most 2 pairs of question and answer, as a JSON list:
[{"question": "When does Mill Lane Library open on weekdays?", "answer": "It opens at nine on weekdays."}, \
{"question": "What does a card of Mill Lane Library cost for residents?", "answer": "A card is free for residents."}]
"""
PLAIN = (
    "{instructions}\n\n{shown}\nText:\n{passage}\n\nAt most {pairs} pairs of question and answer, as a JSON list:\n["
)

UNSUPPORTED, ALONE = "not supported by its passage", "question does not stand alone"


def by_teacher(section: TeacherPairs, context: Context) -> Made:
    """The pairs that the teacher writes, in the passages' order; every reply is kept in the cache.

    Raises UserError when the recipe's caps are too low, or address, key or model are wrong; OutsideError when the
    teacher does not answer: run again, it goes on where it stopped.
    """
    passages = chosen(context.passages, section.max_passages)
    prompts = [prompt_for(passage, section) for passage in passages]
    asker = Asker(section, context)
    asker.ask(prompts)
    made = Made()
    invalid = unanswered = 0
    for passage, prompt in zip(passages, prompts, strict=True):
        found = asker.known(prompt)
        if isinstance(found, Taught):
            invalid += found.invalid
            for pair in found.pairs[: section.pairs]:
                _take(pair, passage, section.grounding, made)
        else:
            unanswered += 1
    made.counts = {
        "passages": len(passages),
        "asked": asker.asked,
        "from_cache": asker.from_cache,
        "unanswered": unanswered,
        "tokens_in": asker.budget.tokens_in,
        "tokens_out": asker.budget.tokens_out,
        "cost": round(asker.budget.cost, 4),
        "pairs": len(made.examples),
        "invalid": invalid,
        "dropped": len(made.dropped),
        "flagged": len(made.flagged),
    }
    return made


def chosen(passages: Sequence[Passage], limit: int | None) -> list[Passage]:
    """The passages to ask about: each text once, none that is too short, at most `limit`, chosen by their hash."""
    first = {passage.with_title(): passage for passage in reversed(passages)}
    worth = [p for p in passages if first[p.with_title()] is p and len(p.text.split()) >= SHORTEST]
    kept = sorted(worth, key=lambda p: files.sha256_text(p.with_title()))[:limit]
    held = {id(passage) for passage in kept}
    return [passage for passage in worth if id(passage) in held]


def prompt_for(passage: Passage, section: TeacherPairs) -> Prompt:
    """What the teacher is asked about a passage."""
    told, text = section.instructions or INSTRUCTIONS, passage.with_title()
    plain = PLAIN.format(instructions=told, shown=SHOWN, passage=text, pairs=section.pairs)
    system = Message("system", f"{told}\n\n{FORM.format(pairs=section.pairs)}")
    return Prompt((system, Message("user", f"Text:\n{text}")), plain)


def _take(pair: TaughtPair, passage: Passage, policy: str, made: Made) -> None:
    """Put a pair where it belongs: among the examples, the flagged or the dropped."""
    found = grounding.check(pair.answer, passage.with_title(), pair.question)
    example = Example.pair(
        pair.question,
        pair.answer,
        context=passage.with_title(),
        source=passage.uri,
        origin=passage.source,
        maker="teacher",
        evidence=found.evidence,
    )
    loose = grounding.stands_alone(pair.question)
    wrong = loose or not found.supported
    reason, because = (ALONE, loose) if loose else (UNSUPPORTED, "; ".join(found.unsupported))
    if wrong and policy == "drop":
        made.dropped.append(Dropped(example, reason, because))
        return
    made.examples.append(example)
    if wrong and policy == "flag":
        made.flagged.append(Flagged(example, reason, because))
