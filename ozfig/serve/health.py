"""How the server is: for load balancers, containers and Prometheus."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from ozfig.serve.depends import TheBackend, TheModels
from ozfig.serve.shapes import problems

router = APIRouter(tags=["Health"])
FAILED: dict[int | str, dict[str, Any]] = {503: {"description": "The model could not be loaded"}}


@router.get("/health", summary="How the server is", response_model=dict[str, Any], responses=FAILED)
def health(backend: TheBackend) -> JSONResponse:
    """The default model is ok, loading, idle (loaded at the next request) or failed (503)."""
    state = backend.state
    body = {"status": state, "model": backend.model.name, "loaded": state == "ok", "doing": backend.doing}
    return JSONResponse(body, 503 if state == "failed" else 200)


@router.get("/ready", summary="Whether the model answers", responses=problems(503))
def ready(backend: TheBackend) -> dict[str, str]:
    """200 once the default model is loaded, 503 with Retry-After before. One that had to leave for others is ready."""
    if backend.state != "idle":
        backend.ready()
    return {"status": "ok"}


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, 401: {"description": "The key is missing or wrong"}},
)
def metrics(models: TheModels) -> Response:
    """Requests, tokens, queue, time to the first token, time per token and latency, by model."""
    return Response(models.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
