"""Tables as Markdown can hold them: one row of headers, one value for each cell, no cell that spans others.

A cell that spans rows is written in each of them, so that a row can be read alone; one that spans columns is written
once, in a row of headers over each column. Rows of headers become one ("Size" over "width": "Size width"). A table
whose first column names the rows, and nothing the columns, gets a row of empty headers. A table that only lays out the
page is taken apart.
"""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ozfig.web.nodes import HEADINGS, ancestors, attribute, element, renamed, text

LONGEST_TABLE = 60_000
WIDEST_SPAN = 1000


def straighten(tree: LexborHTMLParser) -> None:
    """Bring every table of a page into that form."""
    left = LONGEST_TABLE
    for table in reversed(tree.css("table")):  # the inner ones first
        if _is_layout(table):
            _take_apart(tree, table)
        else:
            _straighten(tree, table)
    for table in tree.css("table"):
        left = _cut(table, left)


def _is_layout(table: LexborNode) -> bool:
    """Whether a table has no data in it: blocks in its cells, one cell only, or it says so itself."""
    if attribute(table, "role") in ("presentation", "none") or table.css_first(f"{HEADINGS}, hr"):
        return True
    if len(table.css("table")) > 1 or len(table.css("td, th")) < 2:
        return True
    return table.css_first("th, caption") is None and all(len(_cells(row)) == 1 for row in table.css("tr"))


def _take_apart(tree: LexborHTMLParser, table: LexborNode) -> None:
    """Leave what is in a table's cells, tables in them included."""
    for node in table.css("caption, td, th"):
        if _is_of(table, node):
            renamed(tree, node, "div")
    for node in table.css("colgroup, thead, tbody, tfoot, tr"):
        if _is_of(table, node):
            node.unwrap()
    table.unwrap()


def _is_of(table: LexborNode, node: LexborNode) -> bool:
    """Whether a row or cell belongs to this table and not to one inside it."""
    around = next((parent for parent in ancestors(node) if parent.tag == "table"), None)
    return around is not None and around.mem_id == table.mem_id


def _cells(row: LexborNode) -> list[LexborNode]:
    return [child for child in row.iter() if child.tag in ("td", "th")]


def _straighten(tree: LexborHTMLParser, table: LexborNode) -> None:
    for item in table.css("td li + li, th li + li, td p + p"):
        item.insert_before("; " if item.tag == "li" else " ")
    for item in table.css("td li, td ul, td ol, th li, th ul, th ol"):
        item.unwrap()
    rows = [row for row in table.css("tr") if _cells(row)]
    if not rows:
        return
    headers = _header_rows(rows)
    if table.css_first("[rowspan], [colspan]"):
        _write_out_spans(tree, rows, len(headers))
    if len(headers) > 1:
        _join_headers(tree, headers)
    elif not headers and _names_rows(rows):
        row = element(tree, "tr")
        for _ in _cells(rows[0]):
            row.insert_child(element(tree, "th"))
        rows[0].insert_before(row)


def _header_rows(rows: list[LexborNode]) -> list[LexborNode]:
    """The rows at the top that hold headers only."""
    found = []
    for row in rows:
        in_head = row.parent is not None and row.parent.tag == "thead"
        if not in_head and any(cell.tag == "td" for cell in _cells(row)):
            break
        found.append(row)
    return found if len(found) < len(rows) else found[:1]


def _names_rows(rows: list[LexborNode]) -> bool:
    """Whether every row begins with a header."""
    return all((cells := _cells(row))[0].tag == "th" and len(cells) > 1 for row in rows)


def _span(cell: LexborNode, name: str) -> int:
    value = attribute(cell, name)
    return min(int(value), WIDEST_SPAN) if value.isascii() and value.isdigit() and int(value) else 1


def _write_out_spans(tree: LexborHTMLParser, rows: list[LexborNode], headers: int) -> None:
    """Give each row a cell for each column (the HTML standard's algorithm for forming a table)."""
    reaching: dict[int, tuple[int, LexborNode]] = {}  # column: rows still to fill, cell
    for number, row in enumerate(rows):
        line: list[LexborNode] = []
        waiting = _cells(row)
        while waiting or len(line) in reaching:
            if len(line) in reaching:
                left, cell = reaching.pop(len(line))
                if left > 1:
                    reaching[len(line)] = left - 1, cell
                line.append(cell.clone())
                continue
            cell = waiting.pop(0)
            down, across = _span(cell, "rowspan"), _span(cell, "colspan")
            for name in ("rowspan", "colspan"):
                if name in cell.attributes:
                    del cell.attrs[name]  # type: ignore[attr-defined]
            for column in range(across):
                one = cell if not column else cell.clone() if number < headers else element(tree, cell.tag or "td")
                if down > 1:
                    reaching[len(line)] = down - 1, one.clone()
                line.append(one)
        old = _cells(row)
        for cell in line:
            row.insert_child(cell)  # a copy
        for cell in old:
            cell.decompose()


def _join_headers(tree: LexborHTMLParser, headers: list[LexborNode]) -> None:
    """One row of headers in place of several: what stands above each other is joined, equal words once."""
    columns: list[list[str]] = [[] for _ in range(max(len(_cells(row)) for row in headers))]
    for row in headers:
        for column, cell in zip(columns, _cells(row), strict=False):
            words = text(cell)
            if words and words not in column:
                column.append(words)
    joined = element(tree, "tr")
    for column in columns:
        joined.insert_child(element(tree, "th", " ".join(column)))
    headers[0].insert_before(joined)
    for row in headers:
        row.decompose()


def _cut(table: LexborNode, left: int) -> int:
    """Let a table have no more than `left` characters, cut after a row; gives how many are left for the next."""
    length = len(text(table))
    if length <= left:
        return left - length
    for row in table.css("tr"):
        length = len(text(row))
        if length > left:
            left = 0
            row.decompose()
        else:
            left -= length
    return left
