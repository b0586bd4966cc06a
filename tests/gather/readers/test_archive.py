import tracemalloc
import zipfile
import zlib

import pytest

from ozfig.gather.readers import Unreadable, archive


def opened(path):
    with archive.opened(path) as found:
        return found.namelist()


def packed(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in parts.items():
            out.writestr(name, data)
    return path


def test_what_is_no_whole_archive_is_refused(tmp_path):
    path = packed(tmp_path / "a.docx", {"a": "text" * 1000})
    assert opened(path) == ["a"]
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(Unreadable, match="cut off"):
        opened(path)
    path.write_bytes(archive.OLE + b"\0" * 600)
    with pytest.raises(Unreadable, match="encrypted, or in the old binary format"):
        opened(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    bomb = packed(tmp_path / "a.docx", {"word/document.xml": b"\0" * 30_000_000})
    assert bomb.stat().st_size < 100_000
    with pytest.raises(Unreadable, match=r"unpacks to .* times its size"):
        opened(bomb)
    # text that packs well is no bomb
    assert opened(packed(tmp_path / "b.docx", {"a": "The same sentence again. " * 100_000})) == ["a"]


def test_so_is_a_large_one(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_UNPACKED", 1000)
    with pytest.raises(Unreadable, match="over-large: unpacks to"):
        opened(packed(tmp_path / "a.docx", {"a": "x" * 1001}))
    monkeypatch.setattr(archive, "MOST_PARTS", 3)
    with pytest.raises(Unreadable, match="4 parts"):
        opened(packed(tmp_path / "b.docx", dict.fromkeys("abcd", "")))


def test_a_part_gives_no_more_than_the_directory_says(tmp_path):
    """A directory that lies about a part's size cannot make it larger."""
    path = packed(tmp_path / "a.docx", {"a": "x" * 5000})
    data = path.read_bytes()
    path.write_bytes(data.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(Unreadable, match="a unpacks to more than the archive says"):
        opened(path)
    # with the check sum of what the false size leaves, too
    path = packed(tmp_path / "b.docx", {"a": "x" * 50_000_000})
    data = path.read_bytes().replace((50_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    full, short = zlib.crc32(b"x" * 50_000_000), zlib.crc32(b"x" * 10)
    path.write_bytes(data.replace(full.to_bytes(4, "little"), short.to_bytes(4, "little")))
    tracemalloc.start()
    with pytest.raises(Unreadable, match="broken"):
        opened(path)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_encrypted_and_missing_parts(tmp_path):
    path = packed(tmp_path / "a.docx", {"a": "x"})
    with archive.opened(path) as found, pytest.raises(Unreadable, match="lacks b"):
        archive.part(found, "b")
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(Unreadable, match="encrypted"):
        opened(path)


@pytest.mark.parametrize(("field", "words"), [(6, "zip file version"), (10, "compression method")])
def test_a_packing_of_another_time_is_refused(field, words, tmp_path):
    path = packed(tmp_path / "a.docx", {"a": "x"})
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\x01\x02") + field] = 99
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=words):
        opened(path)
