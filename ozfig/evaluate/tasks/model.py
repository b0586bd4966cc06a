"""A model of ours as lm-evaluation-harness speaks to one: it writes the requests, our engine answers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import (
    handle_stop_sequences,
    has_bos_prefix,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from lm_eval.models.utils_hf import stop_sequences_criteria
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from ozfig.engines.likelihood import loglikelihoods
from ozfig.engines.transformers import TransformersEngine
from ozfig.errors import UserError

LONGEST_REPLY = 256  # tokens, where a task says nothing: lm-eval's own


class Answerer(TemplateLM):
    """Tokens are split between context and continuation by lm-eval's own code; `progress` counts answers."""

    def __init__(self, engine: TransformersEngine, batch: int, seed: int, progress: Callable[[int], None]) -> None:
        super().__init__()
        self.engine, self.batch, self.seed, self.progress = engine, batch, seed, progress
        self.tokenizer = engine.tokenizer
        # the choices of a question ask for their context's tokens again and again
        self._encode = lru_cache(1024)(self._encode_afresh)

    @property
    def eot_token_id(self) -> int:
        """The end of a text."""
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        """What stands before a continuation without a context."""
        start = self.tokenizer.bos_token_id
        return self.eot_token_id if start is None else int(start)

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Token ids; a text that begins with the start marker gets no second one."""
        return list(self._encode(string, add_special_tokens))

    def _encode_afresh(self, string: str, special: bool | None) -> tuple[int, ...]:
        if special is None and has_bos_prefix(string, self.tokenizer.decode(self.prefix_token_id)):
            special = False
        given = {} if special is None else {"add_special_tokens": special}
        return tuple(self.tokenizer(string, verbose=False, **given)["input_ids"])

    def _loglikelihood_tokens(self, requests: Sequence[Any], **_: Any) -> list[tuple[float, bool]]:
        """(log-probability, greedy) of each ((context, continuation), context ids, continuation ids)."""
        pairs = [(context, continuation) for _, context, continuation in requests]
        found = loglikelihoods(self.engine.model, pairs, self.engine.context, self.progress)
        return [(value.logprob, value.greedy) for value in found]

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[float]:
        """The log-probability of each whole text, read in windows of the model's context, each token once."""
        pairs, owners = [], []
        for number, request in enumerate(requests):
            tokens = self.tok_encode(request.args[0])
            for window in get_rolling_token_windows(tokens, self.prefix_token_id, self.engine.context, 1):
                pairs.append(make_disjoint_window(window))
                owners.append(number)
        totals = [0.0] * len(requests)
        for number, value in zip(owners, loglikelihoods(self.engine.model, pairs, self.engine.context), strict=True):
            totals[number] += value.logprob
        self.progress(len(requests))
        return totals

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[str]:
        """A reply to each (prompt, settings), up to a stop string; the longest prompts first, as lm-eval orders them.

        Raises UserError when a reply as long as the task wants leaves no room for the prompt.
        """
        groups: dict[str, list[int]] = {}
        for number, request in enumerate(requests):
            groups.setdefault(repr(request.args[1]), []).append(number)
        replies = [""] * len(requests)
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(self.seed)
            for numbers in groups.values():
                settings = requests[numbers[0]].args[1]
                prompts = {n: requests[n].args[0] for n in numbers}
                order = sorted(numbers, key=lambda n: (-len(self.tok_encode(prompts[n])), prompts[n]))
                for part in (order[start : start + self.batch] for start in range(0, len(order), self.batch)):
                    for number, reply in zip(part, self._replies([prompts[n] for n in part], settings), strict=True):
                        replies[number] = reply
                    self.progress(len(part))
        return replies

    def _replies(self, prompts: Sequence[str], settings: dict[str, Any]) -> list[str]:
        """The replies to one batch of prompts under the task's settings."""
        options = dict(normalize_gen_kwargs(settings, LONGEST_REPLY))
        end = self.tokenizer.decode(self.eot_token_id)
        stops = handle_stop_sequences(options.pop("until", None), eos=end)
        room = options.pop("max_gen_toks")
        if room >= self.engine.context:
            raise UserError(f"replies of {room} tokens do not fit a context of {self.engine.context}")
        if not options.get("do_sample"):
            options.pop("temperature", None)
        rows = [self.tok_encode(prompt)[-(self.engine.context - room) :] for prompt in prompts]
        ids, mask = self.engine.pad(rows, left=True)
        stopping = stop_sequences_criteria(self.tokenizer, stops, ids.shape[1], len(rows))
        out = self.engine.model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=room, stopping_criteria=stopping, **options
        )
        texts = (self.tokenizer.decode(row, skip_special_tokens=True) for row in out[:, ids.shape[1] :])
        return [postprocess_generated_text(text, stops, None) for text in texts]
