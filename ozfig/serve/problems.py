"""Failures as the API tells them: always OpenAI's shape, always one line that helps."""

from __future__ import annotations

from typing import Any

import aiohttp
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

API = ("/v1/", "/prompt/", "/metrics", "/health", "/ready", "/openapi.json")  # read by programs, in a browser too


class ApiError(Exception):
    """An answer other than 200. `code` is for programs, `param` names the field at fault."""

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.headers = {"Retry-After": "2"} if status == 503 else {}

    def body(self) -> dict[str, Any]:
        """The error object of OpenAI's API."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        if self.status == 401:
            kind = "authentication_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The HTTP reply."""
        return JSONResponse(self.body(), self.status, self.headers)


def from_upstream(status: int, body: Any) -> ApiError:
    """What llama.cpp's server refused, in our words. `body` is its JSON, or anything when it sent none."""
    error = body.get("error", {}) if isinstance(body, dict) else {}
    message = str(error.get("message") or "the model server failed")
    if error.get("type") == "exceed_context_size_error":
        used, room = error.get("n_prompt_tokens"), error.get("n_ctx")
        message = f"the prompt has {used} tokens and the model's context holds {room}; shorten it"
        return ApiError(400, message, "context_length_exceeded", "messages")
    return ApiError(status if 400 <= status < 600 else 500, message)


def _told(request: Request, error: ApiError) -> Response:
    """A failure in OpenAI's shape; as a page to a browser that opened an address which is none of the API's."""
    opened = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if opened and not request.url.path.startswith(API):
        return HTMLResponse(request.app.state.pages.failed(error.status, error.message), error.status, error.headers)
    return error.response()


def install(app: FastAPI) -> None:
    """Give every failure of an app the same shape."""

    @app.exception_handler(ApiError)
    async def _known(request: Request, error: ApiError) -> Response:
        return _told(request, error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        # the first part of a location says body, path or query; the rest is the field
        where = ".".join(str(part) for part in first["loc"][1:]) or None
        if first["type"] == "json_invalid":
            return ApiError(400, "the body is not valid JSON", "invalid_json").response()
        text = f"{where}: {first['msg']}" if where else first["msg"]
        return _told(request, ApiError(400, text, "invalid_value", where))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        text = f"{request.method} {request.url.path}: {str(error.detail).lower()}"
        return _told(request, ApiError(error.status_code, text))

    @app.exception_handler(aiohttp.ClientError)
    async def _upstream(_: Request, error: aiohttp.ClientError) -> JSONResponse:
        return ApiError(503, f"the model server does not answer ({type(error).__name__})").response()

    @app.exception_handler(Exception)
    async def _defect(_: Request, error: Exception) -> JSONResponse:
        return ApiError(500, f"ozfig failed: {type(error).__name__}; the traceback is in the server's log").response()
