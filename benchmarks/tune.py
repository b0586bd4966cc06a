"""Tokens a second of LoRA training, and what the held-out loss comes to: TRL's defaults, TRL's best, ozfig.

    python -m benchmarks.tune [--rows 120] [--epochs 1] [--seeds 3] [--threads 2] [--json]

The same model (pebble, or --model), Alpaca rows, rank, learning rate and tokens a step; real tokens are counted
for all, padding for none. Each seed runs the contenders one after another, so that a busy machine slows all
of them. The held-out loss is measured by one function, over the same rows, on the adapters as PEFT opens them.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch
from datasets import Dataset as Table
from peft import LoraConfig, PeftModel
from trl import SFTConfig, SFTTrainer

import ozfig
from ozfig import formats
from ozfig.engines.loading import load_model, load_tokenizer
from ozfig.recipe import Dataset, Tune
from ozfig.tune import adapters, losses, machine, tokens, trainer
from ozfig.tune.plan import batch

DATA = Path(os.environ.get("OZFIG_DATA", Path(__file__).parents[2] / "shared" / "data"))
PEBBLE = Path(ozfig.__file__).parent / "models" / "pebble"
TOGETHER = 8  # TRL counts rows, not tokens: so many go through the model at once
# TRL's own defaults, and each of the settings that it offers for speed
SETTINGS = {
    "trl defaults": {},
    "trl grouped by length": {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length"},
    "trl packing": {"gradient_checkpointing": False, "packing": True, "max_length": 512},
}


def trl(name, given, examples, seed, folder):
    """Train with TRL; returns the seconds of its loop and of the processor."""
    tokenizer = load_tokenizer(given.model)
    rows = [{"prompt": turns(e.messages[:-1]), "completion": turns(e.messages[-1:])} for e in examples]
    per_step = given.batch_rows if name != "trl packing" else max(1, given.batch_tokens // 512)
    together = min(TOGETHER, per_step)
    config = SFTConfig(
        output_dir=str(folder),
        num_train_epochs=given.epochs,
        per_device_train_batch_size=together,
        gradient_accumulation_steps=max(1, round(per_step / together)),
        learning_rate=given.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.03,
        bf16=machine.has_fast_bf16("cpu"),
        use_cpu=True,
        seed=seed,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_steps=10**9,
        **SETTINGS[name],
    )
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = load_model(given.model, torch.bfloat16 if machine.has_fast_bf16("cpu") else torch.float32)
    made = SFTTrainer(
        model, args=config, train_dataset=Table.from_list(rows), processing_class=tokenizer, peft_config=lora
    )
    began, used = time.monotonic(), time.process_time()
    made.train()
    seconds = time.monotonic() - began, time.process_time() - used
    made.save_model(str(folder / "adapter"))
    return seconds


def turns(messages):
    """Messages as TRL takes them."""
    return [{"role": m.role, "content": m.content} for m in messages]


def own(name, given, examples, seed, folder):
    """Train with ozfig; returns the seconds of its loop, trials of the model included, and of the processor."""
    section = Tune(
        epochs=given.epochs, batch_tokens=given.batch_tokens, learning_rate=given.learning_rate, device="cpu"
    )
    section, tokenizer = machine.resolve(section), load_tokenizer(given.model)
    data = tokens.encode_all(examples, tokenizer, section, "", 1024)
    model = adapters.attach(adapters.load_base(given.model, section), section, seed)
    began, used = time.monotonic(), time.process_time()
    trainer.train(model, tokenizer, data, section, folder, seed)
    seconds = time.monotonic() - began, time.process_time() - used
    adapters.save_adapter(model, tokenizer, folder / "adapter", "base", given.model)
    return seconds


@torch.no_grad()
def held_out_loss(given, rows, folder):
    """Nats a trained token under an adapter, or under the base where there is none."""
    model = load_model(given.model, torch.float32)
    model = (PeftModel.from_pretrained(model, folder / "adapter") if folder else model).eval()
    score, total = losses.Loss(None, None), 0.0
    for row in rows:
        inputs = batch([[row]])
        labels = inputs.pop("labels")
        total += float(score(model(**inputs), labels, 1))
    return total / sum(row.trained for row in rows)


def compared(given, contenders):
    """Rates and losses of each contender over the seeds."""
    tokenizer = load_tokenizer(given.model)
    found = list(formats.examples(Dataset(path=str(DATA / "instructions/alpaca/alpaca_data.json.gz"))))
    found = sorted(found, key=lambda e: e.id)
    encoded = [(e, tokens.encode(tokenizer, e.messages)[0]) for e in found[: 3 * (given.rows + given.held_out)]]
    fitting = [(e, row) for e, row in encoded if 30 <= len(row.ids) <= 500]
    train, held = fitting[: given.rows], [row for _, row in fitting[given.rows : given.rows + given.held_out]]
    size = sum(len(row.ids) for _, row in train)
    given.batch_rows = max(1, round(given.batch_tokens * len(train) / size))
    runs = {name: [] for name in contenders}
    for seed in range(1, given.seeds + 1):
        for name in contenders:
            with tempfile.TemporaryDirectory() as folder:
                train_with = own if name == "ozfig" else trl
                seconds, used = train_with(name, given, [e for e, _ in train], seed, Path(folder))
                done = size * given.epochs
                runs[name].append((done / seconds, done / used, held_out_loss(given, held, Path(folder))))
    base = held_out_loss(given, held, None)
    table = [{"name": "base", "tokens_per_second": None, "loss": round(base, 4)}]
    for name, found in runs.items():
        rates, by_processor, nats = ([round(x, 4) for x in column] for column in zip(*found, strict=True))
        table.append(
            {
                "name": name,
                "tokens_per_second": round(statistics.mean(rates), 1),
                "tokens_per_cpu_second": round(statistics.mean(by_processor), 1),
                "loss": round(statistics.mean(nats), 4),
                "rates": rates,
                "losses": nats,
            }
        )
    return {"rows": table, "train_rows": len(train), "train_tokens": size, "held_out_rows": len(held)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, default=PEBBLE)
    parser.add_argument("--rows", type=int, default=120)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", nargs="*", default=[*SETTINGS, "ozfig"])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    found = compared(given, given.only)
    if given.json:
        print(json.dumps(found))
        return
    print(f"{found['train_rows']} rows, {found['train_tokens']:,} tokens, {given.epochs} epochs, {given.seeds} seeds")
    for row in found["rows"]:
        rates = "".join(f"{row.get(f'tokens_per_{x}') or 0:>9,.0f}" for x in ("second", "cpu_second"))
        print(f"{row['name']:<22}{rates} tokens a second and a processor's second   held-out loss {row['loss']:.4f}")


if __name__ == "__main__":
    main()
