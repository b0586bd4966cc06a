"""Web search: providers one after the other until one has results, remembered for a while.

A provider that limits us or fails is left alone for a while, twice as long each time it happens again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ozfig.errors import OzfigError
from ozfig.recipe import WebSearch
from ozfig.web.cache import Cache
from ozfig.web.providers import Ddgs, DuckDuckGo, Limited, Provider, Result, SearXNG

AFTER_LIMIT, AFTER_FAILURE, LONGEST_REST = 60.0, 5.0, 600.0
LONGEST_QUERY = 400  # characters: search engines refuse whole texts


@dataclass(frozen=True)
class Searched:
    """The results, who gave them, and what kept the others from it."""

    results: list[Result]
    provider: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass
class _Rest:
    """Until when a provider is left alone, and for how long that was."""

    until: float = 0.0
    seconds: float = 0.0

    def begin(self, first: float, least: float = 0.0) -> None:
        """Leave it alone from now on, twice as long as the last time."""
        self.seconds = min(LONGEST_REST, max(first, 2 * self.seconds, least))
        self.until = time.monotonic() + self.seconds


class Search:
    """The chain of a recipe's providers."""

    def __init__(self, section: WebSearch, providers: Mapping[str, Provider] | None = None) -> None:
        self._most = section.results
        self._providers = dict(providers or _made(section))
        self._rests = {name: _Rest() for name in self._providers}
        self._cache: Cache[Searched] = Cache(60 * section.cache_minutes)

    async def find(self, query: str) -> Searched:
        """The first provider's results that has any. Failures are notes: a question is answered without the web too."""
        query = " ".join(query.split())[:LONGEST_QUERY]
        known = self._cache.get(query.casefold())
        if known:
            return known
        notes: list[str] = []
        for name in self._providers:
            results = await self._ask(name, query, notes)
            if results:
                found = Searched(results, name, notes)
                self._cache.put(query.casefold(), found)
                return found
        return Searched([], "", [*notes, "the web search found no results"])

    async def _ask(self, name: str, query: str, notes: list[str]) -> list[Result]:
        """One provider's results; why there are none becomes a note."""
        rest = self._rests[name]
        left = rest.until - time.monotonic()
        if left > 0:
            notes.append(f"{name}: left alone for another {left:.0f} s after it refused or failed")
            return []
        try:
            results = await self._providers[name].ask(query, self._most)
        except Limited as error:
            rest.begin(AFTER_LIMIT, error.wait)
            notes.append(f"{name}: {error}")
            return []
        except OzfigError as error:
            rest.begin(AFTER_FAILURE)
            notes.append(f"{name}: {error}")
            return []
        rest.seconds = 0.0
        if not results:
            notes.append(f"{name}: no results")
        return results


def _made(section: WebSearch) -> dict[str, Provider]:
    """The providers of a recipe, in order."""
    known: dict[str, Provider] = {
        "duckduckgo": DuckDuckGo(section.duckduckgo, section.timeout),
        "ddgs": Ddgs(section.timeout),
        "searxng": SearXNG(section.searxng, section.timeout),
    }
    return {name: known[name] for name in section.chain}
