"""What a server does, in numbers: Prometheus metrics with the names that vLLM's have, and one log line a request.

Names: https://docs.vllm.ai/en/stable/usage/metrics.html, with ozfig_ for vllm: (a colon is for recording rules).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
PER_TOKEN = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5)
WHOLE = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 240)
# what the handler of a request tells its log line
line: ContextVar[dict[str, Any]] = ContextVar("line")


class Metrics:
    """The metrics of one app, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        label = ["model_name"]

        def make(kind: Any, name: str, text: str, labels: list[str] = label, **more: Any) -> Any:
            return kind(f"ozfig_{name}", text, labels, registry=self.registry, **more)

        self.requests = make(
            Counter, "http_requests", "HTTP requests by path, method and status.", ["handler", "method", "status"]
        )
        self.success = make(Counter, "request_success", "Replies by their end.", [*label, "finished_reason"])
        self.prompt = make(Counter, "prompt_tokens", "Tokens of prompts.")
        self.generated = make(Counter, "generation_tokens", "Tokens that were generated.")
        self.first = make(Histogram, "time_to_first_token_seconds", "From request to first token.", buckets=FIRST_TOKEN)
        self.each = make(Histogram, "time_per_output_token_seconds", "Between tokens of a reply.", buckets=PER_TOKEN)
        self.whole = make(Histogram, "e2e_request_latency_seconds", "From request to end of reply.", buckets=WHOLE)
        self.running = make(Gauge, "num_requests_running", "Requests that are answered.")
        self.waiting = make(Gauge, "num_requests_waiting", "Requests that wait.")
        self.loaded = make(Gauge, "model_loaded", "1 when the model is in memory.")

    def text(self) -> bytes:
        """The exposition text that Prometheus reads."""
        return generate_latest(self.registry)

    @contextmanager
    def reply(self, model: str, body: dict[str, Any]) -> Iterator[Measured]:
        """Measure one reply of a model."""
        measured = Measured()
        try:
            yield measured
        except GeneratorExit:
            measured.finish = "abort"
            raise
        except BaseException:
            measured.finish = measured.finish or "error"
            raise
        finally:
            self._count(model, measured)
            _tell(model, measured, body)

    def _count(self, model: str, measured: Measured) -> None:
        seconds = time.perf_counter() - measured.began
        self.success.labels(model, measured.finish or "abort").inc()
        self.prompt.labels(model).inc(measured.prompt)
        self.generated.labels(model).inc(measured.generated)
        self.whole.labels(model).observe(seconds)
        if measured.first is not None:
            self.first.labels(model).observe(measured.first)
            if measured.generated > 1:
                self.each.labels(model).observe((seconds - measured.first) / (measured.generated - 1))


class Measured:
    """The times and counts of one reply. `finish` is the reason why it ended: stop, length, abort or error."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.first: float | None = None
        self.prompt = self.generated = 0
        self.finish = ""

    def saw(self, chunk: dict[str, Any]) -> None:
        """Take in a streamed chunk or a whole reply."""
        if usage := chunk.get("usage"):
            self.prompt, self.generated = usage["prompt_tokens"], usage["completion_tokens"]
        for choice in chunk["choices"]:
            self.finish = choice.get("finish_reason") or self.finish
            if self.first is None and (choice.get("text") or choice.get("delta", {}).get("content")):
                self.first = time.perf_counter() - self.began


def _tell(model: str, measured: Measured, body: dict[str, Any]) -> None:
    """Add a reply to the log line of its request."""
    told = line.get(None)
    if told is None:
        return
    told["model"], told["finish"] = model, measured.finish or "abort"
    for name, count in (("prompt_tokens", measured.prompt), ("completion_tokens", measured.generated)):
        told[name] = told.get(name, 0) + count
    if measured.first is not None:
        told["first_token_ms"] = round(1000 * measured.first, 1)
    told.setdefault("asked", []).append(body.get("messages") or body.get("prompt"))


class Journal:
    """ASGI middleware: counts each HTTP request and writes a JSON line about it.

    `out` is where lines go, None for none; prompts are written only where `prompts` says so.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, prompts: bool = False, out: Callable[[], TextIO | None] = lambda: None
    ) -> None:
        self._app, self._metrics, self._prompts, self._out = app, metrics, prompts, out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and tell of it when its reply has ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told: dict[str, Any] = {}
        began, status = time.perf_counter(), 500
        token = line.set(told)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            line.reset(token)
            route = getattr(scope.get("route"), "path", "") or "other"
            self._metrics.requests.labels(route, scope["method"], str(status)).inc()
            self._write(scope, status, time.perf_counter() - began, told)

    def _write(self, scope: Scope, status: int, seconds: float, told: dict[str, Any]) -> None:
        out = self._out()
        if out is None:
            return
        asked = told.pop("asked", None)
        # a path can hold a question (/prompt/...): the route stands for it
        path = getattr(scope.get("route"), "path", "") or ("-" if not self._prompts else scope["path"])
        row = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": scope["method"],
            "path": path,
            "status": status,
            "ms": round(1000 * seconds, 1),
            "client": (scope.get("client") or [None])[0],
            **told,
        }
        if self._prompts and asked:
            row["asked"] = asked
        print(json.dumps(row, ensure_ascii=False), file=out, flush=True)


def standard_error() -> TextIO:
    """Where lines go by default, looked up late so that a test can catch them."""
    return sys.stderr
