"""The body of an answer: read up to a limit, whatever its compression promises, and decoded whatever its label says."""

from __future__ import annotations

import codecs
import re
import zlib

import httpx

ENCODINGS = ("gzip", "deflate")
CHARSET = re.compile(rb"""<(?:meta|\?xml)[^>]+(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
NAMED = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# labels that stand for a wider code page (https://encoding.spec.whatwg.org/#names-and-labels)
WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
# Python also knows codecs that are no character sets of pages, such as unicode_escape, punycode and utf-7
PAGE_CODECS = re.compile(r"(utf-(8|16|32)|iso8859|iso2022|cp\d|koi8|mac|gb|big5|euc_|shift_|johab|hz|tis)")
MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


class TooLarge(Exception):
    """The body is longer than the limit."""


class Unreadable(Exception):
    """The body is compressed in a way that cannot be undone."""


async def read(response: httpx.Response, most: int) -> bytes:
    """The body of a streamed answer without its compression; never holds much more than `most` bytes.

    Raises TooLarge as soon as the limit is passed, Unreadable for broken or unknown compression.
    """
    coding = response.headers.get("content-encoding", "").strip().lower().removeprefix("x-")
    if coding not in ("", "identity", *ENCODINGS):
        raise Unreadable(f"compressed as {coding}")
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise TooLarge
    inflater = _Inflater() if coding in ENCODINGS else None
    parts, size = [], 0
    async for part in response.aiter_raw():
        data = inflater.feed(part, most - size + 1) if inflater else part
        size += len(data)
        if size > most:
            raise TooLarge
        parts.append(data)
    return b"".join(parts)


class _Inflater:
    """Undo gzip (also of several members), zlib and bare deflate, a limited number of bytes at a time."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._is_first = True

    def feed(self, data: bytes, most: int) -> bytes:
        """At most `most` bytes of what `data` holds; when there are as many, more may have been left out."""
        out = b""
        while data and len(out) < most:
            if self._stream.eof:
                self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)
            try:
                out += self._stream.decompress(data, most - len(out))
            except zlib.error as error:
                if not self._is_first:
                    raise Unreadable(f"broken compression ({error})") from None
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
                self._is_first = False
                continue
            self._is_first = False
            data = self._stream.unused_data
        return out


def decode(body: bytes, content_type: str = "") -> str:
    """A body as text: by its byte order mark, else the header's charset, the page's own, else by its bytes.

    A label that the bytes contradict is not believed: text that is UTF-8 is read as such though it is called
    Latin-1, and what is called UTF-8 and is not is read as windows-1252.
    """
    for mark, name in BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, errors="replace")
    in_header, in_page = NAMED.search(content_type), CHARSET.search(body[:4096])
    label = _codec(in_header[1]) if in_header else ""
    if not label and in_page:
        label = _codec(in_page[1].decode())
        label = "utf-8" if label.startswith(("utf-16", "utf-32")) else label  # the label itself could be read
    return _by_bytes(body, label)


def _by_bytes(body: bytes, label: str) -> str:
    if label and not label.startswith(("utf-8", "cp125")):
        return body.decode(label, errors="replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        if label.startswith("cp125"):
            return body.decode(label, errors="replace")
        broken = sum(byte >= 0x80 for byte in MULTIBYTE.sub(b"", body))
        # a few broken characters among many whole ones are damage, not another character set
        if len(MULTIBYTE.findall(body)) > broken:
            return body.decode("utf-8", errors="replace")
        return body.decode("cp1252", errors="replace")


def _codec(label: str) -> str:
    """Python's name for a charset label; empty for one that is unknown or no charset of pages."""
    try:
        name = codecs.lookup(label.strip().lower()).name
    except LookupError:
        return ""
    return WIDER.get(name, name) if PAGE_CODECS.match(name) or name == "ascii" else ""


def is_binary(body: bytes) -> bool:
    """Whether a body is no text, whatever its type says."""
    is_wide = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return body.startswith(b"%PDF-") or (b"\0" in body[:1024] and not is_wide)
