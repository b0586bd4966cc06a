"""The list of runs, the page of each one while it goes and after, and the pages that it keeps."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from ozfig.runs import STAGES, Run
from ozfig.serve.problems import ApiError
from ozfig.serve.studio import views
from ozfig.serve.studio.home import Home, TheHome
from ozfig.serve.studio.overview import Overview

router = APIRouter(include_in_schema=False)
# what a run's page may do: its own script, in an origin of its own that this server answers nothing to
SANDBOX = "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
FRAMED = "form-action 'none'; frame-ancestors 'self'"
LAST_SCRIPT = re.compile(r"<script>(?!.*<script)(.*?)</script>", re.DOTALL)


@router.get("/runs")
def listing(home: TheHome) -> HTMLResponse:
    """Every run with the state of its stages, its verdict and score, the newest first."""
    found = sorted((Overview(run) for run in home.runs()), key=lambda o: (o.is_busy, o.date), reverse=True)
    return views.page("runs", runs=found, home=home)


@router.get("/runs/{name}")
def show(name: str, home: TheHome) -> HTMLResponse:
    """One run."""
    try:
        return views.page("run", framing=True, **_values(home.run(name), home))
    except ApiError as error:
        return views.page("missing", 404, message=error.message, home=home)


@router.get("/runs/{name}/live")
def live(name: str, request: Request, home: TheHome) -> Response:
    """The part of a run's page that changes while it goes; 304 when nothing has changed since the last answer."""
    values = _values(home.run(name), home)
    headers = {"ETag": f'"{values["run"].stamp()}"', **views.NO_STORE}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(views.html("live", **values), headers=headers)


@router.get("/runs/{name}/page/{kind}")
def kept(name: str, kind: Literal["report", "data"], home: TheHome) -> HTMLResponse:
    """A page that the run keeps, shut off from this server: it may be opened in a frame of the run's page only.

    Its style is inline and its script is the last one in the file: an earlier one would have come with the data.
    """
    path = Overview(home.run(name)).page(kind)
    if path is None:
        raise ApiError(404, f"the run {name!r} has no {kind} yet", "page_not_found")
    text = path.read_text(encoding="utf-8")
    script = LAST_SCRIPT.search(text)
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode() if script else ""
    allowed = f"script-src 'sha256-{digest}'; " if script else ""
    policy = {"Content-Security-Policy": SANDBOX + allowed + FRAMED, "X-Frame-Options": "SAMEORIGIN"}
    return HTMLResponse(text, headers=policy | views.NO_STORE)


def _values(run: Run, home: Home) -> dict[str, Any]:
    """What the page of a run shows."""
    found, log = Overview(run), home.log(run)
    tune = found.stages[STAGES.index("tune")]
    tune.done = log.step if tune.state == "running" else 0
    return {
        "home": home,
        "run": found,
        "curve": log.curve(),
        "headline": found.headline,
        "base": run.models().get("base"),
        "command": f"ozfig run {run.folder}/recipe.yaml",
    }
