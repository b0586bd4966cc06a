"""From an adapter over its base to one folder of weights that any tool opens."""

from __future__ import annotations

import shutil
from pathlib import Path

from ozfig.types import ModelRef

CODE = shutil.ignore_patterns("*.py", "*.bin", "*.pt")


def merge(tuned: ModelRef, folder: Path) -> None:
    """Write the tuned model with its tokenizer to `folder`, in the precision that the base came in.

    The update is added in float32 and rounded once. A fully tuned model is copied as it is, without what could
    run. Raises UserError when adapter and base do not fit.
    """
    if tuned.kind == "transformers":
        shutil.copytree(tuned.path, folder, ignore=CODE)
        return
    import torch
    from transformers import AutoConfig

    from ozfig.engines.loading import load_model, quiet
    from ozfig.engines.transformers import merged

    stored = AutoConfig.from_pretrained(tuned.base, local_files_only=True, trust_remote_code=False).dtype
    model = merged(load_model(Path(tuned.base), torch.float32, tuned.head), Path(tuned.path))
    with quiet():
        model.to(stored or torch.bfloat16).save_pretrained(folder)
    for path in Path(tuned.path).iterdir():  # the tokenizer that it was trained with, byte by byte
        if path.suffix in {".json", ".model", ".jinja", ".txt"} and not path.name.startswith("adapter_"):
            shutil.copyfile(path, folder / path.name)
