"""multipart/form-data (RFC 7578) of a request, read under a size limit: a form with one file in it."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

from fastapi import Request

from ozfig.serve.problems import ApiError


@dataclass(frozen=True)
class Part:
    """A field of a form: bytes, and the name and type that a file has."""

    data: bytes
    filename: str = ""
    kind: str = ""

    @property
    def text(self) -> str:
        """The field as text."""
        return self.data.decode("utf-8", "replace").strip()


async def form(request: Request, most: int) -> dict[str, Part]:
    """The fields of a request by name, the last of each. Raises ApiError 413 beyond `most` bytes, 415 and 400."""
    body = bytearray()
    kind = Message()
    kind["content-type"] = request.headers.get("content-type", "")
    boundary = kind.get_boundary()
    if kind.get_content_type() != "multipart/form-data" or not boundary:
        raise ApiError(415, "the body has to be multipart/form-data", "unsupported_media_type")
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise ApiError(413, f"the body is larger than {most / 1e6:.0f} MB", "too_large", "file")
    return parse(bytes(body), boundary)


def parse(body: bytes, boundary: str) -> dict[str, Part]:
    """The fields of a body. Raises ApiError 400 for one that is broken."""
    mark = b"\r\n--" + boundary.encode("utf-8", "surrogateescape")
    # a body opens with a boundary that has no line break before it, and ends in one with two dashes after it
    pieces = (b"\r\n" + body).split(mark)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise ApiError(400, "the form is broken off", "invalid_value")
    found = {}
    for piece in pieces[1:-1]:
        head, _, data = piece.partition(b"\r\n\r\n")
        headers = HeaderParser().parsestr(head.decode("utf-8", "replace").lstrip())
        name = headers.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise ApiError(400, "a part of the form has no name", "invalid_value")
        found[name] = Part(data, headers.get_filename("") or "", headers.get_content_type())
    return found
