import random

import pytest
from PIL import Image

pytest.importorskip("pdfplumber")

from ozfig.gather.readers import Unreadable, read

from .conftest import LOREM


def text_of(sheet, tmp_path):
    path = tmp_path / "a.pdf"
    sheet.output(str(path))
    return read(path).text


@pytest.fixture
def yearbook(paper):
    """Six columns of prose, lists and a table, so that paragraphs run over columns and pages."""
    sheet = paper()
    sheet.heading("The yearbook", 20)
    sheet.paragraph("It was written by the crew.")
    for chapter in ("First", "Second", "Third"):
        sheet.heading(f"{chapter} quarter", 14)
        for i in range(5):
            sheet.paragraph(f"{chapter} {i}: {LOREM} {LOREM}")
        sheet.heading(f"Duties of the {chapter.lower()} quarter", 10)
        for i in range(3):
            sheet.item(f"Duty {i} of the {chapter.lower()} quarter, which is longer than one line of a column is.", "-")
        sheet.item("A smaller one", "-", level=1)
        sheet.paragraph("")
    sheet.ruled([["Boat", "Metres"], ["Gannet", "9.1"], ["Tern | Skua", "11.4"]])
    return sheet


def test_two_columns_are_read_one_after_the_other(yearbook, tmp_path):
    blocks = text_of(yearbook, tmp_path).split("\n\n")
    expected = ["# The yearbook", "It was written by the crew."]
    for chapter in ("First", "Second", "Third"):
        name = chapter.lower()
        expected += [f"## {chapter} quarter", *(f"{chapter} {i}: {LOREM} {LOREM}" for i in range(5))]
        duties = [f"- Duty {i} of the {name} quarter, which is longer than one line of a column is." for i in range(3)]
        expected += [f"### Duties of the {name} quarter", "\n".join([*duties, "  - A smaller one"])]
    expected += ["| Boat | Metres |\n| --- | --- |\n| Gannet | 9.1 |\n| Tern \\| Skua | 11.4 |"]
    assert blocks == expected


def test_a_full_width_title_and_text_between_columns(paper, tmp_path):
    sheet = paper(columns=1, running=False)
    sheet.paragraph(f"Above. {LOREM}")
    top = sheet.y + 10
    for at, name in enumerate(("Left", "Right")):
        sheet.columns, sheet.at, sheet.wide, sheet.y = 2, at, 237, top
        sheet.paragraph(f"{name}. {LOREM}")
        sheet.paragraph(f"{name} again. {LOREM}")
    sheet.columns, sheet.at, sheet.wide = 1, 0, 495
    sheet.y += 20
    sheet.paragraph(f"Below. {LOREM}")
    starts = [block.split(".")[0] for block in text_of(sheet, tmp_path).split("\n\n")]
    assert starts == ["Above", "Left", "Left again", "Right", "Right again", "Below"]


def test_a_table_beside_prose_stays_in_its_column(paper, tmp_path):
    sheet = paper(running=False)
    sheet.paragraph(f"Before. {LOREM}")
    sheet.ruled([["a", "b"], ["c", "d"], ["e", "f"]])
    sheet.paragraph(f"After. {LOREM}")
    sheet.at, sheet.y = 1, 80
    for i in range(3):
        sheet.paragraph(f"Beside {i}. {LOREM}")
    blocks = text_of(sheet, tmp_path).split("\n\n")
    assert [block.split(".")[0] for block in blocks if block[0] != "|"] == [
        "Before",
        "After",
        "Beside 0",
        "Beside 1",
        "Beside 2",
    ]
    assert blocks[1] == "| a | b |\n| --- | --- |\n| c | d |\n| e | f |"


def test_running_lines_are_dropped_and_what_only_looks_alike_is_not(paper, tmp_path):
    sheet = paper(columns=1)
    for _ in range(7):
        sheet.paragraph(f"1912 was the year. {LOREM}")
        sheet.add_page()
        sheet.y = 80
    sheet.paragraph("The yearbook of the yard ends here.")
    text = text_of(sheet, tmp_path)
    assert "Yearbook" not in text
    assert "Chapter" not in text
    assert "- 3 -" not in text
    assert text.count("1912 was the year.") == 7
    assert text.endswith("The yearbook of the yard ends here.")


def test_hyphens_at_line_ends_are_undone(paper, tmp_path):
    sheet = paper(columns=1, running=False)
    sheet.paragraph("It is a well-kept place.")
    for before, after in (
        ("the mas-", "ters were away"),
        ("a well-", "kept boat"),
        ("the Anglo-", "French race"),
        ("in 1914-", "1918 it lay"),
    ):
        sheet.set_font("Times", "", 10)
        sheet.text(50, sheet.y + 10, before)
        sheet.text(50, sheet.y + 22, after)
        sheet.y += 40
    text = text_of(sheet, tmp_path)
    for whole in ("the masters were away", "a well-kept boat", "the Anglo-French race", "in 1914-1918 it lay"):
        assert whole in text


