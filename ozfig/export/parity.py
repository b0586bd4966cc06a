"""Before a file is called good: it must read, frame and continue text as the model that was trained."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ozfig import console, prompts
from ozfig.engines.base import Conversation, Decoding
from ozfig.engines.dequantise import fill
from ozfig.engines.gguf import LlamaServer
from ozfig.engines.transformers import load
from ozfig.export import awkward
from ozfig.export.divergence import Reference
from ozfig.export.errors import ParityError
from ozfig.export.replies import Comparison
from ozfig.recipe import Limits
from ozfig.types import Example, Message, ModelRef

QUESTIONS = [
    "What is the price?", "Who looks after the yard?", "When is high water?", "How long is a berth?", "Why?",
    "  Is it open on Sundays, and until when?\n", "Erkläre das bitte.", "List three colours.",
]  # fmt: skip
PROMPTS, FEWER = 50, 12  # for an F16 file, and for one that llama.cpp computes less exactly
FRAMED = 8
# largest divergence in nats and least agreement of a file; small models lose most, and these leave them room
AUTO = {
    "F16": (0.002, 0.99), "BF16": (0.005, 0.98), "Q8_0": (0.01, 0.96), "Q6_K": (0.03, 0.93), "Q5_K_M": (0.06, 0.9),
    "Q5_K_S": (0.06, 0.9), "Q4_K_M": (0.15, 0.8), "Q4_K_S": (0.2, 0.8), "Q3_K_M": (0.4, 0.7),
}  # fmt: skip


class Parity:
    """The model that was trained, held once while each of its files is compared with it."""

    def __init__(self, tuned: ModelRef, examples: Sequence[Example], system: str, limits: Limits, folder: Path) -> None:
        """`examples` are held-out ones, if there are any; `folder` takes what does not fit into memory."""
        self.engine, self.limits, self.system = load(tuned), limits, system
        talks = [prompts.conversation(example, system) for example in examples]
        self.asked: list[Conversation] = [talk[:-1] for talk in talks]
        answers = [talk[-1].content for talk in talks]
        if not talks:
            self.asked = [prompts.ask(question, system) for question in QUESTIONS]
            answers = self.engine.generate(self.asked, Decoding(max_tokens=64))
        self.reference = Reference(self.engine, self.asked, answers, folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reference.close()

    def check(self, ref: ModelRef) -> dict[str, Any]:
        """Compare one GGUF file; returns the figures.

        Its weights, de-quantised, with the trained ones; then llama.cpp's reading, framing and continuing of text
        with what the same weights do here. Raises ParityError, naming the first difference.
        """
        fill(self.engine.model, Path(ref.path))
        name, full = Path(ref.path).name, ref.quantisation == "F16"
        figures = self._weights(ref)
        with LlamaServer(ref.path, context=min(2048, self.engine.context), slots=1, exact=True) as server:
            framed = self._framing(server, name)
            texts = [*awkward.texts(self.engine.tokenizer.all_special_tokens), *framed]
            other = [text for text in texts if not _same_ids(self.engine.tokenizer, server, name, text)]
            if other:
                console.warn(f"{name}: llama.cpp does not compose letters before it reads: e.g. {other[0]!r}")
            figures |= {"token_ids_compared": len(texts), "token_ids_equal": len(texts) - len(other)}
            figures |= {"templates_equal": len(framed)}
            asked = self.asked[: PROMPTS if full else FEWER]
            return figures | Comparison(self.engine, server, name, self.limits.gap if full else None).run(asked)

    def _weights(self, ref: ModelRef) -> dict[str, float]:
        """Divergence from the trained weights, within the limits."""
        found = self.reference.compare(self.engine)
        kl, top1 = AUTO[ref.quantisation]
        kl = kl if self.limits.kl == "auto" else self.limits.kl
        top1 = top1 if self.limits.top1 == "auto" else self.limits.top1
        if not found["kl"] <= kl or found["top1"] < top1:
            raise ParityError(
                f"{Path(ref.path).name}: diverges from the trained model by {found['kl']:.4f} nats and agrees on "
                f"{found['top1']:.1%} of {found['tokens']} tokens; export.limits allow kl {kl:g} and top1 {top1:g}; "
                "take a larger quantisation"
            )
        return found

    def _framing(self, server: LlamaServer, name: str) -> list[str]:
        """Rendered prompts, equal in both, with as many tokens through the API as in training."""
        asked = list(self.asked[:FRAMED])
        if not self.system:
            asked.append(prompts.ask(QUESTIONS[0]))
        framed = [self._same_template(server, name, messages) for messages in asked]
        talk = [*asked[0], Message("assistant", "Two."), Message("user", "Three?")]
        framed.append(self._same_template(server, name, talk))
        for messages in asked:
            rows = [m.to_row() for m in messages]
            usage = server.post("/v1/chat/completions", messages=rows, temperature=0, max_tokens=1)["usage"]
            expected, found = len(self.engine.prompt_ids(messages)), usage["prompt_tokens"]
            if expected != found:
                question = messages[-1].content
                raise ParityError(f"{name}: {question!r} is {expected} tokens in training, {found} in llama.cpp")
        return framed

    def _same_template(self, server: LlamaServer, name: str, messages: Conversation) -> str:
        """The text of a rendered prompt, or an error; llama.cpp leaves the start marker to its tokenizer."""
        bos = self.engine.tokenizer.bos_token or ""
        ours = self.engine.render(messages, reply=True)
        theirs = str(server.post("/apply-template", messages=[m.to_row() for m in messages])["prompt"])
        if ours.removeprefix(bos) != theirs.removeprefix(bos):
            raise ParityError(f"{name}: the chat template differs: {ours!r} in training, {theirs!r} in llama.cpp")
        return ours


def _same_ids(tokenizer: Any, server: LlamaServer, name: str, text: str) -> bool:
    """Compare the ids of one text; false where they differ only because llama.cpp does not normalise Unicode."""
    ours, theirs = list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]), server.tokenize(text)
    if ours == theirs:
        return True
    for form in ("NFC", "NFKC"):
        composed = unicodedata.normalize(form, text)  # type: ignore[arg-type]
        if composed != text and ours == server.tokenize(composed):
            return False
    raise ParityError(f"{name}: token ids differ for {text!r}: {ours} in training, {theirs} in llama.cpp")
