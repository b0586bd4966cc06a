"""Every answer that a crawl was given, in SQLite: what is committed survives a kill.

Only answers are kept, bodies as they came (compressed): which pages they lead to and what these say is worked
out from them again, so that a better reader needs no second crawl. An address without a row has not been
asked for. States: `page`, `file` (robots.txt, sitemaps), `route` (an address that only a browser can open),
`moved` (redirects), `failed` (answered, but not with a page), `unreachable` (asked again next time),
`closed` (robots.txt forbids it), `vanished` (was a page once, is none any more).
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ozfig.web import bodies
from ozfig.web.fetch import Reply

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    url TEXT PRIMARY KEY, state TEXT NOT NULL, round INTEGER NOT NULL, kind TEXT NOT NULL DEFAULT '',
    target TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', etag TEXT NOT NULL DEFAULT '',
    modified TEXT NOT NULL DEFAULT '', body BLOB NOT NULL DEFAULT x'', rendered BLOB
);
CREATE INDEX IF NOT EXISTS by_round ON answers (round, state, url);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
COLUMNS = "url, state, round, kind, target, reason, etag, modified, body, rendered"
GONE = (404, 410)


@dataclass(frozen=True)
class Answer:
    """What became of one address. `rendered` is the page as a browser showed it: None until one was asked."""

    url: str
    state: str
    round: int = 1
    kind: str = ""
    target: str = ""
    reason: str = ""
    etag: str = ""
    modified: str = ""
    body: bytes = b""
    rendered: str | None = None

    @property
    def html(self) -> str:
        """The page as text: as the browser showed it, else as it came."""
        return self.rendered or bodies.decode(self.body, self.kind)


def answer(reply: Reply, before: Answer | None = None, number: int = 1) -> Answer:
    """What a reply means for its address, knowing what it was `before`, in the round of that number."""
    was_page = before is not None and before.state == "page"
    if reply.status == 304 and before:
        # a page of scripts may show something new though its file is the same: the browser looks again
        return replace(before, round=number, reason="", rendered=None)
    reason = reply.problem or str(reply.status)
    if reply.is_passing:
        if reply.wait:
            reason += f", asks to be left alone for {reply.wait:.0f} s"
        return _kept(before, number, reason) if was_page else Answer(reply.url, "unreachable", number, reason=reason)
    if reply.location:
        return Answer(reply.url, "moved", number, target=reply.location)
    if reply.status >= 300 or reply.problem:
        state = "vanished" if was_page and reply.status in GONE else "failed"
        return Answer(reply.url, state, number, reason=reason)
    return Answer(reply.url, "page", number, reply.content_type, "", "", reply.etag, reply.modified, reply.body)


def no_answer(url: str, reason: str, before: Answer | None, number: int) -> Answer:
    """What silence means: a page that is known stays."""
    if before is not None and before.state == "page":
        return _kept(before, number, reason)
    return Answer(url, "unreachable", number, reason=reason)


def _kept(before: Answer | None, number: int, reason: str) -> Answer:
    assert before is not None
    return replace(before, round=number, reason=f"{reason}; the page fetched before is kept")


class Frontier:
    """The database of one crawl; without a path it is kept in memory.

    A round is one look at the whole site. It is finished when every page that counts has been asked for in it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)
        self.round = int(self._fact("round") or 1)

    def close(self) -> None:
        """Close the database; one without a page is taken away, since the next crawl loses nothing with it."""
        is_worthless = not self._one("SELECT 1 FROM answers WHERE state = 'page' LIMIT 1")
        self._db.close()
        if self._path and is_worthless:
            self._path.unlink()

    def begin(self, refresh: bool) -> None:
        """Begin a new round to look at everything again, or go on with the one that has not been finished.

        What gave no answer is forgotten, so that it is asked for again.
        """
        if refresh and (self.is_finished or self.round == 1) and self._one("SELECT 1 FROM answers LIMIT 1"):
            self.round += 1
            facts = [("round", json.dumps(self.round)), ("finished", "false")]
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts)
            self._db.execute("COMMIT")
        self._db.execute("DELETE FROM answers WHERE state = 'unreachable'")

    @property
    def is_finished(self) -> bool:
        """Whether the round came to its end."""
        return bool(self._fact("finished"))

    def finish(self) -> None:
        """Note that the round came to its end."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES ('finished', 'true')")

    def put(self, one: Answer) -> None:
        """Keep an answer; committed when this returns."""
        rendered = None if one.rendered is None else zlib.compress(one.rendered.encode("utf-8", "replace"), 1)
        row = (one.url, one.state, one.round, one.kind, one.target, one.reason, one.etag, one.modified)
        values = (*row, zlib.compress(one.body, 1) if one.body else b"", rendered)
        self._db.execute(f"INSERT OR REPLACE INTO answers ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", values)

    def forget(self, url: str) -> None:
        """Take an answer back, so that the next run asks again."""
        self._db.execute("DELETE FROM answers WHERE url = ?", (url,))

    def get(self, url: str) -> Answer | None:
        """What is known of an address, from whichever round."""
        row = self._one(f"SELECT {COLUMNS} FROM answers WHERE url = ?", url)
        return _answer(row) if row else None

    def current(self, url: str) -> Answer | None:
        """What this round was told of an address."""
        known = self.get(url)
        return known if known and known.round == self.round else None

    def every(self) -> Iterator[Answer]:
        """This round's answers for pages, by address, read one by one."""
        urls = self._all("SELECT url FROM answers WHERE round = ? AND state != 'file' ORDER BY url", self.round)
        for (url,) in urls:
            known = self.get(url)
            if known:
                yield known

    def stale(self) -> list[str]:
        """The addresses that an earlier round knew and this one has not asked for, sorted."""
        query = "SELECT url FROM answers WHERE round < ? AND state NOT IN ('file', 'route') ORDER BY url"
        return [url for (url,) in self._all(query, self.round)]

    def _fact(self, name: str) -> Any:
        row = self._one("SELECT value FROM facts WHERE name = ?", name)
        return json.loads(row[0]) if row else None

    def _one(self, query: str, *values: Any) -> Any:
        with closing(self._db.execute(query, values)) as cursor:
            return cursor.fetchone()

    def _all(self, query: str, *values: Any) -> list[Any]:
        with closing(self._db.execute(query, values)) as cursor:
            return cursor.fetchall()


def _answer(row: tuple[Any, ...]) -> Answer:
    *head, body, rendered = row
    shown = None if rendered is None else zlib.decompress(rendered).decode()
    return replace(Answer(*head), body=zlib.decompress(body) if body else b"", rendered=shown)
