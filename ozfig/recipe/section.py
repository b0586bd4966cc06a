"""What every part of a recipe obeys: unknown keys are errors, other tools' names are understood."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from ozfig import console

ALIASES = {
    "lora_r": "rank",
    "r": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "num_epochs": "epochs",
    "num_train_epochs": "epochs",
    "lr": "learning_rate",
    "max_seq_length": "max_length",
    "max_seq_len": "max_length",
    "cutoff_len": "max_length",
    "base_model": "base",
    "model_name_or_path": "base",
    "system_prompt": "system",
    "quantization": "quant",
    "sample_packing": "packing",
    "val_set_size": "share",
    "from": "general_from",
}
OWN_ALIASES = {"from"}  # recipes may say it; only Python cannot


class Section(BaseModel):
    """A part of a recipe: unknown keys are errors, docstrings are help texts."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _known_aliases(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        renamed = {}
        for key, value in values.items():
            name = ALIASES.get(key, key) if key not in cls.model_fields else key
            if name != key and name in cls.model_fields:
                if key not in OWN_ALIASES:
                    console.warn(f"recipe: {key} is read as {name}")
                key = name
            renamed[key] = value
        return renamed
