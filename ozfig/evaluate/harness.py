"""Base, tuned and quantised model answer the same questions through the same code.

A part is what one model said under one condition. It is written when it is whole, so that a run that was
killed does not ask again, nor one whose metrics alone have changed; its name tells all that replies depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ozfig import console, files, prompts, registry
from ozfig.engines.base import AnswerLoss, Decoding, Engine
from ozfig.engines.loading import free_memory
from ozfig.errors import UserError
from ozfig.evaluate.results import CLOSED, GOLD, RETRIEVED
from ozfig.recipe import Evaluate
from ozfig.types import Example, Message, ModelRef, Sample

FEWEST = 2  # a standard error needs two questions
METHOD = 1  # raise it when the same weights and prompts would give other replies or losses
Open = Callable[[ModelRef], Engine]


@dataclass(frozen=True)
class Part:
    """What one model has to answer under one condition, and the file that holds it once it is answered."""

    point: str
    condition: str
    items: Sequence[Example]
    asked: list[list[Message]]
    path: Path


def select(examples: Sequence[Example], limit: int | None) -> list[Example]:
    """At most `limit` questions, chosen by their ids, which are hashes: a fair draw that any machine repeats.

    Raises UserError when there are too few to measure anything.
    """
    chosen = {e.id for e in sorted(examples, key=lambda e: e.id)[:limit]}
    if len(chosen) < FEWEST:
        mend = "prepare.held_out" if len(examples) < FEWEST else "evaluate.limit"
        raise UserError(f"{len(chosen)} held-out questions are too few to measure anything; raise {mend}")
    return [e for e in examples if e.id in chosen]


def parts(
    items: Mapping[str, Sequence[Example]], models: Mapping[str, ModelRef], section: Evaluate, system: str, folder: Path
) -> list[Part]:
    """Every part to be answered, grouped by model. `items` are the questions of each condition, with its passage.

    Raises UserError when that leaves nothing to ask.
    """
    found = []
    for point in models:
        for condition, asked in items.items():
            if len(asked) < FEWEST or not can_be_asked(models[point], condition):
                continue
            messages = [_prompt(e, system, condition != CLOSED) for e in asked]
            content = [([m.to_row() for m in turn], e.references) for turn, e in zip(messages, asked, strict=True)]
            key = files.sha256_value([METHOD, models[point].sha256, content, section.max_tokens, section.batch])
            path = folder / f"{point}.{condition}.{key[:16]}.jsonl"
            found.append(Part(point, condition, asked, messages, path))
    if not found:
        raise UserError("evaluate: nothing to ask; name points and conditions, and for gold_context hold out passages")
    return found


def by_condition(
    items: Sequence[Example], section: Evaluate, found: Callable[[Example], str] | None
) -> dict[str, list[Example]]:
    """The questions to ask under each condition; their context is what is shown.

    Questions without a passage are left out of gold_context; `found` gives what a search shows.
    """
    forms = {
        CLOSED: list(items),
        GOLD: [e for e in items if e.context],
        RETRIEVED: [replace(e, context=found(e)) for e in items] if found else [],
    }
    return {condition: forms[condition] for condition in section.conditions}


def can_be_asked(model: ModelRef, condition: str) -> bool:
    """Whether a model can be asked under a condition: one that marks answers needs a passage to mark them in."""
    return model.head != "span" or condition != CLOSED


def notes(models: Mapping[str, ModelRef], section: Evaluate) -> list[str]:
    """What the report says of questions and metrics that some models have no answer to."""
    marking = [name for name, ref in models.items() if ref.head == "span"]
    if not marking:
        return []
    marks = f"Marks answers in a passage ({', '.join(marking)}): no loss and no perplexity of the reference answers"
    return [marks + (", and not asked without a passage." if CLOSED in section.conditions else ".")]


def _prompt(item: Example, system: str, with_passage: bool) -> list[Message]:
    """What a model sees of a question: the conversation up to the reference answer, as in training."""
    return prompts.conversation(item, system, with_passage)[:-1]


def answer(work: Sequence[Part], models: dict[str, ModelRef], section: Evaluate, open_engine: Open) -> list[Sample]:
    """Every model's replies and losses, without scores; one model is in memory at a time."""
    todo = [part for part in work if not part.path.exists()]
    with console.bar("evaluate", total=sum(len(part.items) for part in todo), unit="replies") as bar:
        for point in dict.fromkeys(part.point for part in todo):
            engine = open_engine(models[point])
            for part in (p for p in todo if p.point == point):
                files.write_jsonl(part.path, (row.to_row() for row in _ask(part, engine, section, bar)))
            del engine
            free_memory()
    return [Sample.from_row(row) for part in work for row in files.read_jsonl(part.path)]


def _ask(part: Part, engine: Engine, section: Evaluate, bar: console.Bar) -> list[Sample]:
    """The samples of one part."""

    def progress(answered: int) -> None:
        bar.advance(answered, model=part.point, asked=part.condition)

    replies = engine.generate(part.asked, Decoding(section.max_tokens, section.batch), progress)
    losses = engine.losses(part.asked, [e.answer for e in part.items], section.batch)
    return [
        _sample(part, item, turns, reply, loss)
        for item, turns, reply, loss in zip(part.items, part.asked, replies, losses, strict=True)
    ]


def _sample(part: Part, item: Example, turns: list[Message], reply: str, loss: AnswerLoss) -> Sample:
    return Sample(
        model=part.point,
        condition=part.condition,
        item=item.id,
        prompt=turns,
        references=item.references,
        reply=reply,
        nats=round(loss.nats, 4),
        tokens=loss.tokens,
        scores={},
    )


def score(samples: Sequence[Sample], section: Evaluate, cache: Path | None = None) -> list[Sample]:
    """The samples with the value of every metric. Perplexity is of a set: a sample has the loss behind it.

    A metric may give several columns; None stands where it does not apply, and is left out.
    """
    replies, references = [s.reply for s in samples], [s.references for s in samples]
    columns: dict[str, Sequence[float | None]] = {}
    for name in section.metrics:
        if name == "perplexity":
            columns["answer_loss"] = [s.nats / s.tokens if s.tokens else None for s in samples]
        else:
            found = registry.find("metric", name)(replies, references, section, cache)
            columns |= found if isinstance(found, dict) else {name: found}
    if not any(value is not None for column in columns.values() for value in column):
        raise UserError("evaluate.metrics: perplexity alone says nothing of a model that marks answers; add token_f1")
    rows = [{name: values[i] for name, values in columns.items()} for i in range(len(samples))]
    return [
        replace(sample, scores={name: round(value, 6) for name, value in row.items() if value is not None})
        for sample, row in zip(samples, rows, strict=True)
    ]
