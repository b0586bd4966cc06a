"""The passages that a question is answered from: of the run's documents, and of pages that a web search finds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ozfig.errors import OzfigError
from ozfig.recipe import Serve, WebSearch
from ozfig.retrieval.chunk import Passage, passages
from ozfig.retrieval.rank import ranked
from ozfig.serve.documents import Documents
from ozfig.serve.fence import Source, fenced
from ozfig.types import Document
from ozfig.web.cache import Cache
from ozfig.web.extract import extract
from ozfig.web.fetch import Fetcher, Manners
from ozfig.web.providers import Result
from ozfig.web.search import Search

PASSAGE_WORDS, OVERLAP = 120, 16
MOST_PASSAGES = 400  # of one page: what follows is not read


@dataclass(frozen=True)
class Found:
    """What was found for a question. `notes` say what could not be had, and `provider` who searched the web."""

    sources: tuple[Source, ...] = ()
    notes: tuple[str, ...] = ()
    provider: str = ""
    asked: bool = False

    @property
    def context(self) -> str:
        """The sources as a model reads them: numbered, harmless, between our marks."""
        return fenced(self.sources) if self.sources else ""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The sources as the store and the API write them."""
        return [source.row() for source in self.sources]

    @property
    def from_web(self) -> bool:
        """Whether a page of the web is among them."""
        return any(source.kind == "web" for source in self.sources)

    def shorter(self) -> Found:
        """Without the last source, for a model that cannot read them all."""
        return replace(self, sources=self.sources[:-1])


class Sources:
    """Finds passages by a recipe; nothing is opened or asked before the first question."""

    def __init__(self, section: Serve, documents: Documents | None = None, search: Search | None = None) -> None:
        self._section, self._web = section, section.web
        self.documents = documents or Documents(None)
        self._search = search or Search(section.web)
        self._pages: Cache[list[Passage]] = Cache(60 * section.web.cache_minutes)

    def wants(self, settings: Mapping[str, Any]) -> tuple[bool, bool]:
        """Whether to search the web and the documents: as a conversation's settings say, else as the recipe does."""
        return bool(settings.get("web", self._web.chat)), bool(settings.get("documents", self.documents.wanted))

    async def find(self, question: str, web: bool, documents: bool) -> Found:
        """The passages for a question, those of the documents first; every failure is a note."""
        found: list[tuple[Passage, Literal["web", "document"]]] = []
        notes: list[str] = []
        provider = ""
        if documents:
            own = await asyncio.to_thread(self.documents.search, question, self._section.passages)
            found += [(passage, "document") for passage in own]
            if not own:
                notes.append("nothing in the documents fits" if self.documents.there else "there are no documents here")
        if web:
            searched = await self._search.find(question)
            provider, notes = searched.provider, [*notes, *searched.notes]
            read = await self._read_all(searched.results, notes)
            best = await asyncio.to_thread(ranked, read, question, self._web.passages)
            found += [(hit.passage, "web") for hit in best]
            if read and not best:
                notes.append("the pages that were found do not speak of the question")
        sources = tuple(
            Source(i, passage.title_path or passage.uri, passage.uri, passage.text, kind)
            for i, (passage, kind) in enumerate(found, 1)
        )
        return Found(sources, tuple(notes), provider, web or documents)

    async def _read_all(self, results: list[Result], notes: list[str]) -> list[Passage]:
        """The passages of every page, all read at once; a page that cannot be read gives what the search showed."""
        manners = Manners(timeout=self._web.timeout, max_bytes=self._web.max_bytes, retries=0)
        async with Fetcher(manners, allow_private=self._web.allow_private) as fetcher:
            read = await asyncio.gather(*(self._read(fetcher, result, notes) for result in results))
        return [passage for found in read for passage in found]

    async def _read(self, fetcher: Fetcher, result: Result, notes: list[str]) -> list[Passage]:
        known = self._pages.get(result.url)
        if known:
            return known
        try:
            found = await _page(fetcher, result, self._web)
        except (OzfigError, TimeoutError) as error:
            notes.append(f"not read: {str(error) or f'{result.url}: timed out'}")
            return [Passage(result.url, result.title, result.text)] if result.text else []
        self._pages.put(result.url, found)
        return found


async def _page(fetcher: Fetcher, result: Result, section: WebSearch) -> list[Passage]:
    """A page's passages, and what the search showed of it. Raises OzfigError or TimeoutError when it is not read."""
    async with asyncio.timeout(section.timeout):
        reply = await fetcher.follow(result.url)
    if reply.problem or reply.status >= 400:
        raise OzfigError(f"{result.url}: {reply.problem or f'status {reply.status}'}")
    page = await asyncio.to_thread(extract, reply.text, reply.url)
    document = Document.make(reply.url, page.title or result.title, page.markdown)
    cut = await asyncio.to_thread(passages, document, PASSAGE_WORDS, OVERLAP)
    shown = [Passage(result.url, result.title, result.text)] if result.text and not cut else []
    return [*cut[:MOST_PASSAGES], *shown]
