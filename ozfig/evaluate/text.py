"""Perplexity of a text file under every model that gives probabilities, window by window.

A finished measurement is one file; until then its windows lie in a folder of that name, so that a killed run goes
on where it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ozfig import console, files
from ozfig.errors import UserError
from ozfig.evaluate import perplexity as ppl
from ozfig.evaluate.perplexity import Span, Text, Window
from ozfig.evaluate.statistics import method, paired_ratios
from ozfig.recipe import RunningText
from ozfig.types import Comparison, ModelRef, Score

CONDITION, VERSION = "running_text", 2  # raise the version when the same losses would score or compare otherwise
METHOD = 1  # raise it when the same weights and text would give other losses
AT_ONCE = 16  # windows in a file
Measured = dict[str, list[Window]]


def measure(
    section: RunningText, models: dict[str, ModelRef], open_engine: Callable[[ModelRef], Any], folder: Path
) -> Measured:
    """The windows of each model that continues text and is at hand. Raises UserError for a text that is too short."""
    form = [METHOD, files.sha256_path(section.path), section.definition, section.context, section.limit_tokens]
    found: Measured = {}
    for point, ref in models.items():
        if ref.only_answers or ref.head:
            continue
        path = folder / f"text.{point}.{files.sha256_value([ref.sha256, *form])[:16]}.jsonl"
        if not path.exists():
            _write(path, section, open_engine(ref), point)
        found[point] = [Window.from_row(row) for row in files.read_jsonl(path)]
    return found


def _write(path: Path, section: RunningText, engine: Any, point: str) -> None:
    """Score every window that is not on disk yet, then join them."""
    text, spans = _plan(section, engine)
    folder = path.with_suffix("")
    with console.bar("evaluate", total=len(spans), unit="windows") as bar:
        for start in range(0, len(spans), AT_ONCE):
            part, some = folder / f"{start:08d}.jsonl", spans[start : start + AT_ONCE]
            if not part.exists():
                files.write_jsonl(part, (ppl.score(engine.model, text, span).to_row() for span in some))
            bar.advance(len(some), model=point, asked=name(section))
    parts = sorted(folder.glob("*.jsonl"))
    files.write_jsonl(path, (row for part in parts for row in files.read_jsonl(part)))
    shutil.rmtree(folder)


def _plan(section: RunningText, engine: Any) -> tuple[Text, list[Span]]:
    """The text as tokens and the windows over it. Raises UserError when they do not fit."""
    is_llama = section.definition == "llama"
    context = section.context or (min(ppl.LLAMA_CONTEXT, engine.context) if is_llama else engine.context)
    if context > engine.context:
        raise UserError(f"evaluate.text.context: {engine.name} reads {engine.context} tokens, not {context}")
    try:
        raw = section.path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"evaluate.text: {section.path}: not UTF-8 text (byte {error.start:,})") from None
    # the tool drops a file's last line break
    text = ppl.read_text(engine.tokenizer, raw.removesuffix("\n") if is_llama else raw, section.limit_tokens)
    try:
        if is_llama:
            return text, ppl.llama_spans(len(text.ids), context)
        spans = ppl.stride_spans(len(text.ids), context, max(1, context // 2))
    except ValueError as error:
        raise UserError(f"evaluate.text: {section.path}: {error}") from None
    if len(spans) < 2:
        raise UserError(f"evaluate.text: {section.path}: one window holds it all; a standard error needs two")
    return text._replace(start=None), spans


def name(section: RunningText) -> str:
    """What the text is called."""
    return section.name or section.path.stem


def scores(section: RunningText, measured: Measured) -> list[Score]:
    """Perplexity and bits per byte of each model; n is the tokens scored, windows are the units of the error.

    Under llama's definition perplexity has the tool's own error, whose units are tokens.
    """
    rows: list[tuple[str, str, int, float, float, int | None]] = []
    for point, windows in measured.items():
        n, tokens = len(windows), [w.tokens for w in windows]
        if section.definition == "llama":
            rows.append((point, "perplexity", sum(tokens), *ppl.llama_estimate(windows), None))
        else:
            value = ppl.answer_perplexity([w.nats for w in windows], tokens)
            rows.append((point, "perplexity", sum(tokens), *value, n))
        rows.append((point, "bits_per_byte", sum(tokens), *ppl.bits_per_byte(windows), n))
    return [
        Score(point, f"text:{name(section)}", VERSION, CONDITION, metric, count, round(mean, 6), round(error, 6), units)
        for point, metric, count, mean, error, units in rows
    ]


def comparisons(
    section: RunningText, measured: Measured, steps: Iterable[tuple[str, str]], resamples: int, seed: int
) -> list[Comparison]:
    """The paired differences of models that read the same windows, which are the units of the interval.

    Two models whose tokenizers cut the text differently are not compared: their windows are no pairs.
    """
    found = []
    for a, b in steps:
        first, second = measured.get(a, []), measured.get(b, [])
        if not first or _shape(first) != _shape(second):
            continue
        before, after = ([w.nats for w in windows] for windows in (first, second))
        tokens, sizes = [w.tokens for w in first], [w.bytes for w in first]
        for metric, units, form in (("perplexity", tokens, np.exp), ("bits_per_byte", sizes, _bits)):
            figures = paired_ratios(before, after, units, form, resamples, seed).rounded()
            row = a, b, f"text:{name(section)}", CONDITION, metric, sum(tokens)
            found.append(Comparison(*row, *figures, test=method(len(first)), clusters=len(first)))
    return found


def _bits(nats: Any) -> Any:
    return nats / np.log(2)


def _shape(windows: Sequence[Window]) -> list[tuple[int, int]]:
    return [(w.tokens, w.bytes) for w in windows]
