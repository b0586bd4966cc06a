"""llama.cpp's own server inside this process: no compiler, no other program, continuous batching.

Protocol: llama.cpp's HTTP server (OpenAI's paths under /v1, /tokenize, /apply-template, /completion with n_probs).
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from ozfig.errors import UserError

QUIET = -1
PROMPT_CACHE_MB = 512
STOP_SECONDS = 2  # an open stream notices only at its next sign of life that the server has stopped
MB_PER_THREAD = 16  # of weights; with less to do, threads wait for each other longer than they compute


NextToken = tuple[int, dict[int, float]]  # a token, and log-probabilities in nats of the likeliest in its place


class LlamaServer:
    """A GGUF file being served on a free loopback port while the `with` block runs."""

    def __init__(
        self, path: str | Path, context: int = 0, slots: int = 4, threads: int = 0, exact: bool = False
    ) -> None:
        """`context` is the tokens of one conversation (0: the model's own), `slots` how many run side by side.

        `threads` compute; 0 takes as many as there are cores and the model has work for. `exact` keeps attention's
        keys and values in float32: slower and larger, to be compared with another implementation.
        """
        self.exact = exact
        self.path, self.context, self.slots, self.threads = Path(path), context, slots, threads
        self.base_url = ""
        # llama.cpp lets pages of every site read its replies, so only who holds this key is answered
        self.key = secrets.token_urlsafe(24)
        self.headers = {"Authorization": f"Bearer {self.key}"}
        self._server: Any = None
        # kept open: setting one up costs more than most answers take
        self._client = httpx.Client(headers=self.headers, timeout=600, trust_env=False)

    def __enter__(self) -> Self:
        """Start the server and wait until the model is loaded. Raises UserError for a file that llama.cpp refuses."""
        import xllamacpp

        if not self.path.is_file():
            raise UserError(f"{self.path}: no such file")
        context = self.context or trained_context(self.path)
        params = xllamacpp.CommonParams()
        params.model.path = str(self.path)
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.n_ctx = context * self.slots
        params.n_parallel = self.slots
        params.cache_ram_mib = PROMPT_CACHE_MB
        for pool in (params.cpuparams, params.cpuparams_batch):
            pool.n_threads = self.threads or threads_for(self.path)
            pool.poll = 0  # threads that spin while they wait stand still when another program wants their core
        if self.exact:
            params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
            params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.api_keys = [self.key]
        params.use_jinja = True
        params.ui = False
        params.sse_ping_interval = STOP_SECONDS
        params.verbosity = QUIET
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise UserError(f"{self.path}: llama.cpp cannot load it: {error}") from None
        self.base_url = f"{self._server.listening_address}/v1"
        # a server that is stopped before its queue runs never ends; this question is answered by the queue
        self._request("GET", "/slots")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server: it ends with its object."""
        self._client.close()
        self._server = None

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """One request to llama.cpp's own paths, such as /tokenize."""
        result: dict[str, Any] = self._request("POST", path, json=body)
        return result

    def _request(self, method: str, path: str, **how: Any) -> Any:
        url = self.base_url.removesuffix("/v1") + path
        reply = self._client.request(method, url, **how)
        reply.raise_for_status()
        return reply.json()

    def tokenize(self, text: str, special: bool = True) -> list[int]:
        """Token ids of a text without added markers; `special` reads markers in it as tokens."""
        return list(self.post("/tokenize", content=text, add_special=False, parse_special=special)["tokens"])

    def continuation(self, ids: list[int], length: int, count: int = 5) -> tuple[list[NextToken], bool]:
        """The greedy continuation of a prompt by at most `length` tokens, and whether an end marker ended it.

        Each token comes with the `count` likeliest in its place. The server says nothing of a token that leaves a
        character unfinished: that one has none, and the continuation stops at it.
        """
        body = {"n_predict": length, "n_probs": count, "return_tokens": True, "temperature": 0, "cache_prompt": False}
        reply = self.post("/completion", prompt=ids, **body)
        rows = iter(reply.get("completion_probabilities", []))
        places: list[NextToken] = []
        row = next(rows, None)
        for token in reply["tokens"]:
            if row is None or row["id"] != token:
                return [*places, (token, {})], False
            places.append((token, {each["id"]: each["logprob"] for each in row["top_logprobs"]}))
            row = next(rows, None)
        return places, reply["stop_type"] == "eos"


def threads_for(path: Path) -> int:
    """How many threads a file's weights keep busy on this machine."""
    return max(1, min(os.cpu_count() or 1, path.stat().st_size // (MB_PER_THREAD * 2**20)))


def trained_context(path: Path) -> int:
    """The context length that a GGUF file declares, in tokens. Raises UserError for a file that is broken."""
    if length := _numbers(path).get("context_length"):
        return length
    raise UserError(f"{path}: the GGUF file declares no context length")


def cache_bytes(path: Path, tokens: int) -> int:
    """Bytes of keys and values (16 bits each) for so many tokens, at most as many as the model reads.

    Raises UserError for a file that is broken.
    """
    found = _numbers(path)
    heads = found.get("attention.head_count", 1)
    width = found.get("embedding_length", 0) // heads * found.get("attention.head_count_kv", heads)
    return 2 * 2 * found.get("block_count", 0) * width * min(tokens, found.get("context_length", tokens))


def _numbers(path: Path) -> dict[str, int]:
    """The whole numbers of a GGUF file's model, by name without the architecture."""
    import gguf

    try:
        fields = gguf.GGUFReader(path).fields
    except (ValueError, IndexError, KeyError) as error:
        raise UserError(f"{path}: not a whole GGUF file: {error}") from None
    whole = {gguf.GGUFValueType.UINT32, gguf.GGUFValueType.UINT64, gguf.GGUFValueType.INT32}
    found = ((name.partition(".")[2], field) for name, field in fields.items() if field.types)
    return {name: int(field.parts[-1][0]) for name, field in found if field.types[-1] in whole}
