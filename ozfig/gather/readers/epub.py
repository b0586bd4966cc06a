"""Electronic books (EPUB 2 and 3, https://www.w3.org/TR/epub-33/): the chapters in their reading order."""

from __future__ import annotations

import posixpath
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ozfig.gather.readers import Read, Unreadable, archive, parsing
from ozfig.web.extract import extract

CONTAINER, ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
PAGES = ("application/xhtml+xml", "text/html")
# XHTML may close any empty element at once; to a reader of HTML such a tag stays open
CLOSED_AT_ONCE = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b)([a-z][\w:-]*)((?:\s[^<>]*)?)/>",
    re.IGNORECASE,
)


def read(path: Path) -> Read:
    """All chapters as one text, with the title from the book's metadata. Raises Unreadable."""
    with archive.opened(path) as book:
        package = _xml(book, CONTAINER).find(".//{*}rootfile")
        if package is None or not package.get("full-path"):
            raise Unreadable("broken: container.xml names no book")
        place = str(package.get("full-path"))
        opf = _xml(book, place)
        locked = _locked(book)
        chapters = []
        for name in _spine(opf, posixpath.dirname(place)):
            if name in locked:
                raise Unreadable("encrypted: protected against copying")
            chapters.append(_chapter(archive.part(book, name)))
    title = " ".join((opf.findtext(".//{*}metadata/{*}title") or "").split())
    return Read(title, "\n\n".join(chapter for chapter in chapters if chapter))


def _spine(opf: Element, folder: str) -> list[str]:
    """The names of the chapters' parts in reading order, without the table of contents."""
    pages = {
        item.get("id"): posixpath.normpath(posixpath.join(folder, unquote(item.get("href") or "")))
        for item in opf.iterfind(".//{*}manifest/{*}item")
        if item.get("media-type") in PAGES and "nav" not in (item.get("properties") or "").split()
    }
    order = [reference.get("idref") for reference in opf.iterfind(".//{*}spine/{*}itemref")]
    return [pages[name] for name in order if name in pages]


def _chapter(data: bytes) -> str:
    """One chapter as Markdown."""
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = data.decode("utf-16" if is_utf16 else "utf-8-sig", errors="replace")
    return extract(CLOSED_AT_ONCE.sub(r"<\1\2></\1>", text)).markdown


def _locked(book: zipfile.ZipFile) -> set[str]:
    """The parts that are encrypted; fonts often are in books that are otherwise open."""
    if ENCRYPTION not in book.namelist():
        return set()
    found = _xml(book, ENCRYPTION).iterfind(".//{*}CipherReference")
    return {unquote(reference.get("URI") or "") for reference in found}


def _xml(book: zipfile.ZipFile, name: str) -> Element:
    data = archive.part(book, name)
    with parsing():
        return ElementTree.fromstring(data)
