"""Whether a page's text is written by its scripts, told from its HTML alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ozfig.web.nodes import attribute, text

LITTLE, NEXT_TO_NOTHING = 200, 40
# a mount point with more words in it than "Loading, please wait" was filled by the server
MOST_IN_A_MOUNT = 50
MOST_BESIDE_A_MOUNT = 1000
# characters of a script that are looked at; what is longer is data
BEGINNING = 5_000
MOUNTS = (
    "#root, #app, #__next, #__nuxt, #___gatsby, #svelte, #application, #react-root, #vue-app, #ember-app, #main-app,"
    " app-root, [ng-app], [ng-version], [data-reactroot], [data-v-app], main, [role=main]"
)
# counts visits, shows notices or advertisements, talks to visitors: writes no text
BESIDES = re.compile(
    r"analytics|gtag|googletagmanager|gtm\.js|adsbygoogle|doubleclick|matomo|piwik|plausible|umami|hotjar|clarity"
    r"|cloudflareinsights|cdn-cgi|segment\.|mixpanel|fbevents|fbq\(|_gaq|_paq|datalayer|ga\('|hs-scripts|intercom"
    r"|recaptcha|cookie|consent|sentry|newrelic|livereload",
    re.IGNORECASE,
)
# a build tool's file: its name carries a hash, or it lies where frameworks put it
BUNDLE = re.compile(
    r"[.-](?=[\w-]*\d)[\w-]{8,}\.m?js$|/_next/|/_nuxt/|/static/js/"
    r"|\b(?:react|react-dom|vue|angular|svelte|ember|preact|docsify)\b[^/]*\.js$",
    re.IGNORECASE,
)
WRITES = re.compile(
    r"innerHTML|createElement\(|appendChild|textContent\s*=|createRoot|hydrate|createApp|\.mount\(|ReactDOM|fetch\("
    r"|XMLHttpRequest|\$docsify|import\("
)
ASKS = re.compile(r"(?:enable|requires?|needs?|turn on|activate|without)\W+(?:\w+\W+){0,3}?java ?script", re.IGNORECASE)
WAITS = re.compile(r"(?:loading|please wait|just a moment|one moment|initiali[sz]ing)\W*(?:please wait)?\W*", re.I)


@dataclass(frozen=True)
class Signs:
    """What a page's HTML says about its scripts.

    `scripts` counts those that may write text, `writes` says that one of them looks as if it did, `has_empty_mount`
    that the element which frameworks fill is there and empty, `asks` that the page asks for JavaScript.
    """

    scripts: int
    writes: bool
    has_empty_mount: bool
    asks: bool

    def is_shell(self, markdown: str) -> bool:
        """Whether a page that gave this text has more to say once its scripts have run."""
        length = len(markdown)
        if not self.scripts:
            return False
        if not length or WAITS.fullmatch(markdown):
            return True
        if self.asks and self.has_empty_mount and length < MOST_BESIDE_A_MOUNT:
            return True
        return length < LITTLE and (self.asks or self.has_empty_mount or (self.writes and length < NEXT_TO_NOTHING))


def signs(tree: LexborHTMLParser) -> Signs:
    """Read a page before anything is taken out of it."""
    scripts = [s for s in tree.css("script") if _may_write(s)]
    said = " ".join(text(node) for node in tree.css("noscript"))
    return Signs(
        scripts=len(scripts),
        writes=any(_looks_like_writing(s) for s in scripts),
        has_empty_mount=_has_empty_mount(tree),
        asks=bool(ASKS.search(said)),
    )


def _may_write(script: LexborNode) -> bool:
    kind = attribute(script, "type").lower()
    if kind and kind != "module" and "javascript" not in kind and "babel" not in kind:
        return False
    return not BESIDES.search(attribute(script, "src") or script.text(deep=True)[:BEGINNING])


def _looks_like_writing(script: LexborNode) -> bool:
    source = attribute(script, "src")
    if source:
        return attribute(script, "type") == "module" or bool(BUNDLE.search(source.split("?")[0]))
    return bool(WRITES.search(script.text(deep=True)[:BEGINNING]))


def _has_empty_mount(tree: LexborHTMLParser) -> bool:
    """Whether there is a mount point with next to nothing in it; an element of the page's own kind is one too."""
    body = tree.body
    if body is None:
        return False
    own = [node for node in body.iter() if "-" in (node.tag or "") and not (node.tag or "").startswith("-")]
    return any(len(_shown(node)) < MOST_IN_A_MOUNT for node in [*tree.css(MOUNTS), *own])


def _shown(node: LexborNode) -> str:
    """A node's words without those of scripts in it."""
    hidden = sum(len(text(n)) for n in node.css("script, style, noscript, template"))
    return text(node)[: max(0, len(text(node)) - hidden)]
