"""Models and tokenizers out of local folders: the one way in, for training, merging and measuring."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForQuestionAnswering, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.utils import logging

from ozfig import prompts
from ozfig.errors import UserError

AUTO = {"": AutoModelForCausalLM, "seq2seq": AutoModelForSeq2SeqLM, "span": AutoModelForQuestionAnswering}
CALLED = {"": "causal language model", "seq2seq": "encoder-decoder", "span": "encoder"}
SPAN_HEAD = "qa_outputs"  # the only part that may be new
UNSTATED_CONTEXT = 2048  # tokens, where neither configuration nor tokenizer states a limit


@contextmanager
def quiet(silent: bool = False) -> Iterator[None]:
    """Keep Transformers' bars and its notices for developers off the terminal within the block.

    `silent`: its warnings too.
    """
    had_bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    if silent:
        logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bars:
            logging.enable_progress_bar()


def load_model(folder: Path, dtype: torch.dtype | str = "auto", head: str = "", **options: Any) -> Any:
    """A model of a local folder with a head (causal where none is named), from safetensors only.

    A head that the folder has no weights for, as that of an encoder that was never tuned to mark answers, starts
    from the same random ones every time. `options` are passed on to Transformers, for weights of fewer bits.
    Raises UserError when there is no such model.
    """
    try:
        with quiet(silent=head == "span"), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model, found = AUTO[head].from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                **options,
            )
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no {CALLED[head]} in safetensors: {first_line(error)}") from None
    if head == "span" and (missing := [k for k in found["missing_keys"] if not k.startswith(SPAN_HEAD)]):
        raise UserError(f"{folder}: weights are missing, {sorted(missing)[0]} first of {len(missing)}")
    return model


def load_tokenizer(folder: Path, template: str = "", head: str = "") -> Any:
    """The tokenizer of a local folder. Raises UserError.

    `template`, a name that prompts knows or Jinja text, takes the place of its chat template; where it brings
    none, questions and answers are written as such for a causal model, and plainly for other heads.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no tokenizer that can be read: {first_line(error)}") from None
    if template:
        tokenizer.chat_template = prompts.template(template)
    elif not tokenizer.chat_template:
        tokenizer.chat_template = prompts.PLAIN if head else prompts.QUESTION_ANSWER
    return tokenizer


def context_length(config: Any, tokenizer: Any) -> int:
    """The most tokens that a model reads, by its configuration or else by its tokenizer."""
    stated = getattr(config.get_text_config(), "max_position_embeddings", None)
    # tokenizers without a limit state a huge number
    return int(stated or min(tokenizer.model_max_length, UNSTATED_CONTEXT))


def free_memory() -> None:
    """Give a model's memory back before the next one is opened."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two sequences share from their start."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def first_line(error: Exception) -> str:
    """What a library says went wrong, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
