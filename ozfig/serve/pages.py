"""The pages' HTML: whole pages and the pieces that the script swaps in, from one set of templates."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ozfig import __version__
from ozfig.serve import markdown
from ozfig.serve.backend import Backend
from ozfig.serve.settings import Settings
from ozfig.store.models import Conversation, Message, now

HERE = Path(__file__).parent
STATIC = HERE / "static"


class Pages:
    """Renders the templates for one app."""

    def __init__(self, settings: Settings, backend: Backend | None = None) -> None:
        """`backend` is the default model's; without one there is no chat page."""
        self._backend, self._settings = backend, settings
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters["markdown"] = markdown.render
        self._templates.globals.update(version=__version__, model=backend and backend.model)

    def chat(self, conversations: list[Conversation], current: Conversation | None, missing: bool = False) -> str:
        """The chat page, with a conversation or empty."""
        return self._render(
            "chat.html",
            days=by_day(conversations),
            current=current,
            missing=missing,
            questions=self._settings.questions,
            state=self._backend.state if self._backend else "failed",
        )

    def listing(self, conversations: list[Conversation], current: str = "", search: str = "") -> str:
        """The list at the side."""
        return self._render("list.html", days=by_day(conversations), current_id=current, search=search)

    def turn(self, message: Message) -> str:
        """One message."""
        return self._render("turn.html", message=message)

    def login(self, error: str = "") -> str:
        """The page that asks for the password."""
        return self._render("login.html", error=error)

    def docs(self) -> str:
        """The API's documentation."""
        return self._render("docs.html")

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
