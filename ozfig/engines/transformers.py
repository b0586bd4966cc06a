"""Transformers as an engine: base, adapter and GGUF file through the very same code and precision.

A GGUF file is opened by de-quantising its tensors into the modules of the model that it was made from:
llama.cpp's server gives no probabilities for prompt tokens, so this is how the weights that ship are scored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from safetensors import safe_open
from transformers import GenerationConfig

from ozfig.engines.base import AnswerLoss, Asked, Conversation, Decoding, batches
from ozfig.engines.dequantise import fill
from ozfig.engines.loading import common_prefix, context_length, first_line, load_model, load_tokenizer, quiet
from ozfig.errors import UserError
from ozfig.types import Message, ModelRef

SHARE_OF_MEMORY = 0.6  # weights that would take more of the machine's memory in float32 are held in bfloat16


def load(ref: ModelRef) -> TransformersEngine:
    """Open a causal model: a folder, a PEFT adapter over its base, or a GGUF file over the folder it was made from."""
    return TransformersEngine(ref.name, *opened(ref))


def opened(ref: ModelRef) -> tuple[Any, Any]:
    """Model, ready on its device, and tokenizer.

    Weights are float32 on a CPU (bfloat16 where memory is too small for that) and bfloat16 on CUDA, whatever
    the file holds, so that the points of one run differ in their weights alone. Raises UserError for a model
    that cannot be opened.
    """
    folder = Path(ref.path if ref.kind == "transformers" else ref.base)
    if ref.kind == "openai" or not folder.name:
        raise UserError(f"{ref.path}: no folder of the model's weights and tokenizer is known, so it cannot be scored")
    device = _device()
    model = load_model(folder, _dtype(device, folder), ref.head)
    if ref.kind == "adapter":
        model = merged(model, Path(ref.path))
    elif ref.kind == "gguf":
        fill(model, Path(ref.path))
    tokenizer = load_tokenizer(Path(ref.path) if ref.kind == "adapter" else folder, head=ref.head)
    return model.to(device).eval(), tokenizer


def merged(model: Any, adapter: Path) -> Any:
    """The model with a PEFT adapter's update added to its weights. Raises UserError when they do not fit."""
    from peft import PeftModel

    try:
        with quiet():
            return PeftModel.from_pretrained(model, str(adapter), local_files_only=True).merge_and_unload()
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{adapter}: not an adapter of this base: {first_line(error)}") from None


