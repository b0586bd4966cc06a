"""PDF files: their layout is read back into headings, paragraphs, lists and tables.

A PDF holds glyphs with places, not text with a structure. The steps, each a module: `page` takes words and ruled
tables, `running` drops what repeats at the edges, `columns` finds the reading order, `lines` puts words into lines,
`blocks` tells what the lines are and joins them across columns and pages, `write` makes Markdown of them.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ozfig.gather.readers import Read, Unreadable, missing, parsing
from ozfig.gather.readers.markdown import one_line
from ozfig.gather.readers.pdf import blocks, columns, lines, running, write
from ozfig.gather.readers.pdf.page import Page, page_of

MOST_PAGES = 5000
JUNK_TITLES = ("untitled", "microsoft word", "microsoft powerpoint", "powerpoint presentation", "slide 1", "document")


def read(path: Path) -> Read:
    """A PDF's text as Markdown. Raises Unreadable for a broken, cut off, encrypted or scanned one."""
    try:
        import pdfplumber
        from pdfplumber.utils.exceptions import PdfminerException
    except ModuleNotFoundError:
        raise missing(path) from None
    logging.getLogger("pdfminer").setLevel(logging.ERROR)  # it warns of every oddity of a file
    with parsing():
        try:
            file = pdfplumber.open(path)
        except PdfminerException as error:
            raise Unreadable(_reason(path, error)) from error
        with file as pdf:
            if _is_cut_off(path, pdf):
                raise Unreadable("cut off: its end is missing")
            if len(pdf.pages) > MOST_PAGES:
                raise Unreadable(f"over-large: {len(pdf.pages):,} pages")
            pages = [_page(page) for page in pdf.pages]
            named = one_line(str((pdf.metadata or {}).get("Title") or ""))
    return _read(pages, named)


def _page(page: Any) -> Page:
    found = page_of(page)
    page.close()  # frees what was parsed
    return found


def _read(pages: list[Page], named: str) -> Read:
    """Pages as one text. Raises Unreadable when there is none on them."""
    if not pages:
        raise Unreadable("broken: no pages")
    silent = sum(1 for page in pages if page.has_pictures and not (page.words or page.tables))
    if not any(page.words or page.tables for page in pages):
        raise Unreadable("holds no text, only pictures of it: run text recognition (OCR) first" if silent else "empty")
    size = lines.body_size(pages)
    running.drop(pages)
    order = columns.Order(size, pages)
    regions = [lines.region(items, page.number) for page in pages for items in order.regions(page)]
    found = blocks.found(regions, lines.Style.of(size, regions))
    heading = next((write.text_of(b, write.Hyphens(found)) for b in found if b.kind == "heading" and b.level == 1), "")
    usable = "" if named.lower().startswith(JUNK_TITLES) or "." in named[-6:-2] else named
    note = f"{silent} of {len(pages)} pages are pictures without text" if silent else ""
    return Read(heading or usable, write.markdown(found), note)


def _is_cut_off(path: Path, pdf: Any) -> bool:
    """Whether the index of a PDF had to be guessed since the file's end is missing."""
    from pdfminer.pdfdocument import PDFXRefFallback

    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        has_end = b"%%EOF" in file.read()
    return not has_end and any(isinstance(xref, PDFXRefFallback) for xref in pdf.doc.xrefs)


def _reason(path: Path, error: Exception) -> str:
    """Why pdfminer would not open a file."""
    from pdfminer.pdfdocument import PDFEncryptionError, PDFPasswordIncorrect

    cause = error.args[0] if error.args else None
    if isinstance(cause, PDFPasswordIncorrect | PDFEncryptionError):
        return "encrypted: it asks for a password"
    with path.open("rb") as file:
        if b"%PDF" not in file.read(1024):
            return "broken: not a PDF"
    return "broken or cut off: not a whole PDF"
