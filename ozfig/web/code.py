"""Code blocks of a page: ended, freed of line numbers and of the page's indentation, with their language."""

from __future__ import annotations

import re
import textwrap

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ozfig.web.nodes import HEADING_TAGS, ancestors, attribute, classes, element

LANGUAGE = re.compile(
    r"(?:\b(?:language|lang|highlight-source|highlight|hl|src)-|\bbrush:\s*|\bsourcecode\s+)"
    r"(?!plain|default|none|no-highlight|text|wrapper|numbers|console-output)([a-z][\w+#]*)"
)
BARE_LANGUAGES = {
    *("bash", "c", "cpp", "csharp", "css", "go", "html", "java", "javascript", "js", "json", "kotlin", "php", "py"),
    *("powershell", "python", "r", "ruby", "rust", "scala", "sh", "shell", "sql", "swift", "toml", "ts", "typescript"),
    *("xml", "yaml", "yml"),
}
# characters of all code blocks of a page together; what is longer is data
LONGEST_DATA = 60_000


def close(tree: LexborHTMLParser) -> None:
    """End a code block that its page forgot to end where a heading or a table begins."""
    for node in tree.css("pre:has(> table:not([class*=highlight])), pre:has(> :is(h1, h2, h3, h4, h5, h6, section))"):
        code = element(tree, "pre")
        for child in list(node.iter(include_text=True)):
            if child.tag in ("table", "section", *HEADING_TAGS):
                break
            code.insert_child(child)
            child.decompose()
        node.insert_before(code)
        node.unwrap()


def tidy(tree: LexborHTMLParser) -> None:
    """Bring every code block of a page into one form, `<pre><code class="language-x">`, and cut what is data."""
    for node in tree.css("code:has(> pre)"):
        node.unwrap()
    _code_tables(tree)
    left = LONGEST_DATA
    for node in tree.css("pre"):
        left = _code_block(tree, node, left)


def _code_tables(tree: LexborHTMLParser) -> None:
    """Take code out of the tables that number its lines: all of it in one cell, or a row for each line."""
    for node in tree.css("table"):
        code = node.css_first("td.code pre, td.rouge-code pre, td.code .highlight pre")
        if code is not None:
            node.replace_with(code)
            continue
        lines = node.css("td.blob-code, td.hljs-ln-code, td.code > .line")
        if lines:
            node.replace_with(element(tree, "pre", "\n".join(line.text(deep=True).strip("\n") for line in lines)))


def _code_block(tree: LexborHTMLParser, node: LexborNode, left: int) -> int:
    """One block with its lines, cut after `left` characters; gives how many are left for the next."""
    language = _language(node)
    is_split = len(node.css("code")) > 1 or node.css_first("div, p, li, tr") is not None
    for line in node.css("br"):
        line.replace_with("\n")
    for line in node.css("div, p, li, tr, code") if is_split else []:
        if line.next is not None and not line.text(deep=True).endswith("\n") and not _begins_line(line.next):
            line.insert_after("\n")
    words = textwrap.dedent(node.text(deep=True).strip("\r\n")).rstrip()
    if len(words) > left:
        words = words[: words.rfind("\n", 0, left) + 1]
        left, words = 0, f"{words}..." if words else ""
    if not words:
        node.decompose()
        return left
    code = element(tree, "code", words)
    if language:
        code.attrs["class"] = f"language-{language}"  # type: ignore[index]
    block = element(tree, "pre")
    block.insert_child(code)
    node.replace_with(block)
    return max(0, left - len(words))


def _begins_line(node: LexborNode) -> bool:
    return node.is_text_node and (node.text_content or "").startswith("\n")


def _language(node: LexborNode) -> str:
    """The language that a code block, the code in it or one of the three elements around it names."""
    code = node.css_first("code")
    own = [node] if code is None else [code, node]
    around = [parent for parent, _ in zip(ancestors(node), range(3), strict=False)]
    for number, one in enumerate([*own, *around]):
        for key in ("data-lang", "data-language", "data-code-lang"):
            if re.fullmatch(r"[A-Za-z][\w+#]*", attribute(one, key)) and attribute(one, key) not in ("text", "plain"):
                return attribute(one, key).lower()
        named = LANGUAGE.search(classes(one))
        if named:
            return re.sub(r"^ipython\d?$", "python", str(named[1]))
        bare = BARE_LANGUAGES.intersection(attribute(one, "class").lower().split())
        if len(bare) == 1 and number < len(own):
            return str(bare.pop())
    return ""