class TransformersEngine:
    """A causal model in this process. Not safe for several threads at once."""

    def __init__(self, name: str, model: Any, tokenizer: Any) -> None:
        self.name, self.model, self.tokenizer = name, model, tokenizer
        self.context = context_length(model.config, tokenizer)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.stops = self._end_markers()
        # a model's own sampling defaults, such as a repetition penalty, would change greedy replies too
        model.generation_config = GenerationConfig(eos_token_id=self.stops, pad_token_id=tokenizer.pad_token_id)

    @torch.inference_mode()
    def generate(
        self, prompts: Sequence[Conversation], decoding: Decoding, progress: Callable[[int], None] | None = None
    ) -> list[str]:
        """Greedy replies in fixed batches, in the given order; text from a stop string on is cut off.

        A reply gets at most half of the model's context. Raises UserError when the chat template refuses a prompt.
        """
        room = min(decoding.max_tokens, self.context // 2)
        replies: list[str] = []
        for part in batches(prompts, decoding.batch, progress):
            out = self.continuations([self.prompt_ids(messages, room) for messages in part], room)
            texts = self.tokenizer.batch_decode(out, skip_special_tokens=True)
            replies += [until(text, decoding.stop).strip() for text in texts]
        return replies

    @torch.inference_mode()
    def continuations(self, rows: list[list[int]], room: int) -> torch.Tensor:
        """Greedy continuations of prompts given as ids, decoded together: (rows, at most `room`), padded."""
        ids, mask = self.pad(rows, left=True)
        out = self.model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=room, do_sample=False)
        return out[:, ids.shape[1] :]  # type: ignore[no-any-return]

    def losses(self, prompts: Sequence[Conversation], answers: Sequence[str], batch: int = 16) -> list[AnswerLoss]:
        """The loss of each answer with its end marker, as the assistant's next turn.

        Raises UserError when the template refuses a prompt.
        """
        sums = torch.nn.functional.cross_entropy
        found = self.answer_logits(prompts, answers, batch)
        return [AnswerLoss(float(sums(logits, ids, reduction="sum")), len(ids)) for logits, ids in found]

    @torch.inference_mode()
    def answer_logits(
        self, prompts: Sequence[Conversation], answers: Sequence[str], batch: int = 16
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """For each answer with its end marker, what the model expects and what comes: (tokens, vocabulary), (tokens).

        Logits are computed only where an answer stands. Raises UserError when the template refuses a prompt.
        """
        rows = [self._scored(messages, answer) for messages, answer in zip(prompts, answers, strict=True)]
        for part in (rows[start : start + batch] for start in range(0, len(rows), batch)):
            ids, mask = self.pad([row for row, _ in part], left=False)
            kept = sorted({at for row, begin in part for at in range(begin - 1, len(row) - 1)})
            at = {position: index for index, position in enumerate(kept)}
            places = torch.tensor(kept, device=ids.device)
            logits = self.model(input_ids=ids, attention_mask=mask, logits_to_keep=places).logits
            for i, (row, begin) in enumerate(part):
                first = at[begin - 1]
                yield logits[i, first : first + len(row) - begin].float(), ids[i, begin : len(row)]

    def asked(self, messages: Conversation, tokens: int) -> Asked:
        """A prompt for a reply that is written piece by piece. Raises UserError when the template refuses it."""
        room = min(tokens, self.context // 2)
        ids, mask = self.pad([self.prompt_ids(messages, room)], left=True)
        return Asked({"input_ids": ids, "attention_mask": mask}, ids.shape[1], room, ids.shape[1])

    def prompt_ids(self, messages: Conversation, room: int = 0) -> list[int]:
        """Token ids of a prompt, ready for a reply of `room` tokens.

        A prompt that is too long loses the start of its last user turn, where a passage stands before the
        question; if that is not enough (a long history), the first tokens of all.
        """
        turns, limit = list(messages), self.context - room
        ids = self._ids(turns, reply=True)
        last = max((i for i, m in enumerate(turns) if m.role == "user"), default=-1)
        while len(ids) > limit and last >= 0 and turns[last].content:
            text = turns[last].content
            surplus = max(1, len(text) * (len(ids) - limit) // len(ids))
            turns[last] = Message("user", text[surplus:])
            ids = self._ids(turns, reply=True)
        return ids[-limit:]

    def _scored(self, messages: Conversation, answer: str) -> tuple[list[int], int]:
        """The ids of a conversation with its answer, and where what the model has to say begins.

        That is where the conversation leaves the prompt's ids, so that tokens are counted as the chat template
        really makes them. If both do not fit, the prompt is cut as for a reply, then the answer at half the context.
        """
        whole = self._ids([*messages, Message("assistant", answer)], reply=False)
        begin = common_prefix(whole, self._ids(messages, reply=True))
        if self.stops and not set(whole[begin:]) & set(self.stops):
            whole = [*whole, self.stops[0]]  # tuning adds it too: a reply has to end
        if len(whole) <= self.context:
            return whole, begin
        said = whole[begin:][: self.context // 2]
        prompt = self.prompt_ids(messages, len(said))
        return [*prompt, *said], len(prompt)

    def render(self, messages: Sequence[Message], reply: bool) -> str:
        """Messages under the chat template; `reply` adds what stands before the assistant's turn.

        Raises UserError when the template refuses them.
        """
        return rendered(self.tokenizer, self.name, messages, reply)

    def _ids(self, messages: Sequence[Message], reply: bool) -> list[int]:
        """Token ids of rendered messages; the template has set the start marker already."""
        text = self.render(messages, reply)
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _end_markers(self) -> list[int]:
        """Tokens that end a reply: what the chat template sets after it, the tokenizer's and the model's own."""
        turn = self._ids([Message("user", "?"), Message("assistant", "!")], reply=False)
        special = {i for i, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        last = next((i for i in reversed(turn) if i in special), None)
        own = self.model.generation_config.eos_token_id
        ids = [last, self.tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])]
        return list(dict.fromkeys(i for i in ids if i is not None))

    def pad(self, rows: list[list[int]], left: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows as a rectangle with its mask, both of shape (rows, longest)."""
        longest, pad = max(map(len, rows)), self.tokenizer.pad_token_id
        ids, real = [], []
        for row in rows:
            gap = longest - len(row)
            ids.append([pad] * gap + row if left else row + [pad] * gap)
            real.append([0] * gap + [1] * len(row) if left else [1] * len(row) + [0] * gap)
        return torch.tensor(ids, device=self.model.device), torch.tensor(real, device=self.model.device)


def rendered(tokenizer: Any, name: str, messages: Sequence[Message], reply: bool) -> str:
    """Messages under a tokenizer's chat template. Raises UserError, with the model's name, when it refuses them."""
    turns = [{"role": m.role, "content": m.content} for m in messages]
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=reply))
    except TemplateError as error:
        raise UserError(f"{name}: its chat template refuses the conversation: {error}") from None


def _device() -> torch.device:
    """CUDA, else Apple's GPU, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _dtype(device: torch.device, folder: Path) -> torch.dtype:
    """The precision of a model on this machine: it depends on sizes alone, so all points of a run have the same."""
    weights = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as tensors:
            weights += sum(torch.Size(tensors.get_slice(key).get_shape()).numel() for key in tensors.keys())  # noqa: SIM118
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    small = device.type == "cuda" or 4 * weights > SHARE_OF_MEMORY * memory
    return torch.bfloat16 if small else torch.float32


def until(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop string."""
    return text[: min((text.find(stop) for stop in stops if stop in text), default=len(text))]
