"""Word documents: mammoth writes HTML, which is read as a page."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ozfig.gather.readers import Read, archive, missing, parsing
from ozfig.web.extract import extract

NESTED = "\n".join(
    f"p[style-name='List {name} {level}'] => {' > '.join(['ul|ol > li'] * (level - 1))} > {tag} > li:fresh"
    for name, tag in (("Bullet", "ul"), ("Number", "ol"))
    for level in (2, 3)
)
STYLES = f"p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh\n{NESTED}"
TITLE = "{http://purl.org/dc/elements/1.1/}title"


def read(path: Path) -> Read:
    """The text with its headings, lists, tables and notes; pictures, page headers and footers are left out.

    Raises Unreadable.
    """
    try:
        import mammoth
    except ModuleNotFoundError:
        raise missing(path) from None

    def without_picture(image: Any) -> dict[str, str]:
        return {}

    with archive.opened(path) as parts:
        title = _title(archive.part(parts, "docProps/core.xml")) if "docProps/core.xml" in parts.namelist() else ""
        archive.part(parts, "word/document.xml")  # a damaged part has a reason of its own
    with path.open("rb") as file, parsing():
        pictures = mammoth.images.img_element(without_picture)
        body = mammoth.convert_to_html(file, style_map=STYLES, convert_image=pictures).value
    page = extract(f"<title>{escape(title)}</title><main>{body}</main>")
    return Read(page.title, page.markdown)


def _title(core: bytes) -> str:
    """The title among a document's properties; empty without one."""
    with parsing():
        return (ElementTree.fromstring(core).findtext(TITLE) or "").strip()
