"""A page's HTML as title, Markdown and links.

What is no text goes (`noise`); code, tables and the rest become what Markdown can hold (`code`, `tables`, `shapes`);
the main container, where it is known, else the whole body, is converted (`markdown`). Shapes that rules read later:

- what folds out becomes a heading one level below the last one, then the text;
- a term and its meanings become the line `**Term**` and below it, for each meaning, a line `: meaning`;
- a table's caption becomes a paragraph in italics above it; code blocks are fenced, with their language;
- links become their text (mail and telephone addresses that the text leaves out follow in brackets);
- questions that a page only marks up for search engines (`markup`) follow at its end, a heading each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ozfig.web import code, markdown, markup, noise, shapes, tables
from ozfig.web.nodes import attribute, text
from ozfig.web.shells import LITTLE as LITTLE
from ozfig.web.shells import signs
from ozfig.web.urls import clean

# the generators' own containers first: <main> often holds their navigation too
CONTAINERS = (
    "article.md-content__inner",
    ".theme-doc-markdown",
    ".vp-doc",
    ".sl-markdown-content",
    "div[itemprop=articleBody]",
    ".rst-content [role=main]",
    "div.body[role=main]",
    ".markdown-section",
    ".markdown-body",
    "#mw-content-text",
)
LANDMARKS = ("main", "[role=main]", "article")
MOST_OF_IT, ENOUGH_OF_THE_PAGE = 0.8, 0.2
REFRESH = re.compile(r"url\s*=\s*['\"]?([^'\"]+)", re.IGNORECASE)
# where routers keep an address that is no href
ROUTES = ("data-href", "data-route", "data-to", "routerlink", "ng-reflect-router-link")
GOES_TO = re.compile(r"""location(?:\.href)?\s*=\s*['"]([^'"]+)['"]""")


@dataclass(frozen=True)
class Page:
    """What a page says. `canonical` is the address that it names for itself, `scripts` how many may write text.

    `needs_scripts` says that there are signs of a text that they write (see `shells`).
    """

    title: str
    markdown: str
    links: list[str] = field(default_factory=list)
    canonical: str = ""
    scripts: int = 0
    needs_scripts: bool = False

    @property
    def is_shell(self) -> bool:
        """Whether the page has more to say once its scripts have run: so it seems, or it says nothing without."""
        return self.needs_scripts or (self.scripts > 0 and not self.markdown)


def extract(html: str, url: str = "") -> Page:
    """Read a page. `url` makes its links absolute."""
    tree = LexborHTMLParser(html)
    base_tag = tree.css_first("base[href]")
    base = clean(attribute(base_tag, "href"), url) or url if base_tag else url
    links = _links(tree, base)
    canonical = clean(attribute(tree.css_first("link[rel=canonical]"), "href"), base)
    named = text(tree.css_first("title")) or attribute(tree.css_first("meta[property='og:title']"), "content")
    seen = signs(tree)
    asked = markup.questions(tree)

    code.close(tree)
    shapes.open_panels(tree)
    noise.drop(tree)
    code.tidy(tree)
    shapes.reshape(tree)
    tables.straighten(tree)
    heading, words = _main_text(tree, named)
    title = heading or _without_site(named) or url
    return Page(title, _with_questions(words, asked), links, canonical, seen.scripts, seen.is_shell(words))


def _links(tree: LexborHTMLParser, base: str) -> list[str]:
    """Every address that the page leads to, each once, in the page's order."""
    found = [attribute(a, "href") for a in tree.css("a[href], area[href]") if "nofollow" not in attribute(a, "rel")]
    for node in tree.css(", ".join(f"[{name}]" for name in ROUTES)):
        found += [link for name in ROUTES if (link := attribute(node, name)).startswith(("/", "#/", "#!/"))]
    for node in tree.css("[onclick*=location]"):
        found += GOES_TO.findall(attribute(node, "onclick"))
    refresh = REFRESH.search(attribute(tree.css_first("meta[http-equiv=refresh i]"), "content"))
    if refresh:
        found.append(refresh[1])
    return list(dict.fromkeys(url for link in found if (url := clean(link, base))))


def _main_text(tree: LexborHTMLParser, named: str) -> tuple[str, str]:
    """The page's own heading and its text as Markdown. `named` is the window's title."""
    body = tree.body
    if body is None:
        return "", ""
    node = _container(body)
    if node.tag == "body":
        noise.drop_menus(body)
    first = node.css_first("h1")
    heading = text(first).replace("\u00b6", "").strip()
    # themes put the heading above the text's own container, and the site's name into another one
    above = next((words for h1 in body.css("h1") if (words := text(h1)) and named.startswith(words)), "")
    lead = f"# {above}\n\n" if first is None and above else ""
    heading = heading or above
    for link in node.css("a[href]"):
        _write_out_address(link)
    return heading, (lead + markdown.convert(node.html or "")).strip()


def _container(body: LexborNode) -> LexborNode:
    """The element that holds the page's text: a known one, or the body."""
    length = len(text(body))
    for selector in (*CONTAINERS, *LANDMARKS):
        found = body.css(selector)
        lengths = [len(text(node)) for node in found]
        best = max(lengths, default=0)
        least = LITTLE if selector in CONTAINERS else max(LITTLE, ENOUGH_OF_THE_PAGE * length)
        if best >= least and best >= MOST_OF_IT * sum(lengths):
            return found[lengths.index(best)]
    return body


def _with_questions(words: str, asked: list[tuple[str, str]]) -> str:
    """A text and, below it, the marked up questions that it does not hold together with their answers."""
    letters = markup.letters_of(words) if asked else ""
    parts = [words]
    for question, answer in asked:
        if not (markup.is_said(question, letters) and markup.is_said(markup.text_of(answer), letters)):
            parts.append(f"## {question}\n\n{_answer(answer)}")
    return "\n\n".join(part for part in parts if part)


def _answer(html: str) -> str:
    """An answer as Markdown; headings in it would begin sections of their own and become plain lines."""
    tree = LexborHTMLParser(html)
    for link in tree.css("a[href]"):
        _write_out_address(link)
    return re.sub(r"^#{1,6} ", "", markdown.convert(tree.body.html or "" if tree.body else ""), flags=re.MULTILINE)


def _write_out_address(node: LexborNode) -> None:
    """Leave a link's text, and for mail and telephone the address that it hides."""
    kind, _, address = attribute(node, "href").partition(":")
    address = address.split("?")[0]
    words = re.sub(r"\W", "", text(node))
    is_shown = any(c.isdigit() for c in words) if kind == "tel" else "@" in text(node)
    if kind in ("mailto", "tel") and address and words and not is_shown:
        node.insert_after(f" ({address})")
    if node.first_child is None:
        node.decompose()
    else:
        node.unwrap()


def _without_site(title: str) -> str:
    """A window title without the site's name after it."""
    return re.split(r"\s+[|\u2013\u2014\u00b7\u2022-]\s+", title)[0].strip()
