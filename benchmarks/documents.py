"""PDF files as Markdown: ozfig beside markitdown and the plain text of pdfplumber and pypdfium2.

    python -m benchmarks.documents [--json] [--show TOOL] [--keep FOLDER]

The demo's handbook (examples/handbook) and a page of nested lists are set as PDF files, so that what is right is known:
in two columns and in one, each with running headers and footers, hyphens at line ends, ruled tables and headings in
bold. A heading, item or table row is right when it stands whole on a line of the output with its mark (`#` of the right
level, `-` or its number and indent, `|`); `alone` asks for the bare words on a line of their own and no mark. A
paragraph is right when it is one line. `order` is the share of neighbouring pieces whose first words follow one another
in the output. `running` counts what is left of the headers, footers and page numbers.
"""

import argparse
import json
import re
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from fpdf import FPDF
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
SOURCES = ("visitor-handbook.md", "yard-safety-rules.md", "staff-faq.md")
KINDS = ("heading", "item", "row", "paragraph")
EXTRA = """
# Checklist for the crew

Every skipper goes through this list with the whole crew before the boat leaves its berth for a night.

- Engine and fuel
  - The day tank holds fuel for at least eight hours under way, with a fifth of it kept in reserve.
  - The raw water filter is clean.
- Safety
  - One life jacket for each person
  - Flares that are not out of date
- Papers

The order of casting off is always the same, so that nobody has to ask:

1. Start the engine and look for cooling water.
2. Take off the springs, first the one that is not under load, then the other one.
3. Let go of the bow line.
4. Let go of the stern line.
"""
LAYOUTS = {"two columns": (2, 9.5, 12), "one column": (1, 11, 14)}
RUNNING = ("Tidewater Yard", "A handbook for crews and visitors", "Page ")
MARGIN, GUTTER, TOP, BOTTOM = 50, 22, 70, 70


@dataclass(frozen=True)
class Piece:
    kind: str
    words: str
    mark: str = ""
    cells: tuple[str, ...] = ()

    @property
    def line(self):
        """The line of Markdown that is right."""
        return f"| {' | '.join(self.cells)} |" if self.kind == "row" else self.mark + self.words


def pieces():
    """What the documents hold, in order."""
    text = "\n\n".join((ROOT / "examples" / "handbook" / name).read_text(encoding="utf-8") for name in SOURCES)
    text = f"{text}\n{EXTRA}".encode("latin-1", "replace").decode("latin-1")
    lists, cells, found, counts = [], [], [], []
    opened = ""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            lists.append(token.type[0] == "o")
            counts.append(0)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop(), counts.pop()
        elif token.type == "list_item_open":
            counts[-1] += 1
        elif token.type == "heading_open":
            opened = "#" * int(token.tag[1]) + " "
        elif token.type == "tr_close":
            found.append(Piece("row", " ".join(cells), cells=tuple(cells)))
            cells = []
        elif token.type == "inline":
            words = "".join(" " if c.type == "softbreak" else c.content for c in token.children)
            if token.level > 3 and not lists:
                cells.append(words)
            elif opened:
                found.append(Piece("heading", words, opened))
            elif lists:
                mark = f"{counts[-1]}. " if lists[-1] else "- "
                found.append(Piece("item", words, "  " * (len(lists) - 1) + mark))
            else:
                found.append(Piece("paragraph", words))
            opened = ""
    return found


class Setter(FPDF):
    """Sets pieces in columns; long words may be broken anywhere between a vowel and two consonants."""

    def __init__(self, columns, size, pitch):
        super().__init__(unit="pt", format="A4")
        self.size, self.pitch, self.at, self.columns = size, pitch, 0, columns
        self.width = (self.w - 2 * MARGIN - (columns - 1) * GUTTER) / columns
        self.set_auto_page_break(False)
        self.set_title("untitled")
        self.add_page()
        self.y = TOP

    def header(self):
        self.set_font("Times", "I", 8)
        self.text(MARGIN, 36, RUNNING[0])
        self.text(self.w - MARGIN - self.get_string_width(RUNNING[1]), 36, RUNNING[1])
        self.text(self.w / 2 - 14, self.h - 30, f"{RUNNING[2]}{self.page_no()}")

    @property
    def left(self):
        return MARGIN + self.at * (self.width + GUTTER)

    def room(self, height):
        """Go on to the next column or page where less than `height` is left."""
        if self.y + height > self.h - BOTTOM:
            self.at = (self.at + 1) % self.columns
            if self.at == 0:
                self.add_page()
            self.y = TOP

    def lines(self, text, indent, size, style=""):
        self.set_font("Helvetica" if style else "Times", style, size)
        broken = re.sub(r"(?<=[a-z][aeiou])(?=[bcdfgklmnprst][bcdfgklmnprst]?[aeiou][a-z])", "\u00ad", text)
        found = self.multi_cell(self.width - indent, text=broken, align="L", dry_run=True, output="LINES")
        for line in found:
            self.room(self.pitch)
            self.set_font("Helvetica" if style else "Times", style, size)
            self.text(self.left + indent, self.y + size, line.replace("\u00ad", ""))
            self.y += self.pitch * size / self.size
        return found

    def piece(self, piece):
        size = self.size
        if piece.kind == "heading":
            larger = {1: 1.9, 2: 1.4, 3: 1.0}[piece.mark.count("#")]
            self.room(6 * self.pitch)
            self.y += self.pitch * 0.8
            self.lines(piece.words, 0, size * larger, "B")
            self.y += self.pitch * 0.3
        elif piece.kind == "item":
            level = (len(piece.mark) - len(piece.mark.lstrip())) // 2
            self.room(self.pitch)
            self.set_font("Times", "", size)
            self.set_font("Times" if piece.mark.strip() != "-" else "Symbol", "", size)
            self.text(self.left + 6 + 12 * level, self.y + size, piece.mark.strip().replace("-", "\xb7"))
            self.lines(piece.words, 20 + 12 * level, size)
        else:
            self.lines(piece.words, 0, size)
            self.y += self.pitch * 0.5

    def rows(self, rows):
        """A ruled table, as wide as the column."""
        self.room(self.pitch * 4)
        for number, row in enumerate(rows):
            widths = [self.width / len(row.cells)] * len(row.cells)
            self.set_font("Times", "B" if number == 0 else "", self.size * 0.9)
            wrapped = [
                self.multi_cell(w - 6, text=cell, align="L", dry_run=True, output="LINES")
                for w, cell in zip(widths, row.cells, strict=True)
            ]
            height = max(map(len, wrapped)) * self.pitch + 4
            self.room(height)
            self.set_font("Times", "B" if number == 0 else "", self.size * 0.9)
            x = self.left
            for w, cell in zip(widths, wrapped, strict=True):
                self.rect(x, self.y, w, height)
                for i, line in enumerate(cell):
                    self.text(x + 3, self.y + self.size + i * self.pitch, line)
                x += w
            self.y += height
        self.y += self.pitch * 0.8


