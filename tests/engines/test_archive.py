"""Packed models from a server of the test's own."""

import hashlib
import io
import tarfile
import zipfile

import pytest

from ozfig.engines import archive
from ozfig.engines.resolve import locate, resolve
from ozfig.errors import OutsideError, UserError

TAR = {"Content-Type": "application/gzip"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def tar_of(files, links=()):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return data.getvalue()


def zip_of(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as pack:
        for name, content in files.items():
            pack.writestr(name, content)
    return data.getvalue()


def packed(folder, inside="small-t5"):
    return {f"{inside}/{p.name}": p.read_bytes() for p in folder.iterdir()}


def offer(site, data, name="/small-t5.tar.gz"):
    site.answers[name] = (200, TAR, data)
    return f"{site.url}{name}#sha256={hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize(("pack", "ending"), [(tar_of, "tar.gz"), (zip_of, "zip")])
def test_a_packed_model_is_a_base_and_is_fetched_once(site, t5, pack, ending):
    base = offer(site, pack(packed(t5)), f"/small-t5.{ending}")
    ref = resolve(base)
    assert (ref.name, ref.head, ref.sha256) == ("small-t5", "seq2seq", resolve(str(t5)).sha256)
    assert resolve(base) == ref
    assert len(site.asked) == 1
    assert [p.name for p in archive.cache().iterdir()] == [base.rpartition("=")[2]]


def test_only_known_files_come_out_and_nothing_leaves_the_folder(site, t5, tmp_path):
    extra = {
        "small-t5/modeling.py": b"raise SystemExit",
        "small-t5/pytorch_model.bin": b"pickled",
        "../../escaped.json": b"{}",
        "/escaped.json": b"{}",
        "small-t5/onnx/config.json": b"{}",
    }
    links = [("small-t5/added_tokens.json", "/etc/passwd"), ("small-t5/extra", "/etc")]
    folder = archive.fetch(offer(site, tar_of(packed(t5) | extra, links)))
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        p.name for p in t5.iterdir() if p.suffix in {".json", ".safetensors", ".model"}
    )
    assert not list(tmp_path.rglob("escaped.json"))


def test_another_file_than_the_hash_says_is_never_opened(site, t5):
    base = offer(site, tar_of(packed(t5)))
    site.answers["/small-t5.tar.gz"] = (200, TAR, tar_of(packed(t5) | {"small-t5/x.json": b"1"}))
    with pytest.raises(UserError, match="the file is another one: its sha256 is"):
        resolve(base)
    assert not list(archive.cache().iterdir())


def test_what_is_no_model_is_refused(site):
    with pytest.raises(UserError, match=r"holds no config\.json"):
        resolve(offer(site, tar_of({"a/readme.json": b"{}"})))
    with pytest.raises(UserError, match="not an archive"):
        resolve(offer(site, b"no archive at all"))


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(site, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 1 << 20)
    with pytest.raises(UserError, match="unpacks to more than"):
        resolve(offer(site, tar_of({"a/config.json": b"{}", "a/model.safetensors": bytes(2 << 20)})))


@pytest.mark.parametrize("base", ["https://host/model.tar.gz", "https://host/model.tar.gz#sha256=12"])
def test_a_url_without_a_hash_is_refused_before_anything_is_fetched(base):
    with pytest.raises(UserError, match="add the file's hash"):
        locate(base)


def test_a_url_of_another_kind_is_refused():
    with pytest.raises(UserError, match=r"name a \.tar\.gz or \.zip"):
        locate("https://host/model.bin#sha256=" + "0" * 64)


def test_a_server_that_fails_is_outside(site):
    with pytest.raises(OutsideError, match="the server answers 404"):
        resolve(f"{site.url}/gone.zip#sha256={'0' * 64}")
