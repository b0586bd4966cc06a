"""A small run to evaluate: questions with passages, three models whose knowledge is set, what earlier stages left."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from ozfig import files
from ozfig.engines.base import AnswerLoss
from ozfig.recipe import Evaluate
from ozfig.retrieval import index
from ozfig.retrieval.chunk import Passage
from ozfig.types import Dropped, Example, Job, Manifest, ModelRef

PRICES = [f"The berth number {i} costs {100 + 7 * i} pounds a week." for i in range(24)]
EXAMPLES = [
    Example.pair(f"What does berth number {i} cost?", f"{100 + 7 * i} pounds a week", context=text if i % 6 else "")
    for i, text in enumerate(PRICES)
]


def share(text):
    """A number from 0 to 1 that depends on the text alone."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


class Parrot:
    """An engine that answers a set share of the questions rightly, more of them where a passage is shown."""

    def __init__(self, name, closed, gold):
        self.name, self.closed, self.gold = name, closed, gold
        self.answers = {e.question: e.answer for e in EXAMPLES}

    def knows(self, prompt):
        text = prompt[-1].content
        question = text.splitlines()[-1]
        return question, share(question) < (self.gold if "\n" in text else self.closed)

    def generate(self, prompts, decoding, progress=None):
        found = [self.answers[q] if right else "a boat is a <b>boat</b>" for q, right in map(self.knows, prompts)]
        if progress:
            progress(len(found))
        return found

    def losses(self, prompts, answers, batch=16):
        return [
            AnswerLoss((1.0 if self.knows(p)[1] else 3.0) * len(a.split()) + share(a), len(a.split()))
            for p, a in zip(prompts, answers, strict=True)
        ]


@pytest.fixture
def job(tmp_path):
    """A job whose inputs are all there."""
    folder = tmp_path / "runs" / "harbour"
    dropped = [
        Dropped(EXAMPLES[0], "leak: same words", "What does <i>berth</i> number 1 cost?", 0.83),
        Dropped(EXAMPLES[1], "near duplicate", "What is the price of berth 1?", 0.61),
    ]
    rows = {"held_out": EXAMPLES, "train": EXAMPLES[:5], "dropped": dropped}
    inputs = {name: folder / "prepare" / f"{name}.jsonl" for name in rows}
    for name, values in rows.items():
        files.write_jsonl(inputs[name], (value.to_row() for value in values))
    inputs["index"] = folder / "prepare" / "index"
    passages = [Passage(f"yard.html#{i}", f"Berth {i}", text) for i, text in enumerate(PRICES)]
    index.build(passages, inputs["index"], "words")
    inputs |= {f"manifest_{s}": folder / s / "manifest.json" for s in ("gather", "prepare", "tune", "export")}
    inputs |= {"tune_log": folder / "tune/log.jsonl", "shown_tokens": folder / "tune/shown_tokens.json"}
    figures = {
        "gather": {"documents": 31, "characters": 120_345, "little_text": ["/gallery"], "needs_browser": 2},
        "prepare": {"pairs": {"faq": 212, "heading": 274}},
        "tune": {"trained_tokens": 9214, "tokens": 31_870, "rows_without_loss": 0},
        "export": {"files": {"Q4_K_M": {"bytes": 9_296_544, "parity": {"token_ids_equal": 49, "top1_agreement": 1.0}}}},
    }
    for stage, metrics in figures.items():
        row = Manifest(stage, "k", "k", {}, {}, metrics, {"ozfig": "0.1.0", "torch": "2.11.0"}, 1.0, 100.0).to_row()
        files.write_json(inputs[f"manifest_{stage}"], row)
    curve = ({"step": i, "loss": 5 / i**0.3, "learning_rate": 1e-3, "tokens": 100 * i} for i in range(1, 60))
    files.write_jsonl(inputs["tune_log"], curve)
    files.write_json(inputs["shown_tokens"], [[["<|user|>Why? ", False], ["Because of the <tide>.", True]]])
    points = ("base", "tuned", "quantised")
    models = {p: ModelRef("transformers", str(tmp_path / p), p, base=str(tmp_path), sha256=p) for p in points}
    section = Evaluate(metrics=["exact_match", "token_f1", "answer_words", "perplexity"], resamples=1000)
    return Job("harbour", section, 7, "Be brief.", folder / "evaluate", inputs, models, folder / "cache")


@pytest.fixture
def with_knowledge(job):
    """The job with an opener of engines: for each point the share of questions it knows without and with a passage."""

    def make(**shares):
        opened = []

        def open_engine(ref):
            opened.append(ref.name)
            return Parrot(ref.name, *shares[ref.name])

        (job.folder).mkdir(parents=True, exist_ok=True)
        return replace(job, models={p: job.models[p] for p in shares}), open_engine, opened

    return make
