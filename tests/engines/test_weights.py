"""GGUF files by address, from servers of the test's own."""

import hashlib

import pytest

from ozfig.engines import archive, weights
from ozfig.errors import OutsideError, UserError

DATA = b"GGUF" + bytes(range(256)) * 5000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("text", "is_one", "name"),
    [
        ("https://host/a/model.gguf#sha256=00", True, "model"),
        ("owner/name", True, "name"),
        ("owner/name:Q8_0", True, "name"),
        ("owner/name/small.Q8_0.gguf", True, "small.Q8_0"),
        ("https://host/v1", False, "v1"),
        ("model.gguf", False, "model"),
    ],
)
def test_what_is_an_address(text, is_one, name):
    assert (weights.is_address(text), weights.called(text)) == (is_one, name)


def test_a_folder_on_disk_is_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "site").mkdir(parents=True)
    assert not weights.is_address("runs/site")


def test_a_run_that_is_not_made_yet_is_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not weights.is_address("runs/site")
    (tmp_path / "models").mkdir()
    assert not weights.is_address("models/slip")
    assert weights.is_address("owner/name")


def test_a_file_is_fetched_once_and_tells_how_far_it_is(site):
    site.answers["/m.gguf"] = (200, {"Content-Type": "application/octet-stream"}, DATA)
    seen = []
    path = weights.fetch(f"{site.url}/m.gguf#sha256={SHA}", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert weights.fetch(f"{site.url}/m.gguf#sha256={SHA}") == path
    assert len(site.asked) == 1
    assert [p.name for p in path.parent.iterdir()] == ["m.gguf"]


def test_what_was_cut_goes_on(site):
    part = archive.cache() / SHA / "m.gguf.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA[:70_000])
    site.answers["/m.gguf"] = (206, {"Content-Type": "application/octet-stream"}, DATA[70_000:])
    assert weights.fetch(f"{site.url}/m.gguf#sha256={SHA}").read_bytes() == DATA


def test_a_server_without_ranges_sends_all_again(site):
    part = archive.cache() / SHA / "m.gguf.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"other")
    site.answers["/m.gguf"] = (200, {"Content-Type": "application/octet-stream"}, DATA)
    assert weights.fetch(f"{site.url}/m.gguf#sha256={SHA}").read_bytes() == DATA


def test_what_cannot_be_had_is_one_line(site):
    site.answers["/m.gguf"] = (200, {"Content-Type": "application/octet-stream"}, b"GGUF of another")
    with pytest.raises(UserError, match="add the file's hash"):
        weights.fetch(f"{site.url}/m.gguf")
    with pytest.raises(UserError, match="the file is another one"):
        weights.fetch(f"{site.url}/m.gguf#sha256={SHA}")
    with pytest.raises(OutsideError, match="answers 404"):
        weights.fetch(f"{site.url}/none.gguf#sha256={SHA}")
    with pytest.raises(OutsideError, match="cannot be fetched"):
        weights.fetch(f"http://127.0.0.1:9/m.gguf#sha256={SHA}")


class Sibling:
    def __init__(self, name):
        self.rfilename, self.lfs = name, {"sha256": SHA}


@pytest.mark.parametrize(
    ("file", "quantisation", "expected"),
    [
        ("", "", "m.Q4_K_M.gguf"),
        ("", "q8_0", "m-Q8_0.gguf"),
        ("m-Q8_0.gguf", "", "m-Q8_0.gguf"),
    ],
)
def test_which_of_several_files_is_meant(file, quantisation, expected):
    there = [Sibling(name) for name in ("README.md", "m-Q8_0.gguf", "m.Q4_K_M.gguf", "m.F16.gguf")]
    assert weights._chosen("a/b", file, quantisation, there).rfilename == expected


def test_a_file_that_is_not_there_names_those_that_are():
    with pytest.raises(UserError, match=r"it has m\.F16\.gguf"):
        weights._chosen("a/b:Q2_K", "", "Q2_K", [Sibling("m.F16.gguf")])
    with pytest.raises(UserError, match="several parts"):
        weights._chosen("a/b", "", "", [Sibling("m-Q4_K_M-00001-of-00002.gguf")])
