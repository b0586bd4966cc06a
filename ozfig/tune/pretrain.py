"""Train a small Llama from scratch: how the embedded base model `pebble` is made.

    ozfig pretrain recipes/pebble.yaml

Wide and shallow, bf16 weights with float32 masters, Muon for the hidden matrices and AdamW for the
rest (Jordan et al. 2024, "Muon: an optimizer for hidden layers"), a constant learning rate with a
linear decay at the end (Hägele et al. 2024), so that more tokens can be added to a run that stands.
Batch number s is a function of the seed and s alone: a killed training continues to the same weights.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

from ozfig import console, files
from ozfig.errors import UserError
from ozfig.recipe import Pretrain
from ozfig.tune import corpus
from ozfig.tune.tokens import IGNORED

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM


class MasterOptimizer:
    """Muon and AdamW over float32 copies of a model's bf16 weights.

    Without the copies a bf16 weight swallows every update smaller than 1/256 of itself.
    """

    def __init__(self, model: LlamaForCausalLM, muon_lr: float, adam_lr: float) -> None:
        self.weights = dict(model.named_parameters())
        self.masters = {name: p.detach().float().clone() for name, p in self.weights.items()}
        hidden = [n for n, p in self.weights.items() if p.ndim == 2 and "embed" not in n and "lm_head" not in n]
        rest = [n for n in self.weights if n not in set(hidden)]
        self.parts: list[tuple[list[str], torch.optim.Optimizer, float]] = [
            (hidden, torch.optim.Muon([self.masters[n] for n in hidden], lr=muon_lr, weight_decay=0.01), muon_lr),
            (
                rest,
                torch.optim.AdamW([self.masters[n] for n in rest], lr=adam_lr, betas=(0.9, 0.95), weight_decay=0.0),
                adam_lr,
            ),
        ]

    @torch.no_grad()
    def step(self, scale: float, clip: float = 1.0) -> float:
        """Update the weights from their gradients, with both learning rates times `scale`; returns the norm."""
        for name, weight in self.weights.items():
            self.masters[name].grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None
        norm = torch.nn.utils.clip_grad_norm_(self.masters.values(), clip)
        for _, optimizer, rate in self.parts:
            optimizer.param_groups[0]["lr"] = rate * scale
            optimizer.step()
        for name, weight in self.weights.items():
            weight.copy_(self.masters[name])
        return float(norm)

    def state(self) -> dict[str, torch.Tensor]:
        """Everything that the next step depends on, as flat tensors: safetensors holds nothing else."""
        tensors = {f"master.{name}": value for name, value in self.masters.items()}
        for names, optimizer, _ in self.parts:
            for name in names:
                for key, value in optimizer.state[self.masters[name]].items():
                    tensors[f"{key}.{name}"] = torch.as_tensor(value)
        return tensors

    @torch.no_grad()
    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        """Undo `state`: masters, moments and the model's own weights."""
        for name, master in self.masters.items():
            master.copy_(tensors[f"master.{name}"])
            self.weights[name].copy_(master)
        for names, optimizer, _ in self.parts:
            for name in names:
                found = {k.split(".", 1)[0]: v for k, v in tensors.items() if k.split(".", 1)[1] == name}
                found.pop("master")
                optimizer.state[self.masters[name]] = {k: v.clone() for k, v in found.items()}


def build_model(section: Pretrain) -> LlamaForCausalLM:
    """A fresh Llama of the recipe's sizes, in bf16, with tied embeddings."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(section.seed)
    config = LlamaConfig(
        vocab_size=section.vocabulary,
        hidden_size=section.width,
        num_hidden_layers=section.layers,
        intermediate_size=section.feed_forward,
        num_attention_heads=section.heads,
        num_key_value_heads=section.kv_heads,
        max_position_embeddings=section.context,
        tie_word_embeddings=True,
        bos_token_id=corpus.BOS,
        eos_token_id=corpus.EOS,
        pad_token_id=corpus.PAD,
    )
    return LlamaForCausalLM(config).to(torch.bfloat16)


def token_losses(model: LlamaForCausalLM, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy in nats of every label, shape (rows * length,); 0 where the label is ignored.

    `labels[i, t]` is the token that follows `ids[i, t]`: the shift is done by the caller.
    """
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden.flatten(0, 1)).float()
    return cross_entropy(logits, labels.flatten(), ignore_index=IGNORED, reduction="none")


