import pytest

from ozfig.errors import UserError
from ozfig.gather import SourceContext
from ozfig.gather.documents import gather
from ozfig.recipe import Documents


def read(path):
    return gather(Documents(path=str(path)), SourceContext(path))


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


def test_rules_between_prose_are_no_front_matter(tmp_path):
    (tmp_path / "a.md").write_text("---\nJust a line of prose\n---\nMore.")
    assert "Just a line" in read(tmp_path / "a.md").documents[0].text


def test_files_that_are_no_text_are_named_and_skipped(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\x00\x01\x02")
    (tmp_path / "b.txt").write_bytes("café".encode("latin-1"))
    (tmp_path / "c.txt").write_text("")
    (tmp_path / "d.txt").write_text("good")
    gathered = read(tmp_path)
    assert [d.uri for d in gathered.documents] == ["d.txt"]
    assert gathered.failed == ["a.txt: not text", "b.txt: not text", "c.txt: empty"]


def test_a_missing_or_empty_folder_is_explained(tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        read(tmp_path / "none")
    with pytest.raises(UserError, match="no file of the kinds"):
        read(tmp_path)
