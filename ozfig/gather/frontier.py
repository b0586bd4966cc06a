"""What a crawl knows: every address with its depth and state, in SQLite, so that a kill loses nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
create table if not exists pages (
    url text primary key, depth integer not null, state text not null default 'waiting',
    title text, markdown text, canonical text, note text
);
create index if not exists waiting on pages (state, depth, url);
"""


@dataclass(frozen=True)
class Fetched:
    """A page that was read."""

    url: str
    title: str
    markdown: str
    canonical: str
    note: str


class Frontier:
    """The addresses of one crawl. A page and the links that it gave are written in one transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def add(self, urls: Iterable[str], depth: int) -> None:
        """Remember addresses; one that is known keeps its smaller depth."""
        self._db.executemany(
            "insert into pages (url, depth) values (?, ?) on conflict (url) do update set depth = min(depth, excluded.depth)",
            [(url, depth) for url in urls],
        )

    def level(self, depth: int, limit: int) -> list[str]:
        """Addresses of a depth that wait, in alphabetical order, so that a limit cuts the same ones every time."""
        rows = self._db.execute(
            "select url from pages where state = 'waiting' and depth = ? order by url limit ?", (depth, limit)
        )
        return [row[0] for row in rows]

    def deepest(self) -> int:
        """The largest depth that still waits; -1 when nothing does."""
        found = self._db.execute("select max(depth) from pages where state = 'waiting'").fetchone()[0]
        return -1 if found is None else int(found)

    def done(self, page: Fetched, asked: str, links: Iterable[str], depth: int) -> None:
        """Store a page under the address that was asked, and its links one level deeper."""
        self._db.execute("begin")
        self._db.execute(
            "update pages set state = 'done', title = ?, markdown = ?, canonical = ?, note = ? where url = ?",
            (page.title, page.markdown, json.dumps([page.url, page.canonical]), page.note, asked),
        )
        self.add(links, depth + 1)
        self._db.execute("commit")

    def failed(self, url: str, reason: str) -> None:
        """Store why an address gave no page."""
        self._db.execute("update pages set state = 'failed', note = ? where url = ?", (reason, url))

    def count(self) -> int:
        """Pages that were read."""
        return int(self._db.execute("select count(*) from pages where state = 'done'").fetchone()[0])

    def pages(self) -> list[Fetched]:
        """Every page that was read, sorted by address."""
        rows = self._db.execute("select title, markdown, canonical, note from pages where state = 'done' order by url")
        found = []
        for title, markdown, addresses, note in rows:
            url, canonical = json.loads(addresses)
            found.append(Fetched(url, title, markdown, canonical, note))
        return found

    def failures(self) -> dict[str, str]:
        """Addresses that gave no page, with the reason."""
        return dict(self._db.execute("select url, note from pages where state = 'failed' order by url").fetchall())
