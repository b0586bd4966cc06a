"""Sitemaps (https://www.sitemaps.org/protocol.html): the addresses in them, plain, as an index, gzipped, as text."""

from __future__ import annotations

import html
import re
import zlib

# the protocol's own limit, in bytes
LONGEST = 50_000_000
LOCATION = re.compile(r"<(?:\w+:)?loc>\s*(?:<!\[CDATA\[)?\s*(.*?)\s*(?:\]\]>)?\s*</(?:\w+:)?loc>", re.DOTALL)
INDEX = re.compile(r"<(?:\w+:)?sitemapindex")


def links(body: bytes) -> tuple[list[str], bool]:
    """The addresses that a sitemap lists, and whether they are further sitemaps. A broken file lists none."""
    if body.startswith(b"\x1f\x8b"):
        try:
            body = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, LONGEST)
        except zlib.error:
            return [], False
    text = body.decode("utf-8-sig", errors="replace")
    if re.match(r"\s*https?://", text):
        return text.split(), False
    return [html.unescape(link) for link in LOCATION.findall(text)], INDEX.search(text) is not None