def text_batches(section: Pretrain, tokens: np.ndarray, start: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches from step `start` on: windows of the token stream in an order drawn once from the seed."""
    windows = (len(tokens) - 1) // section.context
    order = np.random.default_rng(section.seed).permutation(windows)
    per_step = section.batch_tokens // section.context
    for step in range(start, section.steps):
        length = section.length_at(step)
        picked = order[(np.arange(per_step) + step * per_step) % windows]
        spans = np.stack([tokens[w * section.context : (w + 1) * section.context + 1] for w in picked]).astype(np.int64)
        ids, labels = torch.from_numpy(spans[:, :-1]), torch.from_numpy(spans[:, 1:])
        yield ids.reshape(-1, length), labels.reshape(-1, length)


@torch.no_grad()
def bits_per_byte(model: LlamaForCausalLM, held_out: corpus.Tokens, context: int, limit: int) -> tuple[float, float]:
    """Held-out bits per UTF-8 byte and its standard error over windows of `context` tokens.

    At most `limit` tokens are read. The ratio's error is by the delta method, windows being the units.
    """
    windows = min(limit, len(held_out.ids) - 1) // context
    device = next(model.parameters()).device
    nats, sizes = [], []
    for w in range(windows):
        span = torch.from_numpy(held_out.ids[w * context : (w + 1) * context + 1].astype(np.int64)).to(device)
        nats.append(float(token_losses(model, span[None, :-1], span[None, 1:]).sum()))
        sizes.append(float(held_out.byte_lengths[span[1:].cpu().numpy()].sum()))
    bits, size = np.array(nats) / math.log(2), np.array(sizes)
    ratio = bits.sum() / size.sum()
    residuals = bits - ratio * size
    return float(ratio), float(residuals.std(ddof=1) * math.sqrt(windows) / size.sum())


def scale_at(section: Pretrain, step: int) -> float:
    """The learning rates' factor at a step: a short warm-up, level ground, a straight line to zero."""
    decay = section.steps * section.decay
    return min((step + 1) / section.warmup_steps, 1.0, (section.steps - step) / max(decay, 1))


def save_checkpoint(folder: Path, optimizer: MasterOptimizer, step: int) -> None:
    """Write masters and moments, then their step; a crash between two files leaves the old pair in force."""
    name = f"state-{step}.safetensors"
    save_file({k: v.contiguous().cpu() for k, v in optimizer.state().items()}, folder / f"{name}.part")
    (folder / f"{name}.part").rename(folder / name)
    files.write_text(folder / "state.json", json.dumps({"step": step, "file": name}))
    for old in folder.glob("state-*.safetensors"):
        if old.name != name:
            old.unlink()


def load_checkpoint(folder: Path, optimizer: MasterOptimizer) -> int:
    """Return the next step: 0 without a checkpoint."""
    if not (folder / "state.json").exists():
        return 0
    state = json.loads((folder / "state.json").read_text())
    optimizer.load(load_file(folder / state["file"]))
    return int(state["step"])


def train_text(section: Pretrain, model: LlamaForCausalLM, data: corpus.Corpus, folder: Path) -> dict[str, Any]:
    """Train on running text until the recipe's tokens are used up; returns the held-out figures."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    optimizer = MasterOptimizer(model, section.muon_learning_rate, section.adam_learning_rate)
    start = load_checkpoint(folder, optimizer)
    compiled = section.compile is True or (section.compile == "auto" and shutil.which("c++") is not None)
    losses = torch.compile(token_losses) if compiled else token_losses
    saved = logged = time.monotonic()
    with console.bar("pretrain", total=section.steps * section.batch_tokens, unit="tokens") as bar:
        bar.advance(start * section.batch_tokens)
        for step, (ids, labels) in enumerate(text_batches(section, data.train.ids, start), start):
            loss = losses(model, ids.to(device), labels.to(device)).mean()
            loss.backward()
            optimizer.step(scale_at(section, step))
            bar.advance(section.batch_tokens, loss=f"{loss.item():.3f}")
            if step % 10 == 9:
                row = {"step": step + 1, "loss": round(loss.item(), 4), "seconds": round(time.monotonic() - logged, 2)}
                files.append_line(folder / "log.jsonl", row)
                logged = time.monotonic()
            if step % section.eval_steps == section.eval_steps - 1:
                bits, error = bits_per_byte(model, data.held_out, section.context, 65_536)
                files.append_line(folder / "log.jsonl", {"step": step + 1, "bits_per_byte": bits, "stderr": error})
            if time.monotonic() - saved > section.checkpoint_minutes * 60:
                save_checkpoint(folder, optimizer, step + 1)
                saved = time.monotonic()
    save_checkpoint(folder, optimizer, section.steps)
    bits, error = bits_per_byte(model, data.held_out, section.context, len(data.held_out.ids))
    return {"bits_per_byte": bits, "stderr": error, "held_out_tokens": len(data.held_out.ids)}


def _check_same(section: Pretrain, paths: list[Path], note: Path) -> None:
    """Note what a folder is made from; more tokens may follow. Raises UserError where it was begun otherwise."""
    free = {"tokens", "checkpoint_minutes", "eval_steps", "compile", "instruct"}
    fixed = section.model_dump(mode="json", exclude=free) | {"corpus": [files.sha256_path(path) for path in paths]}
    identity = files.sha256_value(fixed)
    if note.exists() and files.read_json(note) != identity:
        raise UserError(f"{note.parent}: begun with another corpus or other options; remove it or choose another name")
    files.write_json(note, identity)


def pretrain(section: Pretrain, folder: Path) -> dict[str, Any]:
    """Make tokenizer and model in `folder`; what is there is kept, so a killed run continues.

    Returns the model's folder and its figures: held-out bits per byte with standard error, tokens, parameters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [Path(path) for path in section.corpus]
    _check_same(section, paths, folder / "identity.json")
    tokenizer = folder / "tokenizer.model"
    if not tokenizer.exists():
        console.say("  training the tokenizer")
        corpus.train_tokenizer(paths, section.vocabulary, tokenizer)
    data = corpus.load(paths, tokenizer, folder, section.held_out_share)
    model = build_model(section)
    figures = train_text(section, model, data, folder)
    target = folder / "model"
    model.cpu().save_pretrained(target)
    corpus.save_tokenizer(tokenizer, target, section.context)
    figures |= {
        "model": str(target),
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens": section.steps * section.batch_tokens,
        "corpus_tokens": len(data.train.ids),
    }
    files.write_json(folder / "figures.json", figures)
    return figures
