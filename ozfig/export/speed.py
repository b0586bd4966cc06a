"""How quickly llama.cpp reads a prompt and writes a reply with an exported file, on the machine that made it."""

from __future__ import annotations

import statistics
from pathlib import Path

from ozfig.engines.gguf import LlamaServer, trained_context

NAME = "speed.json"  # beside the files and never hashed: a time is another one every time
READ, WRITTEN, ROUNDS = 128, 64, 3


def measure(path: Path) -> dict[str, float]:
    """Tokens a second of one reader alone, `read` and `written`: medians of a few rounds, with the server's defaults.

    Raises UserError for a file that llama.cpp refuses.
    """
    room = trained_context(path)
    read, written = min(READ, room // 2), min(WRITTEN, room // 4)
    asked = {"n_predict": written, "ignore_eos": True, "temperature": 0, "cache_prompt": False}
    with LlamaServer(path, min(room, 2 * (READ + WRITTEN)), slots=1) as server:
        ids = server.tokenize("The tide comes in twice a day. " * READ)[:read]
        rounds = [server.post("/completion", prompt=ids, **asked)["timings"] for _ in range(ROUNDS)]
    return {
        "read": round(statistics.median(row["prompt_per_second"] for row in rounds), 1),
        "written": round(statistics.median(row["predicted_per_second"] for row in rounds), 1),
    }
