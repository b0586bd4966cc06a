"""The pages of a crawl and how far each has come, in SQLite: what is committed survives a kill.

States: `pending` (to be asked for), `shell` (fetched, waits for a browser), `done`, `moved` (redirects),
`failed` (answered, but not with a page), `unreachable` (no answer: asked again when the crawl continues).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ozfig.web.extract import Page

SCHEMA = """
CREATE TABLE IF NOT EXISTS pages (
    url TEXT PRIMARY KEY, depth INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'pending',
    title TEXT NOT NULL DEFAULT '', markdown TEXT NOT NULL DEFAULT '', canonical TEXT NOT NULL DEFAULT '',
    scripts INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_state ON pages (state, depth, url);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Found:
    """A page that was fetched, or an address that gave none (`reason`)."""

    url: str
    state: str
    page: Page
    reason: str = ""


class Frontier:
    """The database of one crawl; without a path it is kept in memory."""

    def __init__(self, path: Path | None = None) -> None:
        self._db = sqlite3.connect(path or ":memory:")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def fact(self, name: str) -> Any:
        """A remembered value, or None."""
        row = self._one("SELECT value FROM facts WHERE name = ?", name)
        return json.loads(row[0]) if row else None

    def begin(self, facts: dict[str, Any], seeds: Iterable[tuple[str, int]]) -> None:
        """Remember what the crawl is of and where it starts, at once: a crawl has begun or it has not."""
        with self._db:
            self._add(seeds)
            rows = [(name, json.dumps(value)) for name, value in facts.items()]
            self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def ask_again(self) -> None:
        """Put the addresses that gave no answer back in line."""
        with self._db:
            self._db.execute("UPDATE pages SET state = 'pending', reason = '' WHERE state = 'unreachable'")

    def waiting(self, state: str, limit: int = -1) -> tuple[int, list[str]]:
        """The least depth at which pages are in a state, and the first of these, by address."""
        row = self._one("SELECT min(depth) FROM pages WHERE state = ?", state)
        depth = row[0] if row and row[0] is not None else -1
        query = "SELECT url FROM pages WHERE state = ? AND depth = ? ORDER BY url LIMIT ?"
        return depth, [url for (url,) in self._all(query, state, depth, limit)]

    def finish(self, url: str, state: str, page: Page | None = None, reason: str = "") -> None:
        """Set what became of an address."""
        page = page or Page("", "")
        with self._db:
            self._write(url, state, page, reason)

    def finish_page(self, url: str, state: str, page: Page, links: Iterable[tuple[str, int]]) -> None:
        """Keep a page together with the addresses that it leads to: both or neither."""
        with self._db:
            self._write(url, state, page, "")
            self._add(links)

    def move(self, url: str, target: str, depth: int) -> None:
        """Note a redirect; its target takes the place in line."""
        with self._db:
            self._write(url, "moved", Page("", ""), target)
            self._add([(target, depth)] if target else [])

    def count(self, *states: str) -> int:
        """How many addresses are in one of these states."""
        marks = ",".join("?" * len(states))
        row = self._one(f"SELECT count(*) FROM pages WHERE state IN ({marks})", *states)
        return int(row[0]) if row else 0

    def found(self, *states: str) -> list[Found]:
        """The addresses in these states with their pages, by address."""
        marks = ",".join("?" * len(states))
        query = "SELECT url, state, title, markdown, canonical, scripts, reason FROM pages"
        rows = self._all(f"{query} WHERE state IN ({marks}) ORDER BY url", *states)
        return [Found(u, s, Page(t, m, [], c, n), why) for u, s, t, m, c, n, why in rows]

    def _write(self, url: str, state: str, page: Page, reason: str) -> None:
        values = (state, page.title, page.markdown, page.canonical, page.scripts, reason, url)
        self._db.execute(
            "UPDATE pages SET state = ?, title = ?, markdown = ?, canonical = ?, scripts = ?, reason = ? WHERE url = ?",
            values,
        )

    def _add(self, seeds: Iterable[tuple[str, int]]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO pages (url, depth) VALUES (?, ?)", seeds)

    def _one(self, query: str, *values: Any) -> Any:
        with closing(self._db.execute(query, values)) as cursor:
            return cursor.fetchone()

    def _all(self, query: str, *values: Any) -> list[Any]:
        with closing(self._db.execute(query, values)) as cursor:
            return cursor.fetchall()
