import io
import zipfile

import pytest

docx = pytest.importorskip("docx")
pytest.importorskip("mammoth")

from ozfig.gather.readers import Unreadable, read  # noqa: E402


@pytest.fixture
def manual(tmp_path):
    file = docx.Document()
    file.core_properties.title = "From the properties"
    file.add_heading("Winter manual", 0)
    file.add_heading("Before the frost", 1)
    file.add_paragraph("Drain the tanks, then open every cock.")
    for text, style in (
        ("Water", "List Bullet"),
        ("hot", "List Bullet 2"),
        ("Fuel", "List Bullet"),
        ("Stop", "List Number"),
    ):
        file.add_paragraph(text, style=style)
    file.add_heading("What it takes", 2)
    table = file.add_table(2, 2)
    for cell, text in zip(
        (c for row in table.rows for c in row.cells), ("Tool", "Use", "Pump|hose", "2\nhours"), strict=True
    ):
        cell.text = text
    file.sections[0].header.paragraphs[0].text = "RUNNING HEADER"
    path = tmp_path / "manual.docx"
    file.save(path)
    return path


def test_headings_lists_and_tables_are_kept(manual):
    found = read(manual)
    assert found.title == "Winter manual"
    assert found.text == (
        "# Winter manual\n\n# Before the frost\n\nDrain the tanks, then open every cock.\n\n"
        "- Water\n  - hot\n- Fuel\n\n1. Stop\n\n## What it takes\n\n"
        "| Tool | Use |\n| --- | --- |\n| Pump\\|hose | 2 hours |"
    )


def test_the_title_among_the_properties_is_used_where_no_heading_is(tmp_path):
    file = docx.Document()
    file.core_properties.title = "Fish & chips"
    file.add_paragraph("Text.")
    file.save(tmp_path / "a.docx")
    assert read(tmp_path / "a.docx").title == "Fish & chips"


def test_a_damaged_document_is_explained(manual, tmp_path):
    with zipfile.ZipFile(manual) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    for changed, message in (
        ({"word/document.xml": b"<w:document"}, "broken"),
        ({"word/document.xml": None}, r"lacks word/document\.xml"),
    ):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, data in (parts | changed).items():
                if data is not None:
                    archive.writestr(name, data)
        (tmp_path / "b.docx").write_bytes(out.getvalue())
        with pytest.raises(Unreadable, match=message):
            read(tmp_path / "b.docx")
