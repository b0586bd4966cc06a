import zipfile

import pytest
from fpdf import FPDF

LOREM = (
    "The yard keeps a list of boats that are looked after while their owners are away, and each of them is visited "
    "once a week. Lines are checked, pumps are tried and the bilge is sounded before the log is signed."
)


class Paper(FPDF):
    """Sets paragraphs, headings and lists in one or two columns, with running lines on every page."""

    def __init__(self, columns=2, running=True):
        super().__init__(unit="pt", format="A4")
        self.columns, self.running, self.at = columns, running, 0
        self.wide = (self.w - 100 - (columns - 1) * 20) / columns
        self.set_auto_page_break(False)
        self.add_page()
        self.y = 80

    def header(self):
        if self.running:
            self.set_font("Times", "", 8)
            self.text(50, 40, "Yearbook of the yard")
            self.text(480, 40, f"Chapter {1 + self.page_no() // 3}")
            self.text(290, self.h - 30, f"- {self.page_no()} -")

    def lines(self, text, size=10, style="", indent=0, bullet=""):
        font = ("Times", style, size)
        self.set_font(*font)
        for i, line in enumerate(
            self.multi_cell(self.wide - indent, text=text, align="L", dry_run=True, output="LINES")
        ):
            if self.y > self.h - 80:
                self.at = (self.at + 1) % self.columns
                self.y = 80
                if not self.at:
                    self.add_page()
            self.set_font(*font)
            left = 50 + self.at * (self.wide + 20)
            if i == 0 and bullet:
                self.text(left + indent - 18, self.y + size, bullet)
            self.text(left + indent, self.y + size, line)
            self.y += size * 1.2

    def heading(self, text, size):
        self.y += 10
        self.lines(text, size, "B")
        self.y += 4

    def paragraph(self, text, **options):
        self.lines(text, **options)
        self.y += 6

    def item(self, text, bullet="-", level=0):
        self.lines(text, bullet=bullet, indent=20 + 14 * level)

    def ruled(self, rows):
        left = 50 + self.at * (self.wide + 20)
        wide = self.wide / len(rows[0])
        self.set_font("Times", "", 9)
        for row in rows:
            for i, cell in enumerate(row):
                self.rect(left + i * wide, self.y, wide, 16)
                self.text(left + i * wide + 3, self.y + 11, cell)
            self.y += 16
        self.y += 10


@pytest.fixture
def paper():
    return Paper


CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
OPF = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">
<metadata><dc:title>The  Tide Tables</dc:title></metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="text/two%20words.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/one.xhtml" media-type="application/xhtml+xml"/>
<item id="css" href="x.css" media-type="text/css"/>
</manifest><spine><itemref idref="nav"/><itemref idref="a"/><itemref idref="b"/><itemref idref="css"/></spine>
</package>"""
ONE = """<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">
<head><title/><script src="x"/></head><body><a id="start"/>
<h1>Neaps</h1><p>Small tides.</p><ul><li>weak</li><li>slow</li></ul></body></html>"""
TWO = """<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>Springs</h1><p>Great tides.</p>
<table><tr><th>Day</th><th>Height</th></tr><tr><td>New moon</td><td>4.1</td></tr></table></body></html>"""
PARTS = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OPS/book.opf": OPF,
    "OPS/nav.xhtml": "<html><body><nav><ol><li>Neaps</li></ol></nav></body></html>",
    "OPS/text/one.xhtml": ONE,
    "OPS/text/two words.xhtml": TWO,
}


@pytest.fixture
def book(tmp_path):
    """A function that writes an EPUB; named parts take the place of its own, None leaves one out."""

    def write(**changed):
        path = tmp_path / "book.epub"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in (PARTS | changed).items():
                if text is not None:
                    archive.writestr(name, text)
        return path

    return write
