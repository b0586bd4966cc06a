"""The runs' pages without a model: for a folder of runs, to watch one that is under way."""

from __future__ import annotations

from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from ozfig import __version__, console
from ozfig.recipe import Serve
from ozfig.serve import login, problems, studio
from ozfig.serve.app import listen
from ozfig.serve.guard import Guard
from ozfig.serve.login import Sessions
from ozfig.serve.pages import STATIC, Pages
from ozfig.serve.settings import Settings


def create_app(folder: Path, settings: Settings) -> FastAPI:
    """The app. `/` leads to the list."""
    app = FastAPI(title="ozfig", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/", lambda: RedirectResponse("/runs"))
    app.add_api_route("/health", lambda: {"status": "ok"})
    studio.install(app, folder, has_chat=False)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.state.pages, app.state.sessions = Pages(settings), Sessions(settings.password)
    app.include_router(login.router)
    app.add_middleware(Guard, settings=settings, sessions=app.state.sessions)
    problems.install(app)
    return app


def serve(folder: Path, host: str = "127.0.0.1", port: int = 8080) -> None:
    """Show the runs of a folder until Ctrl-C. Raises UserError for an unsafe address or a busy port."""
    settings = Settings.make(Serve.model_validate({}), "", (), host)
    listener = listen(host, port)
    config = uvicorn.Config(create_app(folder, settings), log_level="warning", server_header=False)
    name = f"[{host}]" if ":" in host else host
    console.say(f"[bold]serve[/bold]  {folder}")
    console.say(f"  runs  http://{name}:{listener.getsockname()[1]}/runs")
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        console.say("stopped")
    finally:
        listener.close()
