import builtins
import os
import shutil
import zipfile

import pytest
from fpdf import FPDF

from ozfig.errors import MissingExtra, UserError
from ozfig.gather import SourceContext
from ozfig.gather.documents import gather
from ozfig.recipe import Documents


def read(path, **options):
    return gather(Documents(path=str(path), **options), SourceContext(path))


def test_a_folder_gives_its_files_sorted_with_their_titles(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.md").write_text("# hidden")
    (tmp_path / "b.md").write_text("---\ntitle: From the front\n---\n# Heading\n\nText.", encoding="utf-8")
    (tmp_path / "sub" / "a.html").write_text("<title>T – Site</title><main><h1>H</h1><p>Text.</p></main>")
    (tmp_path / "opening-hours.txt").write_bytes(b"\xef\xbb\xbfDaily.\r\nFrom nine.")
    (tmp_path / "c.markdown").write_text("Intro\n\n## First ##\n\nText.")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    gathered = read(tmp_path)
    found = [(d.uri, d.title) for d in gathered.documents]
    assert found == [
        ("b.md", "From the front"),
        ("c.markdown", "First"),
        ("opening-hours.txt", "opening hours"),
        ("sub/a.html", "H"),
    ]
    texts = [d.text for d in gathered.documents]
    assert texts[0] == "# Heading\n\nText."
    assert texts[2] == "Daily.\nFrom nine."
    assert all("little text" in d.note for d in gathered.documents)
    assert gathered.counts == {"other_kinds": 1}
    assert {d.source for d in gathered.documents} == {gathered.origin} == {tmp_path.name}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["a.md", "drafts/b.md", "drafts/deep/c.txt", "d.txt"]),
        ({"include": ["*.md"]}, ["a.md", "drafts/b.md"]),
        ({"exclude": ["drafts"]}, ["a.md", "d.txt"]),
        ({"exclude": ["drafts/deep/"]}, ["a.md", "d.txt", "drafts/b.md"]),
        ({"include": ["drafts/*"], "exclude": ["*.txt"]}, ["drafts/b.md"]),
    ],
)
def test_patterns_choose_files(tmp_path, options, expected):
    (tmp_path / "drafts" / "deep").mkdir(parents=True)
    for name in ("a.md", "drafts/b.md", "drafts/deep/c.txt", "d.txt", "~$d.docx"):
        (tmp_path / name).write_text("Text.")
    assert [d.uri for d in read(tmp_path, **options).documents] == sorted(expected)


def test_rules_between_prose_are_no_front_matter(tmp_path):
    (tmp_path / "a.md").write_text("---\nJust a line of prose\n---\nMore.")
    assert "Just a line" in read(tmp_path / "a.md").documents[0].text


def test_files_that_cannot_be_read_are_named_and_the_rest_goes_on(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\x00\x01\x02")
    (tmp_path / "b.txt").write_bytes("café".encode("latin-1"))
    (tmp_path / "c.txt").write_text("")
    (tmp_path / "d.docx").write_bytes(b"PK\x03\x04 cut off")
    (tmp_path / "e.epub").write_bytes(b"")
    (tmp_path / "f.pdf").write_bytes(b"%PDF-1.7 nothing")
    with zipfile.ZipFile(tmp_path / "g.pptx", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("ppt/presentation.xml", b"\0" * 30_000_000)
    (tmp_path / "z.txt").write_text("good")
    gathered = read(tmp_path)
    assert [d.uri for d in gathered.documents] == ["z.txt"]
    reasons = dict(line.split(": ", 1) for line in gathered.failed)
    assert list(reasons) == ["a.txt", "b.txt", "c.txt", "d.docx", "e.epub", "f.pdf", "g.pptx"]
    assert reasons["a.txt"] == "not text"
    assert "UTF-8" in reasons["b.txt"]
    assert reasons["c.txt"] == "empty"
    assert "cut off" in reasons["d.docx"]
    assert "cut off" in reasons["e.epub"]
    assert "broken" in reasons["f.pdf"]
    assert "times its size" in reasons["g.pptx"]


def test_a_file_that_may_not_be_opened_or_is_too_large(tmp_path, monkeypatch):
    from ozfig.gather import readers

    monkeypatch.setattr(readers, "LARGEST_MB", 0.001)
    (tmp_path / "a.txt").write_text("x" * 2000)
    (tmp_path / "b.txt").write_text("fine")
    os.symlink(tmp_path / "b.txt", tmp_path / "c.txt")
    gathered = read(tmp_path)
    assert [d.uri for d in gathered.documents] == ["b.txt", "c.txt"]
    assert gathered.failed == ["a.txt: larger than 0.001 MB"]


def test_a_parser_that_is_not_installed_matters_only_where_it_is_needed(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("Text.")
    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == "pdfplumber":
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert len(read(tmp_path).documents) == 1
    pdf = FPDF()
    pdf.add_page()
    pdf.output(str(tmp_path / "b.pdf"))
    with pytest.raises(MissingExtra, match=r'b\.pdf: reading \.pdf files needs the extra "documents"'):
        read(tmp_path)


def test_a_missing_or_empty_folder_is_explained(tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        read(tmp_path / "none")
    with pytest.raises(UserError, match="no file of the kinds"):
        read(tmp_path)
    (tmp_path / "a.md").write_text("x")
    with pytest.raises(UserError, match="that include and exclude leave"):
        read(tmp_path, include=["*.pdf"])


def test_the_same_folder_gives_the_same_documents(tmp_path):
    (tmp_path / "one").mkdir()
    for name, text in (("b.md", "# B"), ("a.md", "# A")):
        (tmp_path / "one" / name).write_text(text)
    shutil.copytree(tmp_path / "one", tmp_path / "two" / "one")
    first, second = read(tmp_path / "one"), read(tmp_path / "two" / "one")
    assert [d.to_row() for d in first.documents] == [d.to_row() for d in second.documents]
