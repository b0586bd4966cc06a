"""Small helpers over selectolax's nodes. Note that `node.css` also finds the node itself."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

HEADINGS = "h1, h2, h3, h4, h5, h6"
HEADING_TAGS = frozenset(HEADINGS.split(", "))


def text(node: LexborNode | None) -> str:
    """A node's words, white space joined."""
    return " ".join(node.text(deep=True).split()) if node is not None else ""


def attribute(node: LexborNode | None, name: str) -> str:
    """An attribute's value; empty when the node or attribute is missing."""
    return (node.attributes.get(name) or "").strip() if node is not None else ""


def classes(node: LexborNode) -> str:
    """Class and id of a node in lower case, parted by spaces."""
    found = node.attributes
    return f"{found.get('class') or ''} {found.get('id') or ''}".lower()


def element(tree: LexborHTMLParser, tag: str, words: str = "") -> LexborNode:
    """A new element that holds a text."""
    node = tree.create_node(tag)
    if words:
        node.insert_child(words)
    return node


def renamed(tree: LexborHTMLParser, node: LexborNode, tag: str) -> LexborNode:
    """Put an element of another tag, without attributes, in a node's place; it takes the children."""
    new = tree.create_node(tag)
    for child in list(node.iter(include_text=True)):
        new.insert_child(child)
    node.replace_with(new)
    return new


def ancestors(node: LexborNode) -> Iterator[LexborNode]:
    """The elements around a node, from the inside out."""
    parent = node.parent
    while parent is not None and parent.tag not in ("html", "-document"):
        yield parent
        parent = parent.parent


def is_inside(node: LexborNode, *tags: str) -> bool:
    """Whether an ancestor has one of these tags."""
    return any(parent.tag in tags for parent in ancestors(node))


def link_share(node: LexborNode) -> float:
    """The share of a node's text that stands in links; 1 for a node without text."""
    length = len(text(node))
    return sum(len(text(a)) for a in node.css("a[href]")) / length if length else 1.0
