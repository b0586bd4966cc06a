"""Who this crawler is, and what a site's robots.txt (RFC 9309) allows it."""

from __future__ import annotations

from protego import Protego

from ozfig import __version__

AGENT = f"ozfig/{__version__}"


class Rules:
    """What a robots.txt allows this crawler."""

    def __init__(self, text: str) -> None:
        self._rules = Protego.parse(text)

    def allows(self, url: str) -> bool:
        """Whether an address may be asked for."""
        return bool(self._rules.can_fetch(url.split("#")[0], AGENT))

    @property
    def delay(self) -> float:
        """Seconds that it wants between two requests."""
        return float(self._rules.crawl_delay(AGENT) or 0)

    @property
    def sitemaps(self) -> list[str]:
        """The sitemaps that it names."""
        return list(self._rules.sitemaps)
