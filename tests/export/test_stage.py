from dataclasses import replace
from pathlib import Path

import pytest

from ozfig import files
from ozfig.export import stage
from ozfig.export.parity import ParityError
from ozfig.types import ModelRef

from .conftest import make_job


def test_the_outcome_names_what_was_written(exported):
    folder, outcome = exported
    assert outcome.outputs == ["merged", "site.Q4_K_M.gguf", "site.F16.gguf"]
    assert sorted(p.name for p in folder.iterdir()) == sorted(outcome.outputs)
    small, full = (
        ModelRef("gguf", str(path), "site", str(folder / "merged"), files.sha256_path(path), quant)
        for quant in ("Q4_K_M", "F16")
        for path in [folder / f"site.{quant}.gguf"]
    )
    assert outcome.models == {"quantised": small, "Q4_K_M": small, "F16": full}


def test_the_figures_add_up(exported):
    folder, outcome = exported
    small, full = outcome.metrics["files"]["Q4_K_M"], outcome.metrics["files"]["F16"]
    assert small["bytes"] == (folder / "site.Q4_K_M.gguf").stat().st_size
    assert small["weights"] == full["weights"]
    assert 4.5 < small["bits_per_weight"] < 6.6
    assert 16 <= full["bits_per_weight"] < 16.1
    for figures in (small, full):
        parity = figures["parity"]
        assert parity["token_ids_equal"] == parity["token_ids_compared"] >= 40
        assert parity["template_equal"] is True
        assert parity["top1_agreement"] >= 0.75
    assert full["parity"]["largest_gap"] < 0.1


def test_a_second_export_has_the_same_bytes_even_after_a_kill(exported, adapter, tmp_path):
    folder, _ = exported
    again = tmp_path / "elsewhere" / "export"
    (again / "merged").mkdir(parents=True)
    (again / "merged" / "model.safetensors").write_bytes(b"half of a file")
    (again / "site.Q4_K_M.gguf.part").write_bytes(b"half of a file")
    outcome = stage.run(make_job(adapter, again, ["Q4_K_M"]))
    assert outcome.outputs == ["merged", "site.Q4_K_M.gguf"]
    assert sorted(p.name for p in again.iterdir()) == outcome.outputs
    for name in outcome.outputs:
        assert files.sha256_path(again / name) == files.sha256_path(folder / name), name


def test_a_file_that_fails_its_check_is_not_left_under_its_name(exported, tmp_path):
    folder, outcome = exported
    merged = tmp_path / "merged"
    merged.mkdir()
    for path in (folder / "merged").iterdir():
        (merged / path.name).write_bytes(path.read_bytes())
    (merged / "chat_template.jinja").write_text("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    copy = tmp_path / "site.Q4_K_M.gguf"
    copy.write_bytes((folder / copy.name).read_bytes())
    ref = replace(outcome.models["quantised"], path=str(copy), base=str(merged))
    with pytest.raises(ParityError, match="the chat template differs"):
        stage._checked(ref, "")
    assert [p.name for p in tmp_path.glob("*gguf*")] == ["site.Q4_K_M.gguf.failed"]


def test_a_whole_model_is_exported_without_what_could_run(exported, tmp_path):
    folder, _ = exported
    model = tmp_path / "tune" / "model"
    model.mkdir(parents=True)
    for path in (folder / "merged").iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    (model / "modeling_extra.py").write_text("raise SystemExit('code of strangers was run')")
    tuned = ModelRef("transformers", str(model), "site")
    target = tmp_path / "export"
    found = stage.run(make_job(tuned, target, ["Q8_0"]))
    assert found.outputs == ["merged", "site.Q8_0.gguf"]
    assert not (target / "merged" / "modeling_extra.py").exists()
    assert files.sha256_path(target / "merged") == files.sha256_path(folder / "merged")
    assert 8.5 <= found.metrics["files"]["Q8_0"]["bits_per_weight"] < 8.6
    assert Path(found.models["quantised"].path).name == "site.Q8_0.gguf"
