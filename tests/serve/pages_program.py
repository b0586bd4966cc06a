"""A server with everything that the pages can offer: two models, switches, and a loopback stand-in for transcription.

Run as a program: GGUF file, database, then the example questions.
"""

import asyncio
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request

from ozfig.recipe import Serve
from ozfig.serve.app import check_gguf, create_app, launcher
from ozfig.serve.backend import Backend
from ozfig.serve.models import Models
from ozfig.serve.pages import Features
from ozfig.serve.settings import Settings
from ozfig.store.database import Store
from ozfig.types import ModelRef

WEBM = b"\x1aE\xdf\xa3"  # how a Matroska file begins


def make(gguf: str, database: str, questions: list[str]) -> FastAPI:
    """The app; its transcription says what kind of file it was given."""
    section = Serve.model_validate({"max_tokens": 200, "threads": 1, "parallel": 2})
    check_gguf(Path(gguf))
    refs = [ModelRef("gguf", gguf, name, sha256="ab" * 32, quantisation="F16") for name in ("pebble", "pebble-tuned")]
    models = Models([Backend(ref, launcher(ref, section)) for ref in refs])
    settings = Settings.make(section, "You are a helpful assistant.", questions, "127.0.0.1")
    app = create_app(models, settings, Store.open(database), Features(False, True, True))

    async def transcribe(request: Request) -> dict[str, str]:
        body = await request.body()
        await asyncio.sleep(0.1)
        is_clip = b'name="file"; filename="clip.webm"' in body and WEBM in body and b'name="model"' in body
        return {"text": " What is a harbour? " if is_clip else "no clip"}

    app.add_api_route("/v1/audio/transcriptions", transcribe, methods=["POST"])
    return app


if __name__ == "__main__":
    gguf, database, *questions = sys.argv[1:]
    config = uvicorn.Config(make(gguf, database, questions), port=0, log_level="warning", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    print(f"chat http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    server.run(sockets=[listener])
