"""POST /v1/audio/transcriptions: speech to text, here by faster-whisper or by an OpenAI-compatible server.

Shapes: https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

from __future__ import annotations

import asyncio
import io
import os
from contextlib import suppress
from functools import cached_property
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from ozfig.recipe import Transcriber
from ozfig.serve.depends import unless_gone
from ozfig.serve.multipart import Part, form
from ozfig.serve.problems import ApiError, from_upstream
from ozfig.serve.settings import LOOPBACK
from ozfig.serve.shapes import USUAL, Transcription, problems
from ozfig.serve.turnstile import Turnstile

router = APIRouter(prefix="/v1", tags=["OpenAI"])
MOST_BYTES = 25_000_000  # as OpenAI allows
SECONDS = 600
FORMATS = ("json", "text", "verbose_json", "srt", "vtt")
NOTHING = "no transcription: install the extra `voice` (faster-whisper), or set serve.transcribe to a server's URL"
FIELDS = {
    "file": {"type": "string", "format": "binary"},
    "model": {"type": "string"},
    "language": {"type": "string"},
    "prompt": {"type": "string"},
    "response_format": {"type": "string", "enum": list(FORMATS)},
    "temperature": {"type": "number", "minimum": 0, "maximum": 1},
}
FORM = {"type": "object", "required": ["file"], "properties": FIELDS}


class Speech:
    """Turns audio into text for one app; one clip at a time in this process, a bounded queue before it."""

    def __init__(self, section: Transcriber | None, queue: int) -> None:
        self.section = section or (Transcriber() if find_spec("faster_whisper") else None)
        self._turnstile, self._turn = Turnstile(1, queue), asyncio.Lock()
        self._works: set[asyncio.Task[Any]] = set()

    async def transcribe(self, fields: dict[str, Part]) -> Response:
        """The text of a clip in the format that the form names. Raises ApiError 400, 429, 501 and 502."""
        shape = fields["response_format"].text if "response_format" in fields else "json"
        if shape not in FORMATS:
            raise ApiError(400, f"response_format: {', '.join(FORMATS)}", "invalid_value", "response_format")
        if self.section is None:
            raise ApiError(501, NOTHING, "not_installed")
        if self.section.is_remote:
            with self._turnstile.turn():
                return await self._ask(self.section, fields)
        # a task of its own: it keeps its turn until the thread has ended, also when who asked is gone
        work = asyncio.create_task(self._in_turn(fields))
        self._works.add(work)
        work.add_done_callback(self._works.discard)
        segments, language = await asyncio.shield(work)
        return _written(segments, language, shape)

    async def _in_turn(self, fields: dict[str, Part]) -> tuple[list[dict[str, Any]], str]:
        with self._turnstile.turn():
            async with self._turn:
                return await asyncio.to_thread(self._hear, fields)

    async def _ask(self, section: Transcriber, fields: dict[str, Part]) -> Response:
        """The reply of another server, passed on."""
        key, url = os.environ.get(section.key_env, ""), section.model.rstrip("/")
        clip = fields["file"]
        texts = {name: part.text for name, part in fields.items() if name in FIELDS and name != "file"}
        sent = {"file": (clip.filename or "clip.webm", clip.data, clip.kind or "application/octet-stream")}
        try:
            async with httpx.AsyncClient(
                timeout=httpx.Timeout(SECONDS, connect=10), trust_env=urlsplit(url).hostname not in LOOPBACK
            ) as client:
                reply = await client.post(
                    f"{url}/audio/transcriptions",
                    data={**texts, "model": section.served_as},
                    files=sent,
                    headers={"Authorization": f"Bearer {key}"} if key else {},
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ApiError(502, f"{url}: cannot be reached ({type(error).__name__})", "upstream_failed") from None
        if reply.is_error:
            raise _refused(reply, url)
        return Response(reply.content, media_type=reply.headers.get("content-type", "application/json"))

    @cached_property
    def _model(self) -> Any:
        from faster_whisper import WhisperModel

        assert self.section is not None
        return WhisperModel(self.section.model, device="auto", compute_type="auto")

    def _hear(self, fields: dict[str, Part]) -> tuple[list[dict[str, Any]], str]:
        """The segments of a clip and its language, by faster-whisper."""
        text = {name: fields[name].text for name in ("language", "prompt") if name in fields}
        try:
            found, info = self._model.transcribe(
                io.BytesIO(fields["file"].data),
                language=text.get("language") or None,
                initial_prompt=text.get("prompt") or None,
                temperature=_temperature(fields),
            )
            rows = [{"id": s.id, "start": s.start, "end": s.end, "text": s.text} for s in found]
        except ValueError as error:  # an unknown language, or no audio in the clip
            raise ApiError(400, f"file: {error}", "invalid_value", "file") from None
        return rows, info.language


@router.post(
    "/audio/transcriptions",
    summary="Speech to text",
    response_model=Transcription,
    responses=problems(*USUAL, 413, 415, 501),
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}},
)
async def transcriptions(request: Request) -> Any:
    """The text of an audio file of at most 25 MB."""
    fields = await form(request, MOST_BYTES)
    if "file" not in fields or not fields["file"].data:
        raise ApiError(400, "file: the clip is missing", "invalid_value", "file")
    speech: Speech = request.app.state.speech
    return await unless_gone(request, speech.transcribe(fields))


def _temperature(fields: dict[str, Part]) -> float:
    try:
        return float(fields["temperature"].text) if "temperature" in fields else 0.0
    except ValueError:
        raise ApiError(400, "temperature: not a number", "invalid_value", "temperature") from None


def _refused(reply: httpx.Response, url: str) -> ApiError:
    """What the other server says, in our name."""
    body: Any = {}
    with suppress(ValueError):
        body = reply.json()
    error = from_upstream(reply.status_code, body)
    if reply.status_code in {400, 413, 415, 422, 429}:
        return error
    return ApiError(502, f"{url} answers with status {reply.status_code}: {error.message}", "upstream_failed")


def _written(segments: list[dict[str, Any]], language: str, shape: str) -> Response:
    """Segments in one of OpenAI's formats."""
    from fastapi.responses import JSONResponse

    text = "".join(row["text"] for row in segments).strip()
    if shape == "json":
        return JSONResponse({"text": text})
    if shape == "verbose_json":
        seconds = segments[-1]["end"] if segments else 0.0
        whole = {"task": "transcribe", "language": language, "duration": seconds, "text": text, "segments": segments}
        return JSONResponse(whole)
    if shape == "text":
        return PlainTextResponse(text + "\n")
    return PlainTextResponse(subtitles(segments, shape))


def subtitles(segments: list[dict[str, Any]], shape: str) -> str:
    """Segments as SubRip (srt) or WebVTT (vtt)."""
    comma = "," if shape == "srt" else "."
    rows = [
        f"{i}\n{_clock(row['start'], comma)} --> {_clock(row['end'], comma)}\n{row['text'].strip()}\n"
        for i, row in enumerate(segments, 1)
    ]
    return ("" if shape == "srt" else "WEBVTT\n\n") + "\n".join(rows)


def _clock(seconds: float, comma: str) -> str:
    whole, thousandths = divmod(round(1000 * seconds), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{comma}{thousandths:03}"
