"""Slides: titles as headings, bullets with their levels, tables, charts' titles and the speaker's notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ozfig.gather.readers import Read, archive, markdown, missing, parsing
from ozfig.gather.readers.markdown import one_line


def read(path: Path) -> Read:
    """The slides in order. Raises Unreadable."""
    try:
        import pptx
    except ModuleNotFoundError:
        raise missing(path) from None
    with archive.opened(path) as parts:
        archive.part(parts, "ppt/presentation.xml")
    with parsing():
        deck = pptx.Presentation(str(path))
        slides = ["\n\n".join(_slide(slide, number)) for number, slide in enumerate(deck.slides, 1)]
        first = deck.slides[0].shapes.title if len(deck.slides) else None
        named = one_line(first.text) if first is not None and first.has_text_frame else ""
        title = named or one_line(deck.core_properties.title or "")
    text = "\n\n".join(slide for slide in slides if slide)
    return Read("" if title == "PowerPoint Presentation" else title, text)


def _slide(slide: Any, number: int) -> Iterator[str]:
    """A slide's blocks: its heading, its shapes from the top down, its notes."""
    title = slide.shapes.title
    heading = one_line(title.text) if title is not None and title.has_text_frame else ""
    if heading:
        yield f"{'#' if number == 1 else '##'} {heading}"
    own = title.shape_id if title is not None else None
    for shape in _in_order(slide.shapes):
        if shape.shape_id != own:
            yield from _shape(shape)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = one_line(slide.notes_slide.notes_text_frame.text)
        if notes:
            yield f"Notes: {notes}"


def _in_order(shapes: Iterable[Any]) -> list[Any]:
    """Shapes from the top down and, side by side, from the left; groups are taken apart."""
    flat: list[Any] = []
    for shape in shapes:
        flat += _in_order(shape.shapes) if hasattr(shape, "shapes") else [shape]
    return sorted(flat, key=lambda s: (s.top or 0, s.left or 0))


def _shape(shape: Any) -> Iterator[str]:
    """A table, a chart's title, or text."""
    if getattr(shape, "has_table", False):
        yield markdown.table([[cell.text for cell in row.cells] for row in shape.table.rows])
    elif getattr(shape, "has_chart", False):
        if shape.chart.has_title and shape.chart.chart_title.has_text_frame:
            yield one_line(shape.chart.chart_title.text_frame.text)
    elif shape.has_text_frame:
        yield from _text(shape)


def _text(shape: Any) -> Iterator[str]:
    """A text frame: lists where PowerPoint shows bullets, else paragraphs."""
    run: list[str] = []
    for paragraph in shape.text_frame.paragraphs:
        text = one_line(paragraph.text)
        if not text:
            continue
        if _is_bullet(shape, paragraph):
            run.append(markdown.item(text, paragraph.level))
        else:
            if run:
                yield "\n".join(run)
            run = []
            yield text
    if run:
        yield "\n".join(run)


def _is_bullet(shape: Any, paragraph: Any) -> bool:
    """Whether a paragraph is an item: its own mark says so, else its place does (body placeholders have bullets)."""
    properties = paragraph._p.pPr
    marks = {child.tag.rsplit("}", 1)[-1] for child in properties} if properties is not None else set()
    if "buNone" in marks:
        return False
    if marks & {"buChar", "buAutoNum", "buBlip"} or paragraph.level:
        return True
    if not shape.is_placeholder:
        return False
    from pptx.enum.shapes import PP_PLACEHOLDER

    return shape.placeholder_format.type in (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT)
