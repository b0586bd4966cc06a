"""What the terminal shows, at any width: figures and keys stay whole."""

import io

import pytest
from rich.console import Console

from ozfig import console

COLUMNS = ["", "base", "tuned", "quantised", "tuned − base"]
ROW = ["Token F1, closed-book, answers of a sentence", *["0.123 ± 0.004"] * 3, "+0.333 [0.310 to 0.350]"]
KEY = "--set gather.sources.0.documents_from="


def shown(monkeypatch, width, is_terminal):
    screen = Console(file=io.StringIO(), width=width, force_terminal=is_terminal, color_system=None, highlight=False)
    monkeypatch.setattr(console, "screen", screen)
    console.table("The verdict", COLUMNS, [ROW])
    return screen.file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 110, 200])
def test_figures_are_never_cut(monkeypatch, width):
    text = shown(monkeypatch, width, True)
    assert text.count("0.123 ± 0.004") == 3
    assert ROW[-1] in text
    assert "…" not in text
    assert len(max(text.splitlines(), key=len)) <= max(width, 90)


def test_what_is_no_terminal_has_a_row_a_line(monkeypatch):
    assert "  ".join(ROW[:2]) in shown(monkeypatch, 40, False)


def test_an_option_that_goes_into_a_pipe_is_one_line(capsys):
    console.options_table("Options", [[KEY, "none", "(dataset) " + "what it means, " * 20]])
    line = next(line for line in capsys.readouterr().out.splitlines() if KEY in line)
    assert "(dataset)" in line
    assert line.count("what it means") == 20


def test_one_is_not_many():
    assert [console.counted(n, "row") for n in (0, 1, 2000)] == ["0 rows", "1 row", "2,000 rows"]
    assert console.counted(2, "address", "addresses") == "2 addresses"
