"""What our server costs beside llama.cpp's own: the same GGUF file, slots, threads and requests.

    python -m benchmarks.serve [--gguf FILE ...] [--tokens 64] [--rounds 3] [--requests 3] [--json]

Each server runs in a process of its own. In every round each of them answers `requests` streamed completions for each
client, in turns, so that both see the same machine; the table has the medians over the rounds. The client reads raw
sockets: it takes no part in the difference. Targets: at most 5 % of throughput and 10 ms to the first token.

Without a file two models are measured: the embedded one, which writes a token in about a millisecond, so that what is
done for each token weighs most; and one of the size that laptops serve (135 million random weights).
"""

import argparse
import asyncio
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import torch
from transformers import LlamaConfig, LlamaForCausalLM

PROMPT = "Water is a clear liquid that covers most of the planet. It is"
BARE = """
import sys, time
from ozfig.engines.gguf import LlamaServer
with LlamaServer(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), 1) as server:
    print("at", server.base_url, server.headers["Authorization"], flush=True)
    time.sleep(10**6)
"""
OURS = """
import sys
from ozfig.recipe import Recipe
from ozfig.recipes import parse
from ozfig.serve.app import serve
from ozfig.types import ModelRef
path, context, slots, database = sys.argv[1:]
values = {"serve": {"context": int(context), "parallel": int(slots), "threads": 1, "temperature": 0}}
values["gather"] = {"sources": [{"kind": "documents", "path": "."}]}
serve([ModelRef("gguf", path, "model")], parse(Recipe, values, "benchmark"), port=0, database=database)
"""


@contextmanager
def running(program, *arguments):
    """A server's (host, port, key) while the block runs."""
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-c", program, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield _address(process, log)
        finally:
            process.kill()
            process.wait()


def _address(process, log):
    while process.poll() is None:
        log.seek(0)
        if found := re.search(r"(?:at|API)\s+(http://\S+:\d+)/v1(?: Bearer (\S+))?", log.read()):
            parts = urlsplit(found[1])
            return parts.hostname, parts.port, found[2] or "none"
        time.sleep(0.1)
    log.seek(0)
    raise SystemExit(log.read())


async def ask(server, tokens, number):
    """One streamed completion: seconds to the first token, tokens."""
    host, port, key = server
    body = json.dumps(
        {
            "prompt": f"{number}. {PROMPT}",
            "max_tokens": tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
            "logit_bias": {"2": -100},
        }
    ).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(head.encode() + body)
    first, data = 0.0, b""
    while part := await reader.read(65536):
        data += part
        if not first and b"data: {" in data:
            first = time.perf_counter() - began
    writer.close()
    if not first:
        raise SystemExit(data.decode())
    return first, int(re.findall(rb'"completion_tokens": ?(\d+)', data)[-1])


async def measure(server, clients, requests, tokens):
    """Tokens a second of all clients together, and the median of milliseconds to the first token."""

    async def client(number):
        return [await ask(server, tokens, number * requests + i) for i in range(requests)]

    began = time.perf_counter()
    rows = [row for part in await asyncio.gather(*map(client, range(clients))) for row in part]
    seconds = time.perf_counter() - began
    return sum(n for _, n in rows) / seconds, 1000 * statistics.median(first for first, _ in rows)


async def wait(server):
    """Until a server's model answers."""
    while True:
        try:
            await ask(server, 1, 0)
            return
        except (SystemExit, OSError):
            await asyncio.sleep(0.2)


def compare(model, servers, given):
    """A row for each number of clients."""
    rows = []
    for clients in given.clients:
        found = {name: [] for name in servers}
        for number in range(given.rounds + 1):  # the first round warms both up
            for name in sorted(servers, reverse=number % 2 == 0):
                found[name].append(asyncio.run(measure(servers[name], clients, given.requests, given.tokens)))
        speed, first = (
            {name: statistics.median(row[i] for row in rounds[1:]) for name, rounds in found.items()} for i in (0, 1)
        )
        rows.append(
            {
                "model": model,
                "clients": clients,
                "requests": given.requests * clients * given.rounds,
                "bare_tokens_s": round(speed["bare"], 1),
                "ozfig_tokens_s": round(speed["ozfig"], 1),
                "overhead_percent": round(100 * (1 - speed["ozfig"] / speed["bare"]), 1),
                "bare_first_ms": round(first["bare"], 1),
                "ozfig_first_ms": round(first["ozfig"], 1),
                "added_first_ms": round(first["ozfig"] - first["bare"], 1),
            }
        )
    return rows


def made(folder):
    """The embedded model, and one of the shape of SmolLM2 135M with random weights and its tokenizer, as GGUF files."""
    import ozfig

    pebble, larger = Path(ozfig.__file__).parent / "models" / "pebble", Path(folder) / "larger"
    shutil.copytree(pebble, larger)
    shape = {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9}
    config = LlamaConfig.from_pretrained(pebble, **shape, num_key_value_heads=3, head_dim=64)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(larger)
    return [_as_gguf(pebble, Path(folder) / "pebble.gguf"), _as_gguf(larger, Path(folder) / "135M.gguf")]


def _as_gguf(model, path):
    command = [sys.executable, "-m", "convert_hf_to_gguf", str(model), "--outfile", str(path), "--outtype", "f16"]
    subprocess.run(command, check=True, capture_output=True)
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gguf", type=Path, nargs="+")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows, shape = [], (given.context, given.slots)
        for path in given.gguf or made(folder):
            with running(BARE, path, *shape) as bare, running(OURS, path, *shape, Path(folder) / "chat.db") as ours:
                servers = {"bare": bare, "ozfig": ours}
                for server in servers.values():
                    asyncio.run(wait(server))
                rows += compare(path.stem, servers, given)
    if given.json:
        print(json.dumps({"rows": rows}))
    else:
        for row in rows:
            print(*(f"{name} {value}" for name, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()
