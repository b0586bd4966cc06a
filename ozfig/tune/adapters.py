"""The weights that are trained: a LoRA adapter on every linear layer, or the whole model.

LoRA: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"; on all linear layers, as
Dettmers et al. 2023 found it needs to match full tuning.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from ozfig import files
from ozfig.engines.loading import quiet
from ozfig.recipe import Tune

TASKS = {"auto": "CAUSAL_LM", "causal": "CAUSAL_LM", "seq2seq": "SEQ_2_SEQ_LM", "span": "QUESTION_ANS"}


def has_fast_bf16() -> bool:
    """Whether matrix products are quicker in bf16 here than in float32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


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
        target_modules="all-linear",
        # a span head is new, so it is trained whole and saved with the adapter
        exclude_modules=["qa_outputs"] if section.head == "span" else None,
        task_type=TASKS[section.head],
    )
    with quiet():
        return get_peft_model(model, config, autocast_adapter_dtype=True)


def save_adapter(model: Any, tokenizer: Any, folder: Path, base: str, base_folder: Path) -> None:
    """Write an adapter folder as PEFT lays it out, with the tokenizer; `base` is the name it says it sits on."""

    def write(part: Path) -> None:
        model.save_pretrained(part, safe_serialization=True)
        config = files.read_json(part / "adapter_config.json")
        # PEFT keeps the layers as a set, whose order changes from process to process
        config = {k: sorted(v) if isinstance(v, list) else v for k, v in config.items()}
        files.write_json(part / "adapter_config.json", {**config, "base_model_name_or_path": base})
        # a generic card that names the base by its path on this machine
        (part / "README.md").unlink(missing_ok=True)

    _write_folder(folder, write, tokenizer, base_folder)


def save_model(model: Any, tokenizer: Any, folder: Path, dtype: torch.dtype, base_folder: Path) -> None:
    """Write a whole model as Transformers lays it out, in the type that its base was stored in."""
    _write_folder(folder, model.to(dtype).save_pretrained, tokenizer, base_folder)


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
