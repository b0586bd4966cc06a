"""A page's HTML as title, Markdown and links.

The main container is taken where it is known, else the whole body that is left without navigation; where
that is mostly links, trafilatura looks for the text in it. Shapes that rules read later:

- `<details><summary>Question</summary>...` becomes a heading one level below the last one, then the text;
- `<dt>Term</dt><dd>meaning</dd>` becomes the line `**Term**` and below it, for each meaning, a line `: meaning`;
- a table's caption becomes a paragraph in italics above it; code blocks are fenced;
- links become their text (mail and telephone addresses that the text leaves out follow in brackets);
- pictures, scripts, forms, navigation, page headers and footers, cookie notices are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ozfig.web.urls import clean

LITTLE = 200
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
    "main",
    "[role=main]",
    "article",
)
NOISE = (
    "script, style, noscript, template, iframe, object, svg, canvas, video, audio, img, picture, nav, input, select,"
    " textarea, dialog, [role=navigation], [role=banner], [role=contentinfo], [role=search], [role=dialog],"
    " [aria-hidden=true], [hidden]:not([hidden=until-found]), a.headerlink, a.skip, .skip-link, .sr-only,"
    " .visually-hidden, .breadcrumb, .breadcrumbs, td.linenos, td.gutter, .md-source-file, .edit-this-page"
)
NOTICE = ", ".join(
    f"{tag}[{key}*={word} i]"
    for tag in ("div", "section", "aside", "form", "p")
    for key in ("id", "class", "aria-label")
    for word in ("cookie", "consent", "gdpr")
)
LONGEST_NOTICE = 1500
MOSTLY_LINKS = 0.3
BLOCKS = {"ul", "ol", "pre", "table", "dl", "blockquote", "details", "h1", "h2", "h3", "h4", "h5", "h6"}
HEADINGS = "h1, h2, h3, h4, h5, h6"
REFRESH = re.compile(r"url\s*=\s*['\"]?([^'\"]+)", re.IGNORECASE)
LANGUAGE = re.compile(r"\b(?:language|highlight)-(?!plaintext|default|none|text)([\w+#-]+)")


@dataclass(frozen=True)
class Page:
    """What a page says. `scripts` counts its scripts; `canonical` is the address that it names for itself."""

    title: str
    markdown: str
    links: list[str] = field(default_factory=list)
    canonical: str = ""
    scripts: int = 0

    @property
    def is_shell(self) -> bool:
        """Whether the text is probably written by a script: almost none is there, and scripts are."""
        return len(self.markdown) < LITTLE and self.scripts > 0


def extract(html: str, url: str = "") -> Page:
    """Read a page. `url` makes its links absolute."""
    tree = LexborHTMLParser(html)
    base_tag = tree.css_first("base[href]")
    base = clean(_attribute(base_tag, "href"), url) or url if base_tag else url
    links = _links(tree, base)
    canonical = clean(_attribute(tree.css_first("link[rel=canonical]"), "href"), base)
    scripts = sum(1 for s in tree.css("script") if "json" not in _attribute(s, "type"))
    named = _text(tree.css_first("title")) or _attribute(tree.css_first("meta[property='og:title']"), "content")

    _drop_noise(tree)
    _reshape(tree)
    heading, markdown = _main_text(tree)
    return Page(heading or _without_site(named) or url, markdown, links, canonical, scripts)


def _links(tree: LexborHTMLParser, base: str) -> list[str]:
    """Every address that the page leads to, each once, in the page's order."""
    found = [_attribute(a, "href") for a in tree.css("a[href], area[href]") if "nofollow" not in _attribute(a, "rel")]
    refresh = REFRESH.search(_attribute(tree.css_first("meta[http-equiv=refresh i]"), "content"))
    if refresh:
        found.append(refresh[1])
    return list(dict.fromkeys(url for link in found if (url := clean(link, base))))


def _drop_noise(tree: LexborHTMLParser) -> None:
    """Take out what is no text of the page."""
    for node in tree.css("h1 button, h2 button, h3 button, h4 button, h5 button, h6 button, summary button, dt button"):
        node.unwrap()
    for node in tree.css(f"{NOISE}, button"):
        node.decompose()
    for node in tree.css("header, footer"):
        if node.tag == "footer" or not node.css_first("h1, h2" if _inside(node, {"main", "article"}) else "h1"):
            node.decompose()
    for node in tree.css(NOTICE):
        if len(_text(node)) < LONGEST_NOTICE and not node.css_first("h1, main, article"):
            node.decompose()
    for node in tree.css("aside"):
        if sum(len(_text(a)) for a in node.css("a")) > len(_text(node)) / 2:
            node.decompose()


def _reshape(tree: LexborHTMLParser) -> None:
    """Turn what Markdown lacks, or what converters get wrong, into shapes that they know."""
    for node in tree.css("h1 br, h2 br, h3 br, h4 br, h5 br, h6 br, summary br, dt br"):
        node.replace_with(" ")
    for node in tree.css("li > p:only-child"):
        node.unwrap()
    _code_blocks(tree)
    _details_to_headings(tree)
    _definitions_to_lines(tree)


def _code_blocks(tree: LexborHTMLParser) -> None:
    """Take code out of the tables that number its lines, and put its language where Markdown looks for it."""
    for node in tree.css("table.highlighttable, table.rouge-table"):
        code = node.css_first("td.code pre, td.rouge-code pre")
        if code is not None:
            node.replace_with(code)
    for box in tree.css("div[class*=language-], div[class*=highlight-]"):
        named = LANGUAGE.search(_attribute(box, "class"))
        for code in box.css("pre code") if named else []:
            if not LANGUAGE.search(_attribute(code, "class")):
                code.attrs["class"] = f"language-{named[1]}"  # type: ignore[index]