def test_lists_with_numbers_and_what_only_looks_like_one(paper, tmp_path):
    sheet = paper(columns=1, running=False)
    sheet.paragraph("Do it in this order:")
    for i in range(1, 13):
        sheet.item(f"Step {i}", f"{i}.")
    sheet.paragraph("")
    sheet.paragraph(f"{LOREM} The last of them was seen in the year 1987. It was green.")
    text = text_of(sheet, tmp_path)
    assert "\n".join(f"{i}. Step {i}" for i in range(1, 13)) in text
    assert "in the year 1987. It was green." in text


def test_code_keeps_its_lines_and_indents(paper, tmp_path):
    sheet = paper(columns=1, running=False)
    sheet.paragraph("Run this:")
    sheet.set_font("Courier", "", 10)
    for line in ("def f(x):", "    return x", "", "print(f(1))"):
        sheet.text(50, sheet.y + 10, line)
        sheet.y += 12
    assert text_of(sheet, tmp_path) == "Run this:\n\n```\ndef f(x):\n    return x\n\nprint(f(1))\n```"


def test_a_table_over_two_pages_is_one(paper, tmp_path):
    sheet = paper(columns=1, running=False)
    sheet.y = 700
    sheet.ruled([["Boat", "Metres"], ["Gannet", "9"]])
    sheet.add_page()
    sheet.y = 80
    sheet.ruled([["Boat", "Metres"], ["Tern", "11"]])
    assert text_of(sheet, tmp_path) == "| Boat | Metres |\n| --- | --- |\n| Gannet | 9 |\n| Tern | 11 |"


def test_drawn_bullets_and_letters_set_twice(paper, tmp_path):
    sheet = paper(columns=1, running=False)
    for text in ("First thing", "Second thing"):
        sheet.ellipse(54, sheet.y + 5, 3, 3, style="F")
        sheet.lines(text, indent=14)
    sheet.y += 10
    for shift in (0, 0.3):
        sheet.text(50 + shift, sheet.y + 10, "Heavy letters")
    assert text_of(sheet, tmp_path) == "- First thing\n- Second thing\n\nHeavy letters"


@pytest.mark.parametrize(("named", "title"), [("The metadata", "The metadata"), ("Microsoft Word - draft.doc", "")])
def test_the_metadata_names_a_text_without_headings(paper, tmp_path, named, title):
    sheet = paper(columns=1, running=False)
    sheet.paragraph(LOREM)
    sheet.set_title(named)
    sheet.output(str(tmp_path / "a.pdf"))
    assert read(tmp_path / "a.pdf").title == title


@pytest.fixture
def scan(paper, tmp_path):
    sheet = paper(running=False)
    Image.effect_noise((60, 80), 50).save(tmp_path / "scan.png")
    sheet.image(str(tmp_path / "scan.png"), 0, 0, 500, 700)
    return sheet


def test_a_scan_says_that_it_holds_no_text(scan, tmp_path):
    with pytest.raises(Unreadable, match="holds no text, only pictures"):
        text_of(scan, tmp_path)


def test_a_page_of_a_scan_among_others_is_noted(scan, tmp_path):
    scan.add_page()
    scan.paragraph("Some text.")
    scan.output(str(tmp_path / "half.pdf"))
    assert read(tmp_path / "half.pdf").note == "1 of 2 pages are pictures without text"


def test_encrypted_and_broken_files(yearbook, paper, tmp_path):
    with pytest.raises(Unreadable, match=r"^empty$"):
        text_of(paper(running=False), tmp_path)
    yearbook.output(str(tmp_path / "whole.pdf"))
    data = (tmp_path / "whole.pdf").read_bytes()
    for name, content, message in (
        ("cut.pdf", data[: len(data) // 2], "cut off"),
        ("tiny.pdf", data[:40], "cut off|broken"),
        ("text.pdf", b"<html>not found</html>", "not a PDF"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Unreadable, match=message):
            read(tmp_path / name)
    locked = paper()
    locked.paragraph(LOREM)
    locked.set_encryption("owner", "user")
    with pytest.raises(Unreadable, match="encrypted: it asks for a password"):
        text_of(locked, tmp_path)


def test_damaged_bytes_never_raise_anything_else(paper, tmp_path):
    sheet = paper(running=False)
    sheet.set_compression(False)
    sheet.heading("Title", 18)
    sheet.ruled([["a", "b"], ["c", "d"]])
    sheet.paragraph(LOREM)
    sheet.output(str(tmp_path / "whole.pdf"))
    data, draw = (tmp_path / "whole.pdf").read_bytes(), random.Random(7)
    ends = []
    for _ in range(60):
        bytes_ = bytearray(data)
        for _ in range(draw.choice([1, 5, 40])):
            bytes_[draw.randrange(len(bytes_))] = draw.randrange(256)
        (tmp_path / "b.pdf").write_bytes(bytes_)
        try:
            ends.append(read(tmp_path / "b.pdf").text)
        except Unreadable as error:
            ends.append(error)
    assert any(isinstance(end, str) for end in ends)
