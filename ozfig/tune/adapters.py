"""The weights that are trained: a LoRA adapter on every linear layer, or the whole model.

LoRA: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"; on all linear layers, as
Dettmers et al. 2023 ("QLoRA: Efficient Finetuning of Quantized LLMs") found it needs to match full tuning.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers.pytorch_utils import Conv1D

from ozfig import files
from ozfig.engines.loading import SPAN_HEAD, first_line, load_model, quiet
from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.tune import machine

State = dict[str, torch.Tensor]
TASKS = {"auto": "CAUSAL_LM", "causal": "CAUSAL_LM", "seq2seq": "SEQ_2_SEQ_LM", "span": "QUESTION_ANS"}


def load_base(folder: Path, section: Tune, head: str = "") -> Any:
    """The base in the type that it is trained over: full training starts from the stored weights.

    `head` is the model's (see ModelRef). `section` has its device and precision settled by `machine.resolve`.
    Raises UserError.
    """
    if section.method == "full":
        return load_model(folder, head=head)
    dtype = machine.DTYPES[section.precision]
    if section.method == "lora":
        return load_model(folder, dtype, head)
    four_bits = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return load_model(folder, dtype, head, quantization_config=four_bits, device_map={"": 0})


def attach(model: Any, section: Tune, seed: int) -> Any:
    """Choose what is trained: returns the model with a float32 LoRA adapter, or itself with float32 weights.

    Small updates are lost in bf16, so whatever is trained is float32.
    """
    if section.method == "full":
        return model.float().requires_grad_(True)
    torch.manual_seed(seed)
    config = LoraConfig(
        r=section.rank,
        lora_alpha=section.alpha,
        lora_dropout=section.dropout,
        use_rslora=section.rslora,
        use_dora=section.dora,
        target_modules=linear_layers(model) if section.target_modules == "auto" else section.target_modules,
        # a span head is new, so it is trained whole and saved with the adapter
        exclude_modules=[SPAN_HEAD] if section.head == "span" else None,
        task_type=TASKS[section.head],
    )
    try:
        with quiet():
            return get_peft_model(model, config, autocast_adapter_dtype=True)
    except ValueError as error:
        if section.target_modules == "auto":
            raise
        raise UserError(f"tune.target_modules: {first_line(error)}") from None


def linear_layers(model: Any) -> list[str]:
    """Names of the linear layers but the output layer, without their place in the model."""
    head = model.get_output_embeddings()
    kinds = (torch.nn.Linear, Conv1D)
    found = (name for name, module in model.named_modules() if isinstance(module, kinds) and module is not head)
    return sorted({name.rsplit(".", 1)[-1] for name in found} - {SPAN_HEAD})


def layers_of(model: Any) -> list[str]:
    """Names of the layers that have an adapter; none in full training."""
    configs = getattr(model, "peft_config", {})
    return sorted({name for config in configs.values() for name in config.target_modules})


def save_adapter(
    model: Any, tokenizer: Any, folder: Path, base: str, base_folder: Path, state: State | None = None
) -> None:
    """Write an adapter folder as PEFT lays it out, with the tokenizer; `base` is the name it says it sits on.

    `state` holds the weights where the model does not hold them in one piece.
    """

    def write(part: Path) -> None:
        model.save_pretrained(part, safe_serialization=True, state_dict=state)
        config = files.read_json(part / "adapter_config.json")
        # PEFT keeps the layers as a set, whose order changes from process to process
        config = {k: sorted(v) if isinstance(v, list) else v for k, v in config.items()}
        files.write_json(part / "adapter_config.json", {**config, "base_model_name_or_path": base})
        # a generic card that names the base by its path on this machine
        (part / "README.md").unlink(missing_ok=True)

    _write_folder(folder, write, tokenizer, base_folder)


def save_model(
    model: Any, tokenizer: Any, folder: Path, dtype: torch.dtype, base_folder: Path, state: State | None = None
) -> None:
    """Write a whole model as Transformers lays it out, in the type that its base was stored in; `state` as above."""
    cast = {name: weights.to(dtype) for name, weights in state.items()} if state else None
    write = partial((model if state else model.to(dtype)).save_pretrained, state_dict=cast)
    _write_folder(folder, write, tokenizer, base_folder)


def _write_folder(folder: Path, write: Callable[[Path], None], tokenizer: Any, base_folder: Path) -> None:
    """Fill a neighbour folder, then rename it, so that a folder by this name is always whole."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with quiet():
        write(part)
    tokenizer.save_pretrained(part)
    # converters read a SentencePiece vocabulary from here
    if (base_folder / "tokenizer.model").exists():
        shutil.copyfile(base_folder / "tokenizer.model", part / "tokenizer.model")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
