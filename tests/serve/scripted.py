"""An app over a model whose words the test decides: for what goes wrong around a model, not in it."""

import asyncio
from contextlib import asynccontextmanager

import httpx

from ozfig.serve.app import create_app
from ozfig.serve.backend import Backend
from ozfig.serve.models import Models
from ozfig.serve.settings import Settings
from ozfig.serve.turnstile import Turnstile
from ozfig.types import ModelRef


class Scripted(Backend):
    """Says "hi", then waits for `go` and ends, or raises `fault`."""

    def __init__(self, places=4):
        super().__init__(ModelRef("gguf", "none.gguf", "m"), lambda told: None, turnstile=Turnstile(places, 0))
        self.go, self.fault = asyncio.Event(), None
        self.go.set()

    async def _open(self):
        self.context = 1000
        return object()

    async def count(self, messages):
        return 10

    async def _batches(self, path, body):
        yield [{"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]}]
        await self.go.wait()
        if self.fault:
            raise self.fault
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        yield [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}]


@asynccontextmanager
async def served(store, backend):
    """A client of an app whose model is loaded; failures of the app are replies."""
    app = create_app(Models([backend]), Settings(), store)
    async with app.router.lifespan_context(app):
        while backend.state != "ok":
            await asyncio.sleep(0.01)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client


async def conversation(client):
    """The id of a conversation with one answered question."""
    chat = (await client.post("/chat", json={"content": "one"})).json()["id"]
    await client.post(f"/chat/{chat}/messages", json={"content": "one"})
    return chat