def typeset(found, path, layout):
    columns, size, pitch = LAYOUTS[layout]
    setter, i = Setter(columns, size, pitch), 0
    while i < len(found):
        if found[i].kind == "row":
            end = next((j for j in range(i, len(found)) if found[j].kind != "row"), len(found))
            setter.rows(found[i:end])
            i = end
        else:
            setter.piece(found[i])
            i += 1
            if found[i - 1].kind == "item" and (i == len(found) or found[i].kind != "item"):
                setter.y += pitch * 0.5
    setter.output(str(path))
    return setter.page_no()


def ozfig(path):
    from ozfig.gather.readers import read

    return read(path).text


def markitdown(path):
    from markitdown import MarkItDown

    return MarkItDown().convert(str(path)).markdown


def pdfplumber_text(path):
    import pdfplumber

    with pdfplumber.open(path) as pdf:
        return "\n\n".join(page.extract_text() for page in pdf.pages)


def pypdfium2_text(path):
    import pypdfium2

    pdf = pypdfium2.PdfDocument(path)
    return "\n\n".join(page.get_textpage().get_text_range() for page in pdf).replace("\r\n", "\n")


TOOLS = {f.__name__: f for f in (ozfig, markitdown, pdfplumber_text, pypdfium2_text)}


def bare(line):
    """A line without marks of Markdown, bullets, numbers, white space and hyphens."""
    return re.sub(r"[\s|-]+", "", re.sub(r"^(?:\s*(?:#+|[-*\u2022\u00b7]|\d+\.)\s+)+", "", line))


def score(text, found):
    """{measure: (right, of)}."""
    exact = {re.sub(r"\s+", " ", line) if line.lstrip().startswith("|") else line for line in text.split("\n")}
    naked = {bare(line) for line in text.split("\n")}
    scores = {}
    for kind in KINDS:
        own = [piece for piece in found if piece.kind == kind]
        scores[kind] = sum(piece.line in exact for piece in own), len(own)
        scores[f"{kind} alone"] = sum(bare(piece.words) in naked for piece in own), len(own)
    letters = re.sub(r"[\W_]+", "", text)
    starts = [letters.find(re.sub(r"[\W_]+", "", piece.words)[:40]) for piece in found]
    follows = [0 <= a < b for a, b in pairwise(starts)]
    scores["order"] = sum(follows), len(follows)
    own = "\n".join(piece.words for piece in found)
    scores["running"] = sum(max(0, text.count(words) - own.count(words)) for words in RUNNING), 0
    return scores


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--show", choices=TOOLS)
    arguments.add_argument("--keep", type=Path)
    options = arguments.parse_args()
    found, results = pieces(), {}
    with tempfile.TemporaryDirectory() as folder:
        for layout in LAYOUTS:
            path = (options.keep or Path(folder)) / f"{layout.replace(' ', '-')}.pdf"
            pages = typeset(found, path, layout)
            results[layout] = {"pages": pages}
            for name, tool in TOOLS.items():
                began = time.process_time()
                text = tool(path)
                seconds = time.process_time() - began
                results[layout][name] = score(text, found) | {"seconds a page": (round(seconds / pages, 3), 0)}
                if options.show == name:
                    print(text)
    if options.json:
        print(json.dumps(results))
        return
    for layout, tools in results.items():
        print(f"\n{layout}, {tools.pop('pages')} pages")
        for name, scores in tools.items():
            shown = (
                f"{measure} {right}/{of}" if of else f"{measure} {right}" for measure, (right, of) in scores.items()
            )
            print(f"{name:<16}{'  '.join(shown)}")


if __name__ == "__main__":
    main()
