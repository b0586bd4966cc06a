"""The pages' HTML: whole pages and the pieces that the script swaps in, from one set of templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ozfig import __version__
from ozfig.serve import markdown
from ozfig.serve.models import Models
from ozfig.serve.settings import Settings
from ozfig.serve.turns import Round, rounds
from ozfig.store.models import Conversation, Message, now

HERE = Path(__file__).parent
STATIC = HERE / "static"


@dataclass(frozen=True)
class Features:
    """What the pages may offer. `web` and `documents` are whether a new chat has them on; None is not at all."""

    web: bool | None = None
    documents: bool | None = None
    transcription: bool = False


class Pages:
    """Renders the templates for one app."""

    def __init__(self, settings: Settings, models: Models | None = None, features: Features | None = None) -> None:
        """Without models there is no chat page."""
        self._models, self._settings, features = models, settings, features or Features()
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters.update(markdown=_body, host=_host, plain=markdown.plain)
        self._templates.globals.update(version=__version__, features=features, models=models, settings=settings)

    def chat(self, conversations: list[Conversation], current: Conversation | None, missing: bool = False) -> str:
        """The chat page, with a conversation or empty."""
        return self._page("chat", conversations, current, missing)

    def compare(self, conversations: list[Conversation], current: Conversation | None, missing: bool = False) -> str:
        """The page that compares models, with a comparison or empty."""
        return self._page("compare", conversations, current, missing)

    def listing(self, conversations: list[Conversation], current: str = "", search: str = "", kind: str = "") -> str:
        """The list at the side."""
        values = {"days": by_day(conversations), "current_id": current, "search": search, "kind": kind or "chat"}
        return self._render("list.html", **values)

    def turn(self, message: Message, former: list[Message] | None = None, kind: str = "chat") -> str:
        """One message; of an answer also those that it took the place of."""
        return self._render("turn.html", message=message, former=former or [], kind=kind)

    def looking(self, places: Sequence[str]) -> str:
        """The line of an answer that looks for sources."""
        return self._render("looking.html", places=places)

    def sources(self, message: int, sources: list[dict[str, Any]], kind: str) -> str:
        """The cards of an answer's sources; empty without any."""
        return self._render("sources.html", message=Message(id=message, sources=sources), kind=kind) if sources else ""

    def round(self, one: Round, kind: str) -> str:
        """A question and its answers."""
        return self._render("round.html", round=one, kind=kind)

    def login(self, error: str = "") -> str:
        """The page that asks for the password."""
        return self._render("login.html", error=error)

    def failed(self, status: int, message: str) -> str:
        """What a person sees at an address that has nothing, or that cannot be answered."""
        return self._render("failed.html", status=status, message=message)

    def docs(self) -> str:
        """The API's documentation."""
        return self._render("docs.html")

    def _page(self, kind: str, listed: list[Conversation], current: Conversation | None, missing: bool) -> str:
        assert self._models is not None, "a chat page needs a model"
        default = self._models.get()
        return self._render(
            f"{kind}.html",
            kind=kind,
            days=by_day(listed),
            current=current,
            current_id=current.id if current else "",
            chosen=current.settings if current else {},
            rounds=rounds(current.messages) if current else [],
            missing=missing,
            search="",
            questions=self._settings.questions,
            state=default.state,
            model=default.model,
        )

    def _render(self, name: str, **values: Any) -> str:
        return self._templates.get_template(name).render(**values)


def by_day(conversations: list[Conversation], today: datetime | None = None) -> list[tuple[str, list[Conversation]]]:
    """Conversations under Today, Yesterday, This week and Earlier, by this machine's clock. `today` is in UTC."""
    shift = datetime.now().astimezone().utcoffset() or timedelta()
    date = ((today or now()) + shift).date()
    groups: dict[str, list[Conversation]] = {}
    for row in conversations:
        age = (date - (row.updated_at + shift).date()).days
        name = "Today" if age < 1 else "Yesterday" if age == 1 else "This week" if age < 7 else "Earlier"
        groups.setdefault(name, []).append(row)
    return list(groups.items())


def _body(message: Message) -> str:
    """An answer's HTML, its citations leading to its own sources."""
    return markdown.render(message.content.lstrip(), len(message.sources), f"source-{message.id}-")


def _host(url: str) -> str:
    """Where an address leads, without the usual www; empty for one that is no web page."""
    parts = urlsplit(url)
    return (parts.hostname or "").removeprefix("www.") if parts.scheme in {"http", "https"} else ""
