"""Texts on which tokenizers come apart: spaces, scripts, combining letters, emoji, numbers, code and markers."""

from __future__ import annotations

import random
from collections.abc import Sequence

COUNT, SEED = 240, 7
# what has gone wrong before
KNOWN = [
    "Hello world", " leading space", "trailing space ", "two  spaces", "   ", "\n", "\t", "line\nbreak\n\n", "\r\n",
    "emoji 😀👩\u200d👩\u200d👧", "Zürich – “quotes” …", "£1,250.00", "a@b.example", "<0x0A>", "don't won't I'm",
    "http://tidewater.example/?q=1&x=%20", "\u00a0nbsp", "e\u0301 combining", "\u200bzero width", "C:\\path\\file",
    "$E = mc^2$", "x" * 70,
]  # fmt: skip
# first and last letter of some scripts and of signs that byte fallback has to spell
RANGES = ["az", "AZ", "09", "àÿ", "αω", "ая", "את", "غي", "अह", "กฮ", "가힣", "一龥", "ぁん", "←⇿", "😀🙏", "!/", "!~"]
JOINTS = [" ", "  ", "   ", "\n", "\n\n", " \n", "\t", "", ", ", "'s ", "-", "_", "://", "\u00a0", "\u200d", "\u0301"]
# markers of chat formats: text to most models, tokens to some
MARKERS = [
    "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "[INST]", "[/INST]", "<unk>", "<pad>",
    "<start_of_turn>", "<|user|>", "<|assistant|>", "### Instruction:",
]  # fmt: skip


def texts(special: Sequence[str]) -> list[str]:
    """The known texts, then seeded ones; `special` are the tokenizer's own markers."""
    rng = random.Random(SEED)
    made = [_mixed(rng, [*MARKERS, *special]) for _ in range(COUNT)]
    return list(dict.fromkeys([*KNOWN, *made]))


def _mixed(rng: random.Random, markers: Sequence[str]) -> str:
    """A few words of some scripts, joined by spaces and the like, at times with a marker among them."""
    words = [_word(rng) for _ in range(rng.randint(1, 6))]
    if rng.random() < 0.4:
        words.insert(rng.randrange(len(words) + 1), rng.choice(markers))
    text = "".join(word + rng.choice(JOINTS) for word in words)
    return rng.choice(["", "", " ", "\n"]) + text.rstrip(rng.choice(["", " ", "\n"]))


def _word(rng: random.Random) -> str:
    """Some letters of one script."""
    ends = rng.choice(RANGES)
    return "".join(chr(rng.randint(ord(ends[0]), ord(ends[1]))) for _ in range(rng.randint(1, 8)))
