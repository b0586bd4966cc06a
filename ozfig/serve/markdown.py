"""Answers as HTML. Whatever a model writes is untrusted: raw HTML stays text, nothing is loaded, no inline style."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict


@cache
def _parser() -> MarkdownIt:
    # images are off: their address would tell another server that the answer was read
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable("image")
    parser.add_render_rule("link_open", _link)
    for cell in ("th_open", "td_open"):
        parser.add_render_rule(cell, _cell)
    return parser


def render(text: str) -> str:
    """Safe HTML of an answer's Markdown."""
    return str(_parser().render(text))


def _link(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    tokens[index].attrSet("target", "_blank")
    return self.renderToken(tokens, index, options, env)


def _cell(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    # the page's policy forbids style attributes, so the alignment becomes a class
    style = str(tokens[index].attrs.pop("style", ""))
    if style.startswith("text-align:"):
        tokens[index].attrSet("class", style.removeprefix("text-align:"))
    return self.renderToken(tokens, index, options, env)
