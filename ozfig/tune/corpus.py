"""Running text as one stream of token ids: the tokenizer's training and the corpus files.

The SentencePiece settings are those under which Transformers and llama.cpp give the same ids: no
dummy prefix, no white-space clean-up, identity normalisation, byte fallback, chat markers as control
symbols.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece

from ozfig import files
from ozfig.errors import UserError

UNK, BOS, EOS, PAD = range(4)
MARKERS = ["<|system|>", "<|user|>", "<|assistant|>"]


@dataclass
class Tokens:
    """A token stream: `ids` of shape (n,), uint16, and the bytes that each vocabulary entry stands for."""

    ids: np.ndarray
    byte_lengths: np.ndarray


@dataclass
class Corpus:
    """The training stream and the held-out one; no document is in both."""

    train: Tokens
    held_out: Tokens


def read_texts(paths: Iterable[Path]) -> Iterator[str]:
    """The `text` field of each row of JSONL files, plain or xz-compressed."""
    for path in paths:
        with (lzma.open if path.suffix == ".xz" else open)(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)["text"]


def train_tokenizer(paths: list[Path], vocabulary: int, target: Path, sample_lines: int = 120_000) -> None:
    """Train a SentencePiece BPE model on lines spread evenly over the corpus and write it to `target`."""
    lines = [line.strip()[:4000] for text in read_texts(paths) for line in text.split("\n") if line.strip()]
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines[:: max(1, len(lines) // sample_lines)]),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocabulary,
            character_coverage=0.9995,
            byte_fallback=True,
            split_digits=True,
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            normalization_rule_name="identity",
            control_symbols=MARKERS,
            max_sentence_length=16_384,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            pad_id=PAD,
            minloglevel=1,
        )
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise UserError(f"the corpus is too small for vocabulary {vocabulary}; take a smaller one ({reason})") from None
    files.write_bytes(target, model.getvalue())


def byte_lengths(processor: sentencepiece.SentencePieceProcessor) -> np.ndarray:
    """UTF-8 bytes that each piece decodes to, shape (vocabulary,); control pieces stand for none."""
    sizes = np.zeros(processor.get_piece_size(), dtype=np.int64)
    for i in range(len(sizes)):
        if processor.is_byte(i):
            sizes[i] = 1
        elif not processor.is_control(i) and not processor.is_unknown(i):
            sizes[i] = len(processor.id_to_piece(i).replace("\u2581", " ").encode())
    return sizes


def is_held_out(text: str, share: float) -> bool:
    """Whether a document is kept for measuring: decided by its own hash, so that order does not matter."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") < share * 2**32


def load(paths: list[Path], tokenizer: Path, folder: Path, held_out_share: float) -> Corpus:
    """Tokenise the corpus once into `folder` (uint16 files, each document between BOS and EOS) and open it."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    sides = {"train": folder / "train.bin", "held_out": folder / "held_out.bin"}
    if not all(path.exists() for path in sides.values()):
        streams: dict[str, list[np.ndarray]] = {side: [] for side in sides}
        for text in read_texts(paths):
            side = "held_out" if is_held_out(text, held_out_share) else "train"
            streams[side].append(np.array([BOS, *processor.encode(text), EOS], dtype=np.uint16))
        for side, path in sides.items():
            files.write_bytes(path, np.concatenate(streams[side]).tobytes())
    sizes = byte_lengths(processor)
    opened = {side: Tokens(np.memmap(path, dtype=np.uint16, mode="r"), sizes) for side, path in sides.items()}
    return Corpus(opened["train"], opened["held_out"])


# every turn ends with EOS; markers are single tokens, so that a template costs four tokens a question
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def save_tokenizer(model: Path, folder: Path, context: int) -> None:
    """Write a SentencePiece model as a Transformers tokenizer with the chat template.

    `tokenizer.model` goes along: llama.cpp's converter reads the vocabulary from it.
    """
    from transformers import LlamaTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    files.write_bytes(folder / "tokenizer.model", model.read_bytes())
    tokenizer = LlamaTokenizer.from_pretrained(
        str(folder),
        add_prefix_space=False,
        add_bos_token=True,
        pad_token="<pad>",
        extra_special_tokens=MARKERS,
        model_max_length=context,
        local_files_only=True,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
