"""Which addresses belong to a crawl: sites, patterns of the recipe, robots.txt, and traps that never end."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

from ozfig.errors import UserError
from ozfig.recipe import Website
from ozfig.web.robots import Rules
from ozfig.web.urls import Site, clean

MOST_REPEATS = 3
NUMBER = re.compile(r"\d+")


class Places:
    """The addresses that a crawl follows and keeps. `named` are those that the recipe itself lists;
    `listed_hosts` are their hosts where no links are followed."""

    def __init__(self, section: Website, named: Sequence[str]) -> None:
        self.sites: list[Site] = []
        self.rules: dict[str, Rules] = {}
        self.named = frozenset(named)
        self.listed_hosts: frozenset[str] = frozenset()
        self.traps: set[str] = set()
        self._include = [_pattern(p, "include") for p in section.include]
        self._exclude = [_pattern(p, "exclude") for p in section.exclude]
        self._own: dict[str, str] = {}
        self._shapes: dict[str, str] = {}

    def add(self, site: Site) -> None:
        """Follow links within one more site."""
        if site not in self.sites:
            self.sites.append(site)

    def own(self, link: str) -> str:
        """A link in the spelling of its site; "" when the crawl does not follow it.

        robots.txt is not asked here: another host's may be read only after its first link was met.
        """
        known = self._own.get(link)
        if known is None:
            known = self._own[link] = self._followed(link)
        return known

    def listed(self, link: str) -> str:
        """The same for an address from a sitemap or a canonical link, where a local copy names its public host."""
        found = (own for site in self.sites if (url := site.listed(link)) and (own := self.own(url)))
        return next((own for own in found if self.allows(own)), "")

    def target(self, source: str, location: str) -> str:
        """Where a redirect leads, if the crawl goes along.

        A site has one spelling here; when its server insists on another one (https, www), that is taken.
        A page that is not followed from a link but listed may move to anywhere on its host.
        """
        own = self.own(location) if location else ""
        if own and own != source:
            return own
        here = host_of(source)
        return location if host_of(location) == here and (own or here in self.listed_hosts) else ""

    def allows(self, url: str) -> bool:
        """Whether robots.txt, where it is known already, lets an address be asked for."""
        rules = self.rules.get(urlsplit(url).netloc)
        return rules is None or rules.allows(url)

    def wanted(self, url: str) -> bool:
        """Whether the recipe's patterns let an address into the documents."""
        parts = urlsplit(url)
        spellings = (parts.path, f"{parts.path}?{parts.query}") if parts.query else (parts.path,)
        if self._include and not any(p.match(s) for p in self._include for s in spellings):
            return False
        return not any(p.match(s) for p in self._exclude for s in spellings)

    def shape(self, url: str) -> str:
        """What an address has in common with its like: numbers and the values of its query are left out.

        "" when nothing is, so that the address stands alone.
        """
        if url not in self._shapes:
            parts = urlsplit(url)
            names = "&".join(sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}))
            path = NUMBER.sub("0", parts.path)
            is_plain = not NUMBER.search(path) and not names
            self._shapes[url] = "" if is_plain else f"{parts.netloc}{path}{'?' if names else ''}{names}"
        return self._shapes[url]

    def _followed(self, link: str) -> str:
        url = link if link in self.named else next((own for site in self.sites if (own := site.own(link))), "")
        if not url or not (self.wanted(url) or url in self.named):
            return ""
        if url not in self.named and max(Counter(urlsplit(url).path.strip("/").split("/")).values()) > MOST_REPEATS:
            self.traps.add(url)
            return ""
        return url


def _pattern(text: str, key: str) -> re.Pattern[str]:
    """A pattern of the recipe as a regular expression for a whole path. Raises UserError."""
    if not text.startswith("re:"):
        return re.compile(fnmatch.translate(text))
    try:
        return re.compile(f".*?(?:{text[3:]})")
    except re.error as error:
        raise UserError(f"{key}: {text}: not a regular expression: {error}") from None


def host_of(url: str) -> str:
    """The name of an address's host, without www."""
    return (urlsplit(url).hostname or "").removeprefix("www.")


def addresses(section: Website, listed: Sequence[str]) -> list[str]:
    """The addresses that a recipe names, each once, in one spelling, the start first. Raises UserError."""
    found = []
    for text in [*([section.url] if section.url else []), *section.urls, *listed]:
        url = clean(text)
        if not url:
            raise UserError(f"{text}: not a web address; write it as https://example.com/")
        found.append(url)
    return list(dict.fromkeys(found))
