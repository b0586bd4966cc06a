"""The style sheets that the server's pages share with the reports."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse

from ozfig import pages

router = APIRouter(include_in_schema=False)


@router.get("/static/tokens.css")
def tokens() -> FileResponse:
    """Colours and type."""
    return FileResponse(pages.HERE / "tokens.css", media_type="text/css")


@router.get("/static/paper.css")
def paper() -> FileResponse:
    """How text, tables and charts are set."""
    return FileResponse(pages.HERE / "paper.css", media_type="text/css")
