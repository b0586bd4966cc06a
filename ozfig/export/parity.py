"""Before a file is called good: it must read, frame and continue text as the model that was trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ozfig import console, prompts
from ozfig.engines.base import Decoding
from ozfig.engines.gguf import LlamaServer
from ozfig.engines.transformers import TransformersEngine, load
from ozfig.errors import OzfigError
from ozfig.types import Message, ModelRef

AWKWARD = [
    "Hello world", " leading space", "trailing space ", "two  spaces", "   ", "tab\there", "line\nbreak\n\n", "\n",
    "émigré naïve", "日本語の文字", "emoji 😀👩‍👩‍👧", "Zürich – “quotes” …", "1234567890", "3.14159",
    "£1,250.00", "a@b.example",
    "http://tidewater.example/?q=1&x=%20", "snake_case CamelCase", "don't won't I'm", "(brackets) [and] {more}",
    "<html> & &amp;", "<0x0A>", "| a | b |", "# heading", "- item\n- item", "\u00a0nbsp", "e\u0301 combining",
    "ALL CAPS",
    "a", "x" * 70, "The quick brown fox.", "\u200bzero width", "¿Qué?", "Привет", "مرحبا", "C:\\path\\file", "`code`",
    "$E = mc^2$", "100 % of 5/8", "…",
]  # fmt: skip
QUESTIONS = [
    "What is the price?", "Who looks after the yard?", "When is high water?", "How long is a berth?", "Why?",
    "  Is it open on Sundays, and until when?\n", "Erkläre das bitte.", "List three colours.",
]  # fmt: skip
REPLY_TOKENS = 16


class ParityError(OzfigError):
    """The exported file does not behave like the model that it was made from."""


def check(ref: ModelRef, system: str = "") -> dict[str, Any]:
    """Compare a GGUF file in llama.cpp with its own weights in Transformers; returns the figures.

    Raises ParityError, naming the first difference, when token ids or the chat template differ, or when
    the file answers nothing. Equal replies and next tokens are counted, not judged: llama.cpp also rounds
    activations.
    """
    engine, name = load(ref), Path(ref.path).name
    with LlamaServer(ref.path, context=min(1024, engine.context), slots=1) as server:
        asked = [prompts.ask(question, system) for question in QUESTIONS]
        talk = [*asked[0], Message("assistant", "Two."), Message("user", "Three?")]
        framed = [_same_template(engine, server, name, messages) for messages in [*asked, talk]]
        texts = [*AWKWARD, *framed]
        for text in texts:
            _same_ids(engine, server, name, text)
        return {
            "token_ids_equal": len(texts),
            "token_ids_compared": len(texts),
            "template_equal": True,
            **_replies(engine, server, name, asked),
            **_next_tokens(engine, server, asked),
        }


def _same_template(engine: TransformersEngine, server: LlamaServer, name: str, messages: Sequence[Message]) -> str:
    """The text of a rendered prompt, or an error; llama.cpp leaves the start marker to its tokenizer."""
    bos = engine.tokenizer.bos_token or ""
    ours = engine.render(messages, reply=True)
    theirs = str(server.post("/apply-template", messages=[m.to_row() for m in messages])["prompt"])
    if ours.removeprefix(bos) != theirs.removeprefix(bos):
        raise ParityError(f"{name}: the chat template differs: {ours!r} in training, {theirs!r} in llama.cpp")
    return ours


def _same_ids(engine: TransformersEngine, server: LlamaServer, name: str, text: str) -> None:
    """Compare the ids of one text."""
    ours, theirs = list(engine.tokenizer(text, add_special_tokens=False)["input_ids"]), server.tokenize(text)
    if ours != theirs:
        raise ParityError(f"{name}: token ids differ for {text!r}: {ours} in training, {theirs} in llama.cpp")


def _replies(
    engine: TransformersEngine, server: LlamaServer, name: str, asked: Sequence[Sequence[Message]]
) -> dict[str, float]:
    """Ask through the API: a prompt must have as many tokens there as in training, and be answered.

    Returns the share of equal greedy replies. A model that answers nothing anywhere was not spoilt by the
    export, so that is a note.
    """
    ours = engine.generate(asked, Decoding(max_tokens=REPLY_TOKENS))
    theirs = []
    for messages in asked:
        rows = [m.to_row() for m in messages]
        reply = server.post("/v1/chat/completions", messages=rows, temperature=0, max_tokens=REPLY_TOKENS)
        expected, found = len(engine.prompt_ids(messages)), reply["usage"]["prompt_tokens"]
        if expected != found:
            question = messages[-1].content
            raise ParityError(f"{name}: {question!r} is {expected} tokens in training, {found} in llama.cpp")
        theirs.append((reply["choices"][0]["message"]["content"] or "").strip())
    if any(ours) and not any(theirs):
        raise ParityError(f"{name}: llama.cpp answers {len(theirs)} questions with nothing; the model says {ours}")
    if not any(ours):
        console.warn(f"{name}: the tuned model answers {len(ours)} plain questions with nothing")
    return {"replies_equal": sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(ours)}


@torch.inference_mode()
def _next_tokens(
    engine: TransformersEngine, server: LlamaServer, asked: Sequence[Sequence[Message]]
) -> dict[str, float]:
    """Share of prompts with the same likeliest next token, and the largest gap of its log-probability in nats."""
    same, gap = 0, 0.0
    for ids in (engine.prompt_ids(messages) for messages in asked):
        logits = engine.model(torch.tensor([ids], device=engine.model.device)).logits[0, -1].float()
        expected = torch.log_softmax(logits, -1)
        token, log_probability = server.next_token(ids)[0]
        same += int(expected.argmax()) == token
        gap = max(gap, abs(float(expected[token]) - log_probability))
    return {"top1_agreement": same / len(asked), "prompts": len(asked), "largest_gap": round(gap, 3)}
