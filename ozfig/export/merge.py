"""From an adapter over its base to one folder of weights that any tool opens."""

from __future__ import annotations

import shutil
from math import sqrt
from pathlib import Path
from typing import Any

from ozfig import console, files
from ozfig.types import ModelRef

CODE = shutil.ignore_patterns("*.py", "*.bin", "*.pt")
PREFIX, WEIGHTS = "base_model.model.", "adapter_model.safetensors"
# options of PEFT that change what is added, or where, so that PEFT itself has to merge
SPECIAL = {"use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "lora_bias", "layer_replication",
           "trainable_token_indices", "target_parameters", "fan_in_fan_out", "alora_invocation_tokens",
           "use_qalora", "use_bdlora", "megatron_config", "monteclora_config", "kasa_config"}  # fmt: skip
PLAIN_STARTS = (True, False, "gaussian")  # other initial values change the base's weights too


def merge(tuned: ModelRef, folder: Path) -> None:
    """Write the tuned model with its tokenizer to `folder`, in the precision that the base came in.

    The update is added in float32 and rounded once. A fully tuned model is copied as it is, without what could
    run. Raises UserError when adapter and base do not fit.
    """
    if tuned.kind == "transformers":
        shutil.copytree(tuned.path, folder, ignore=CODE)
        return
    base, adapter = Path(tuned.base), Path(tuned.path)
    folder.mkdir(parents=True, exist_ok=True)
    updates = _plain_updates(base, adapter)
    if updates:
        _copy(base, folder)
        _add(updates, adapter, folder)
    else:
        _merge_whole(base, adapter, folder, tuned.head)
    for path in adapter.iterdir():  # the tokenizer that it was trained with, byte by byte
        if path.suffix in {".json", ".model", ".jinja", ".txt"} and not path.name.startswith("adapter_"):
            shutil.copyfile(path, folder / path.name)


def _plain_updates(base: Path, adapter: Path) -> dict[str, Any]:
    """Each adapted module, with its weight's name and place in the base's files.

    Empty where PEFT has to merge: for an adapter that is more than B @ A on weights that lie in the files
    under their modules' names.
    """
    from gguf.utility import SafetensorsLocal

    if not (adapter / WEIGHTS).is_file() or not _is_plain(files.read_json(adapter / "adapter_config.json")):
        return {}
    halves = SafetensorsLocal(adapter / WEIGHTS).tensors
    modules = {key.removesuffix(".lora_A.weight") for key in halves if key.endswith(".lora_A.weight")}
    if halves.keys() != {f"{module}.lora_{side}.weight" for module in modules for side in "AB"}:
        return {}
    places = {n: t for path in sorted(base.glob("*.safetensors")) for n, t in SafetensorsLocal(path).tensors.items()}
    updates = {}
    for module in sorted(modules):
        name = f"{module.removeprefix(PREFIX)}.weight"
        # files of some families leave the model's own prefix out
        found = name if name in places else name.partition(".")[2]
        shape = (halves[f"{module}.lora_B.weight"].shape[0], halves[f"{module}.lora_A.weight"].shape[1])
        if found not in places or tuple(places[found].shape) != shape:
            return {}
        updates[module] = (found, places[found].data_range)
    return updates


def _is_plain(options: dict[str, Any]) -> bool:
    """Whether an adapter's configuration asks for nothing but B @ A."""
    ordinary = options.get("peft_type") == "LORA" and options.get("bias", "none") == "none"
    return ordinary and options.get("init_lora_weights", True) in PLAIN_STARTS and not any(map(options.get, SPECIAL))


def _copy(base: Path, folder: Path) -> None:
    """The base's weights, byte by byte, and its configuration as Transformers writes it."""
    from transformers import AutoConfig

    from ozfig.engines.loading import quiet

    for path in [*base.glob("*.safetensors"), *base.glob("*.safetensors.index.json"), base / "generation_config.json"]:
        if path.exists():
            shutil.copyfile(path, folder / path.name)
    with quiet():
        AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False).save_pretrained(folder)


def _add(updates: dict[str, Any], adapter: Path, folder: Path) -> None:
    """Write base + scale * B @ A over each adapted weight of the copy: one is in memory at a time."""
    import torch
    from safetensors import safe_open

    options = files.read_json(adapter / "adapter_config.json")
    scale = options["lora_alpha"] / (sqrt(options["r"]) if options.get("use_rslora") else options["r"])
    with safe_open(adapter / WEIGHTS, framework="pt") as halves, console.bar("merge", len(updates)) as bar:
        for module, (name, place) in updates.items():
            a, b = (halves.get_tensor(f"{module}.lora_{side}.weight").float() for side in "AB")
            with safe_open(place.filename, framework="pt") as weights:
                weight = weights.get_tensor(name)
            merged = (weight.float() + (b @ a) * scale).to(weight.dtype).contiguous()
            with (folder / place.filename.name).open("r+b") as out:
                out.seek(place.offset)
                out.write(merged.view(torch.uint8).numpy())
            bar.advance()


def _merge_whole(base: Path, adapter: Path, folder: Path, head: str) -> None:
    """Let PEFT add the update to the whole model in memory."""
    import torch
    from transformers import AutoConfig

    from ozfig.engines.loading import load_model, quiet
    from ozfig.engines.transformers import merged

    stored = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False).dtype
    model = merged(load_model(base, torch.float32, head), adapter)
    with quiet():
        model.to(stored or torch.bfloat16).save_pretrained(folder)
