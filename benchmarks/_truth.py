"""What is right, for benchmarks.markdown: read from the HTML inside containers that are written down by hand."""

import os
import random
import re
from collections import Counter
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

ROOT = Path(__file__).parents[1]
KINDS = ("headings", "items", "cells", "code")
# for each site: where its text stands, by the first selector that matches, and what in there is frame all the same
TRUTH = {
    "consulting_patterson": (
        ("#main-content", "main", "#fh5co-page", "body"),
        "main > header, #fh5co-header, nav, footer, form, #TOC, .overlay, .sib-form, .prev-next-area, .page-loading",
    ),
    "docs_starlette_mkdocs": (("article.md-content__inner",), "nav, .headerlink, .md-source-file, .linenos"),
    "blog_jakevdp_pelican": (("#wrap",), "nav, #disqus_thread, section:has(#disqus_thread), .meta, td.gutter, .prompt"),
    "prerendered_flex": (("#root > *",), "nav"),
}
ALWAYS = "script, style, noscript, template, iframe, svg, button, .linenos, .gutter, .headerlink, .sr-only"
INNER = "ul, ol, dl, pre, table, h1, h2, h3, h4, h5, h6"
FRAME = "nav a, header a, footer a, aside a, [role=navigation] a, [class*=sidebar] a, [id*=sidebar] a"


def letters(text):
    return "".join(re.findall(r"[^\W_]+", text.lower()))


def packed(text):
    return "".join(text.split())


def items(found):
    """Normalised counters of {kind: texts}; what is empty does not count."""
    return {k: Counter(filter(None, map(packed if k == "code" else letters, found[k]))) for k in KINDS}


def own_text(node):
    """A list item's words without the blocks inside it."""
    parts = []
    for child in node.iter(include_text=True):
        if child.is_text_node:
            parts.append(child.text_content or "")
        elif child.css_first(INNER) is None:
            parts.append(child.text(deep=True))
        elif child.tag not in INNER.split(", "):
            parts.append(own_text(child))
    return " ".join(parts)


def truth(html, site):
    """What stands in the main container, what may or may not be a heading, and the texts of the frame's links.

    None where there is no text in a container.
    """
    selectors, frame = TRUTH[site]
    tree = LexborHTMLParser(html)
    outside = Counter(letters(a.text(deep=True)) for a in tree.css(FRAME))
    either = {letters(n.text(deep=True)) for n in tree.css("summary, [aria-expanded], [aria-controls], [role=tab]")}
    for node in tree.css(f"{ALWAYS}, {frame}"):
        node.decompose()
    box = next((n for s in selectors if (n := tree.css_first(s))), None)
    if box is None or not letters(box.text(deep=True)):
        return None
    inside = {letters(n.text(deep=True)) for n in box.css("a, li, h1, h2, h3, h4, h5, h6, p, td, th, dt, dd, div")}
    tables = [t for t in box.css("table") if len(t.css("table, pre, h1, h2, h3, h4")) == 1]  # itself
    tables = [t for t in tables if t.css_first("td + td, th + td, th + th")]  # one column is a box
    in_cells = {n.mem_id for t in tables for n in t.css("li")}
    found = {
        "headings": [n.text(deep=True) for n in box.css("h1, h2, h3, h4, h5, h6")],
        "items": [own_text(n) for n in box.css("li") if n.mem_id not in in_cells],
        "cells": [n.text(deep=True) for t in tables for n in t.css("td, th")],
        "code": [n.text(deep=True) for n in box.css("pre")],
    }
    return items(found), either, {text for text in outside if len(text) > 1 and text not in inside}


def data_folder():
    return Path(os.environ.get("OZFIG_DATA", ROOT.parent / "shared" / "data")) / "sites"


def sample(site, count, seed, empty):
    """(name, html, truth) of the sampled pages of a site: `count` of all, and as many again of those with a table."""
    pages = sorted((data_folder() / site).rglob("*.html"))
    random.Random(seed).shuffle(pages)
    taken, tables, seen = 0, 0, []
    for path in pages:
        if taken >= count and tables >= count:
            break
        html = path.read_text(encoding="utf-8", errors="replace")
        if taken >= count and "<table" not in html:
            continue
        known = truth(html, site)
        has_cells = bool(known and known[0]["cells"])
        if taken >= count and not has_cells:
            continue
        if known in seen:
            continue  # a copy of a page, or one without any text
        taken, tables = taken + 1, tables + has_cells
        seen.append(known)
        if known:
            yield f"{site}/{path.relative_to(data_folder() / site)}", html, known
        else:
            empty.append(site)
