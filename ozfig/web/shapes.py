"""Turn what Markdown lacks, or what converters get wrong, into shapes that they know.

- `<details>` and what a button folds out become a heading one level below the last one, then the text;
- tabs become a heading each, or a line in bold over code;
- `<dt>Term</dt><dd>meaning</dd>` becomes a line `**Term**` and below it, for each meaning, a line `: meaning`;
- formulas become TeX between dollar signs; powers get a `^`.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ozfig.web.nodes import HEADING_TAGS, HEADINGS, ancestors, attribute, classes, element, is_inside, link_share, text

CONTROLS = "[aria-controls], [data-bs-target], [data-target], a[data-toggle=collapse], a[data-bs-toggle=collapse]"
LONGEST_LABEL, SHORTEST_PANEL = 200, 20
POWER = re.compile(r"[-+\u2212]?\d+|[a-z]")
INLINE = "i, em, b, strong, u, s, small, font, a"
BLOCKS = {"ul", "ol", "pre", "table", "dl", "blockquote", "details", *HEADING_TAGS}


def open_panels(tree: LexborHTMLParser) -> None:
    """Make what buttons and tabs fold out part of the text, with their labels. Comes before buttons are dropped."""
    for panel in tree.css("[role=tabpanel], details > *"):
        _unhide(panel)
    for control in tree.css(CONTROLS):
        folded = _panel(tree, control)
        if folded is None:
            continue
        _unhide(folded)
        label = text(control)
        if attribute(control, "role") == "tab":
            folded.insert_before(_tab_label(tree, folded, label))
            control.decompose()
        elif label and not is_inside(control, "summary", *HEADING_TAGS) and control.css_first(HEADINGS) is None:
            control.replace_with(element(tree, "summary", label))
    for tabs in tree.css(".tabbed-set"):
        labels = tabs.css(".tabbed-labels > label")
        for named, block in zip(labels, tabs.css(".tabbed-content > .tabbed-block"), strict=False):
            block.insert_before(_tab_label(tree, block, text(named)))
            named.decompose()


def _panel(tree: LexborHTMLParser, control: LexborNode) -> LexborNode | None:
    """The text that a control folds out; None when there is none, or it is a menu or a window."""
    found = control.attributes
    name = found.get("aria-controls") or found.get("data-bs-target") or found.get("data-target") or found.get("href")
    name = (name or "").strip().lstrip("#")
    if not name or re.search(r"[\"'\\\s]", name) or len(text(control)) > LONGEST_LABEL:
        return None
    panel = tree.css_first(f'[id="{name}"]')
    if panel is None or panel.tag in ("nav", "dialog", "body", "main", "form") or "modal" in classes(panel):
        return None
    if attribute(panel, "role") in ("dialog", "menu", "listbox", "navigation"):
        return None
    is_in_frame = attribute(control, "role") != "tab" and is_inside(control, "nav", "header", "form")
    if is_in_frame or len(text(panel)) < SHORTEST_PANEL or link_share(panel) > 0.5:
        return None
    return panel


def _unhide(panel: LexborNode) -> None:
    for name in ("hidden", "aria-hidden"):
        if name in panel.attributes:
            del panel.attrs[name]  # type: ignore[attr-defined]


def _tab_label(tree: LexborHTMLParser, panel: LexborNode, label: str) -> LexborNode:
    """A heading over text, a line in bold over code."""
    if panel.css_first("pre") is None:
        return element(tree, "summary", label)
    paragraph = element(tree, "p")
    paragraph.insert_child(element(tree, "strong", label))
    return paragraph


def reshape(tree: LexborHTMLParser) -> None:
    """Do all of it, but for the tables."""
    for node in tree.css(", ".join(f"{tag} br" for tag in (*sorted(HEADING_TAGS), "summary", "dt"))):
        node.replace_with(" ")
    for node in tree.css("li > p:only-child"):
        if not any(sibling.is_text_node and text(sibling) for sibling in _siblings(node)):
            node.unwrap()
    _formulas(tree)
    _powers(tree)
    for node in tree.css(f"mark, ins, :is({INLINE}):has({', '.join(sorted(BLOCKS))}, p, div, li, dt, dd)"):
        node.unwrap()
    _details_to_headings(tree)
    _definitions_to_lines(tree)


def _siblings(node: LexborNode) -> list[LexborNode]:
    return [n for n in (node.prev, node.next) if n is not None]


def _formulas(tree: LexborHTMLParser) -> None:
    """MathML that carries its TeX becomes that."""
    for note in tree.css("annotation[encoding='application/x-tex']"):
        math = next((parent for parent in ancestors(note) if parent.tag == "math"), None)
        if math is not None:
            mark = "$$" if attribute(math, "display") == "block" else "$"
            math.replace_with(f"{mark}{text(note)}{mark}")


def _powers(tree: LexborHTMLParser) -> None:
    """`10<sup>6</sup>` must not read 106; marks of footnotes go."""
    for node in tree.css("sup"):
        words = text(node)
        if node.css_first("a") is not None and re.fullmatch(r"\W*\w{1,3}\W*", words):
            node.decompose()
        elif POWER.fullmatch(words) and node.prev is not None and re.search(r"[\w)]$", text(node.prev) or ""):
            node.insert_before("^")


def _details_to_headings(tree: LexborHTMLParser) -> None:
    """Turn each summary into a heading one level below the heading before it."""
    level = 1
    for node in tree.css(f"{HEADINGS}, summary"):
        if node.tag != "summary":
            level = int((node.tag or "h1")[1])
        elif node.css_first(HEADINGS) is None:
            node.replace_with(element(tree, f"h{min(level + 1, 6)}", text(node)))
    for tag in ("details", "summary"):
        for node in tree.css(tag):
            node.unwrap()


def _definitions_to_lines(tree: LexborHTMLParser) -> None:
    """Turn definition lists into `**Term**` and `: meaning` paragraphs, which `markdown.polish` joins."""
    for node in tree.css("dt"):
        if not text(node):
            node.decompose()
            continue
        paragraph = element(tree, "p")
        paragraph.insert_child(element(tree, "strong", text(node)))
        node.replace_with(paragraph)
    for node in tree.css("dd"):
        first = _first_content(node)
        if first is not None:
            first.insert_before(": ")
        if node.css_first("ul, ol, pre, table, p, div, blockquote"):
            node.unwrap()
        else:
            paragraph = element(tree, "p")
            for child in list(node.iter(include_text=True)):
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