def _write_out_address(node: LexborNode) -> None:
    """Leave a link's text, and for mail and telephone the address that it hides."""
    kind, _, address = _attribute(node, "href").partition(":")
    address = address.split("?")[0]
    text = re.sub(r"\W", "", _text(node))
    is_shown = any(c.isdigit() for c in text) if kind == "tel" else re.sub(r"\W", "", address) in text
    if kind in ("mailto", "tel") and address and text and not is_shown:
        node.insert_after(f" ({address})")
    node.unwrap()


def _details_to_headings(tree: LexborHTMLParser) -> None:
    """Turn each summary into a heading one level below the heading before it."""
    level = 1
    for node in tree.css(f"{HEADINGS}, summary"):
        if node.tag != "summary":
            level = int((node.tag or "h1")[1])
        elif node.css_first(HEADINGS) is None:
            node.replace_with(_element(tree, f"h{min(level + 1, 6)}", _text(node)))
    for tag in ("details", "summary"):
        for node in tree.css(tag):
            node.unwrap()


def _definitions_to_lines(tree: LexborHTMLParser) -> None:
    """Turn definition lists into `**Term**` and `: meaning` paragraphs, which `_polish` joins."""
    for node in tree.css("dt"):
        if not _text(node):
            node.decompose()
            continue
        paragraph = tree.create_node("p")
        paragraph.insert_child(_element(tree, "strong", _text(node)))
        node.replace_with(paragraph)
    for node in tree.css("dd"):
        first = _first_content(node)
        if first is not None:
            first.insert_before(": ")
        if node.css_first("ul, ol, pre, table, p, div, blockquote"):
            node.unwrap()
        else:
            paragraph = tree.create_node("p")
            for child in node.iter(include_text=True):
                paragraph.insert_child(child)
            node.replace_with(paragraph)
    for node in tree.css("dl"):
        node.unwrap()


def _first_content(node: LexborNode) -> LexborNode | None:
    """Where a definition's words begin; None when it begins with a list, table or code block."""
    for child in node.iter(include_text=True):
        if child.is_text_node:
            if (child.text_content or "").strip():
                return child
        elif child.tag in BLOCKS:
            return None
        elif child.tag in ("p", "div"):
            return _first_content(child)
        else:
            return child
    return None


def _main_text(tree: LexborHTMLParser) -> tuple[str, str]:
    """The page's own heading and its text as Markdown."""
    body = tree.body
    if body is None:
        return "", ""
    known = (tree.css(selector) for selector in CONTAINERS)
    node = next((found[0] for found in known if len(found) == 1 and len(_text(found[0])) >= LITTLE), body)
    heading, length = _text(node.css_first("h1")).replace("\u00b6", "").strip(), len(_text(node))
    linked = sum(len(_text(a)) for a in node.css("a[href]"))
    if node is body and length >= LITTLE and linked > MOSTLY_LINKS * length:
        text = _trafilatura(tree.html or "")
        if len(text) >= max(LITTLE, length / 4):  # it drops landing pages, which are all short lines
            return heading, text
    for link in tree.css("a[href]"):
        _write_out_address(link)
    return heading, _markdown(node.html or "")


def _trafilatura(html: str) -> str:
    """The main text as trafilatura finds it, as Markdown."""
    import trafilatura

    options = {"include_comments": False, "include_tables": True, "include_links": False, "include_formatting": True}
    text = trafilatura.extract(html, output_format="markdown", favor_recall=True, deduplicate=False, **options)
    text = re.sub(r"^([ \t]*-)[ \t]*\n\s*", r"\1 ", text or "", flags=re.MULTILINE)  # bullets apart from their text
    return _polish(re.sub(r"\\([_*\[\]()#])", r"\1", text))


def _markdown(html: str) -> str:
    """Cleaned HTML as Markdown."""
    from html_to_markdown import ConversionOptions, convert

    options = ConversionOptions(
        extract_metadata=False, hidden_content="reachable", autolinks=False, compact_tables=True, skip_images=True,
        expand_abbreviations=False, bullets="-",
    )  # fmt: skip
    return _polish(convert(html, options).content or "")


def _polish(text: str) -> str:
    """Join definitions to their terms; take out trailing spaces, empty headings and runs of empty lines."""
    text = re.sub(r"[ \t]+$", "", text.replace("\u00b6", "").replace("\u200b", ""), flags=re.MULTILINE)
    text = re.sub(r"^#{1,6}$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(#{1,6} .+)\n(?=\S)", r"\1\n\n", text, flags=re.MULTILINE)
    text = re.sub(r"^(\*\*[^\n]+\*\*|: [^\n]+)\n\n(?=: )", r"\1\n", text, flags=re.MULTILINE)
    text = re.sub(r"^(\*\*[^\n]+\*\*|: [^\n]+)\n\n(?=: )", r"\1\n", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _without_site(title: str) -> str:
    """A window title without the site's name after it."""
    return re.split(r"\s+[|\u2013\u2014\u00b7\u2022-]\s+", title)[0].strip()


def _element(tree: LexborHTMLParser, tag: str, text: str) -> LexborNode:
    node = tree.create_node(tag)
    node.insert_child(text)
    return node


def _inside(node: LexborNode, tags: set[str]) -> bool:
    """Whether an ancestor has one of these tags."""
    parent = node.parent
    while parent is not None and parent.tag not in tags:
        parent = parent.parent
    return parent is not None


def _text(node: LexborNode | None) -> str:
    """A node's words, white space joined."""
    return " ".join(node.text(deep=True).split()) if node is not None else ""


def _attribute(node: LexborNode | None, name: str) -> str:
    """An attribute's value; empty when the node or attribute is missing."""
    return (node.attributes.get(name) or "").strip() if node is not None else ""
