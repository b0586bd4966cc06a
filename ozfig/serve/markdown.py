"""Answers as HTML. Whatever a model writes is untrusted: raw HTML stays text, nothing is loaded, no inline style.

Mathematics stays TeX in elements of class `math`; the page's script makes MathML of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.texmath import texmath_plugin

CITED = re.compile(r"\[(\d{1,3})\]")
DISPLAYED = re.compile(r"\\\[(.+?)\\\]", re.DOTALL)
OPENS_FORMULA = re.compile(r"[ >*+\d.)-]*(\$\$|\\\[)")
NEWLINE = re.compile(r"\r\n?|\n")
MATH = {"math_inline": False, "math_inline_double": True, "math_block": True}  # whether it is displayed


@cache
def _parser() -> MarkdownIt:
    # images are off: their address would tell another server that the answer was read
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable("image")
    parser.use(texmath_plugin, delimiters="brackets")
    # "between $5 and $6" is no formula
    parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, allow_labels=False, double_inline=True)
    parser.inline.ruler.before("escape", "displayed", _displayed)
    parser.inline.ruler.before("link", "cited", _cited)
    parser.add_render_rule("link_open", _link)
    parser.add_render_rule("cited", _citation)
    for cell in ("th_open", "td_open"):
        parser.add_render_rule(cell, _cell)
    for name in MATH:
        parser.add_render_rule(name, _math)
    return parser


def render(text: str, sources: int = 0, prefix: str = "") -> str:
    """Safe HTML of an answer's Markdown; [1] leads to the element `{prefix}1` where there are so many sources."""
    return str(_parser().render(text, {"sources": sources, "prefix": prefix}))


def plain(text: str) -> str:
    """The words of Markdown in one line, without its marks; the cells of a table with dots between."""
    words: list[str] = []
    for token in _parser().parse(text, {"sources": 0, "prefix": ""}):
        if token.type in {"th_open", "td_open"} and words:
            words.append("·")
        elif token.type in {"inline", "fence", "code_block"}:
            children = token.children or [token]
            words.append("".join(child.content or " " * (child.type == "softbreak") for child in children))
    return " ".join(" ".join(words).split())


class Growing:
    """The HTML of a text that grows, in blocks: those that can no longer change are settled and parsed once.

    `sources` and `prefix` are as `render` has them.
    """

    def __init__(self, sources: int = 0, prefix: str = "") -> None:
        self.settled = 0
        self._rest, self._env = "", {"sources": sources, "prefix": prefix}

    def feed(self, piece: str) -> tuple[int, list[str]]:
        """How many blocks stay as they are, and the HTML of those after them."""
        self._rest = self._rest + piece if self._rest or self.settled else piece.lstrip()
        parser, env = _parser(), dict(self._env)
        tokens = parser.parse(self._rest, env)
        starts = [i for i, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0]
        ends = [*starts[1:], len(tokens)] if starts else []
        spans = zip(starts, ends, strict=True)
        blocks = [str(parser.renderer.render(tokens[i:j], parser.options, env)) for i, j in spans]
        first = self.settled
        self._settle([tokens[i] for i in starts])
        return first, blocks

    def _settle(self, heads: Sequence[Token]) -> None:
        """Let go of the text of all blocks but the last: what follows does not change them (CommonMark, 3.1).

        How a block begins is certain once its first two lines are whole. A formula that is not closed yet looks like
        paragraphs, so that nothing after its opening is certain.
        """
        lines = NEWLINE.split(self._rest)
        count = cut = 0
        for i, head in enumerate(heads):
            if head.map and i > count and head.map[0] < len(lines) - 2:
                count, cut = i, head.map[0]
            source = lines[slice(*head.map)] if head.map and head.type != "math_block" else []
            if any(OPENS_FORMULA.match(line) for line in source):
                break
        self.settled += count
        self._rest = "\n".join(lines[cut:])


def _displayed(state: StateInline, silent: bool) -> bool:
    r"""A displayed formula, \[ to \], in a line of text; one that begins a block is the plugin's."""
    found = DISPLAYED.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        state.push("math_inline_double", "math", 0).content = found[1]
    state.pos = found.end()
    return True


def _cited(state: StateInline, silent: bool) -> bool:
    """The number of a source."""
    found = CITED.match(state.src, state.pos)
    if found is None or not 1 <= int(found[1]) <= state.env.get("sources", 0):
        return False
    if not silent:
        state.pending = state.pending.rstrip(" ")  # the number stays on the line of what it is for
        state.push("cited", "a", 0).content = str(int(found[1]))
    state.pos = found.end()
    return True


def _citation(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    number = tokens[index].content
    return f'<a class="cite" href="#{escapeHtml(env["prefix"])}{number}" aria-label="Source {number}">{number}</a>'


def _math(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    tag = "div" if token.type == "math_block" else "span"
    kind = "math display" if MATH[token.type] else "math"
    return f'<{tag} class="{kind}">{escapeHtml(token.content.strip())}</{tag}>'


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
