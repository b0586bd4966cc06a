"""A server with everything that the pages can offer: two models, switches, and a loopback stand-in for transcription.

Run as a program: GGUF file, database, then the example questions.
"""

import asyncio
import sys
import threading

import uvicorn
from fastapi import FastAPI, Request

from ozfig.recipe import Serve
from ozfig.serve.app import create_app
from ozfig.serve.offer import Offer
from ozfig.serve.pages import Features, Pages
from ozfig.serve.replies import Replies
from ozfig.serve.settings import Settings
from ozfig.store.database import Store
from ozfig.types import ModelRef

WEBM = b"\x1aE\xdf\xa3"  # how a Matroska file begins


def make(gguf: str, database: str, questions: list[str]) -> FastAPI:
    """The app with two models."""
    values = {"max_tokens": 200, "threads": 1, "parallel": 2, "transcribe": {"model": f"{transcriber()}/v1"}}
    section = Serve.model_validate(values)
    refs = [ModelRef("gguf", gguf, name, sha256="ab" * 32, quantisation="F16") for name in ("pebble", "pebble-tuned")]
    models = Offer(section, lambda: None).models(refs)
    settings = Settings.make(section, "You are a helpful assistant.", questions, "127.0.0.1")
    app = create_app(models, settings, Store.open(database), Replies(settings, section))
    app.state.pages = Pages(settings, models, Features(False, True, True))  # as with documents
    return app


def transcriber() -> str:
    """The address of a server that stands in for one that hears: it says what kind of file it was given."""

    async def transcribe(request: Request) -> dict[str, str]:
        body = await request.body()
        await asyncio.sleep(0.1)
        is_clip = b'name="file"; filename="clip.webm"' in body and WEBM in body and b'name="model"' in body
        return {"text": " What is a harbour? " if is_clip else "no clip"}

    app = FastAPI()
    app.add_api_route("/v1/audio/transcriptions", transcribe, methods=["POST"])
    config = uvicorn.Config(app, port=0, log_level="warning")
    listener = config.bind_socket()
    threading.Thread(target=uvicorn.Server(config).run, args=([listener],), daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


if __name__ == "__main__":
    gguf, database, *questions = sys.argv[1:]
    config = uvicorn.Config(make(gguf, database, questions), port=0, log_level="warning", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    print(f"chat http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    server.run(sockets=[listener])
