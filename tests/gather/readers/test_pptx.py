import pytest

pptx = pytest.importorskip("pptx")

from pptx.util import Inches  # noqa: E402

from ozfig.gather.readers import Unreadable, read  # noqa: E402


@pytest.fixture
def deck(tmp_path):
    file = pptx.Presentation()
    first = file.slides.add_slide(file.slide_layouts[0])
    first.shapes.title.text = "Harbour week"
    first.placeholders[1].text = "What every crew should know"
    second = file.slides.add_slide(file.slide_layouts[1])
    second.shapes.title.text = "Safety"
    body = second.placeholders[1].text_frame
    body.text = "Life jackets"
    for text, level in (("for children too", 1), ("Flares", 0)):
        paragraph = body.add_paragraph()
        paragraph.text, paragraph.level = text, level
    second.notes_slide.notes_text_frame.text = "Show the\nvideo here."
    third = file.slides.add_slide(file.slide_layouts[5])
    third.shapes.title.text = "Prices"
    table = third.shapes.add_table(2, 2, Inches(1), Inches(3), Inches(6), Inches(1)).table
    for cell, text in zip(table.iter_cells(), ("Berth", "Price", "G", "£ 20"), strict=True):
        cell.text = text
    third.shapes.add_textbox(Inches(1), Inches(5), Inches(6), Inches(1)).text_frame.text = "Below the table."
    group = third.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(1), Inches(2), Inches(6), Inches(1)).text_frame.text = "Above it."
    path = tmp_path / "deck.pptx"
    file.save(path)
    return path


def test_slides_are_read_from_the_top_down(deck):
    found = read(deck)
    assert found.title == "Harbour week"
    assert found.text == (
        "# Harbour week\n\nWhat every crew should know\n\n"
        "## Safety\n\n- Life jackets\n  - for children too\n- Flares\n\nNotes: Show the video here.\n\n"
        "## Prices\n\nAbove it.\n\n| Berth | Price |\n| --- | --- |\n| G | £ 20 |\n\nBelow the table."
    )


def test_an_empty_deck_and_a_cut_off_one(deck, tmp_path):
    pptx.Presentation().save(tmp_path / "empty.pptx")
    with pytest.raises(Unreadable, match="empty"):
        read(tmp_path / "empty.pptx")
    deck.write_bytes(deck.read_bytes()[:-200])
    with pytest.raises(Unreadable, match="cut off"):
        read(deck)
