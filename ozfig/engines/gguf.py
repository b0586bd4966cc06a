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


def library() -> Any:
    """The module xllamacpp, with threads that sleep while they wait for each other.

    OpenMP's default is to spin, and spinning threads stand still as soon as another program wants their core:
    a reply took 27 s on a busy machine instead of 0.7 s. The setting is read once, when the library is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import xllamacpp

    return xllamacpp


class LlamaServer:
    """A GGUF file being served on a free loopback port while the `with` block runs."""

    def __init__(self, path: str | Path, context: int = 0, slots: int = 4, threads: int = 0) -> None:
        """`context` is the tokens of one conversation (0: the model's own), `slots` how many run side by side."""
        self.path, self.context, self.slots = Path(path), context, slots
        self.threads = threads or os.cpu_count() or 1
        self.base_url = ""
        # llama.cpp lets pages of every site read its replies, so only who holds this key is answered
        self.headers = {"Authorization": f"Bearer {secrets.token_urlsafe(24)}"}
        self._server: Any = None

    def __enter__(self) -> Self:
        """Start the server and wait until the model is loaded. Raises UserError for a file that llama.cpp refuses."""
        xllamacpp = library()
        context = self.context or trained_context(self.path)
        params = xllamacpp.CommonParams()
        params.model.path = str(self.path)
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.n_ctx = context * self.slots
        params.n_parallel = self.slots
        params.cache_ram_mib = PROMPT_CACHE_MB
        for pool in (params.cpuparams, params.cpuparams_batch):
            pool.n_threads = self.threads
            pool.poll = 0  # the same as in `library`, where ggml runs its own threads
        params.api_keys = [self.headers["Authorization"].removeprefix("Bearer ")]
        params.use_jinja = True
        params.ui = False
        params.verbosity = QUIET
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise UserError(f"{self.path}: llama.cpp cannot load it: {error}") from None
        self.base_url = f"{self._server.listening_address}/v1"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server: it ends with its object."""
        self._server = None

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """One request to llama.cpp's own paths, such as /tokenize."""
        url = self.base_url.removesuffix("/v1") + path
        reply = httpx.post(url, json=body, headers=self.headers, timeout=600, trust_env=False)
        reply.raise_for_status()
        result: dict[str, Any] = reply.json()
        return result

    def tokenize(self, text: str, special: bool = True) -> list[int]:
        """Token ids of a text without added markers; `special` reads markers in it as tokens."""
        return list(self.post("/tokenize", content=text, add_special=False, parse_special=special)["tokens"])

    def next_token(self, ids: list[int], count: int = 5) -> list[tuple[int, float]]:
        """The likeliest next tokens after a prompt with their log-probabilities, best first."""
        reply = self.post("/completion", prompt=ids, n_predict=1, n_probs=count, temperature=0, cache_prompt=False)
        return [(row["id"], row["logprob"]) for row in reply["completion_probabilities"][0]["top_logprobs"]]


def trained_context(path: Path) -> int:
    """The context length that a GGUF file declares. Raises UserError for a file that is missing or broken."""
    import gguf

    try:
        fields = gguf.GGUFReader(path).fields
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (ValueError, IndexError, KeyError) as error:
        raise UserError(f"{path}: not a whole GGUF file: {error}") from None
    lengths = [int(field.parts[-1][0]) for name, field in fields.items() if name.endswith(".context_length")]
    if not lengths:
        raise UserError(f"{path}: the GGUF file declares no context length")
    return lengths[0]
