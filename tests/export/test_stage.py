import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ozfig import files
from ozfig.export import stage
from ozfig.export.errors import ParityError
from ozfig.types import ModelRef

from .conftest import make_job


def test_the_outcome_names_what_was_written(exported):
    folder, outcome = exported
    assert outcome.outputs == ["merged", "site.Q4_K_M.gguf", "site.F16.gguf", "site.Q8_0.gguf", "Modelfile"]
    # how quick the files are is another figure every time: beside the outputs, not one of them
    assert sorted(p.name for p in folder.iterdir()) == sorted([*outcome.outputs, "speed.json"])
    speeds = files.read_json(folder / "speed.json")
    assert set(speeds) == {"Q4_K_M", "F16", "Q8_0"}
    assert all(20 < speed["written"] < speed["read"] for speed in speeds.values())

    def ref(quant: str) -> ModelRef:
        path = folder / f"site.{quant}.gguf"
        return ModelRef("gguf", str(path), "site", str(folder / "merged"), files.sha256_path(path), quant)

    first = ref("Q4_K_M")
    assert outcome.models == {"quantised": first, "Q4_K_M": first, "F16": ref("F16"), "Q8_0": ref("Q8_0")}


def test_the_figures_add_up(exported):
    folder, outcome = exported
    small, full = outcome.metrics["files"]["Q4_K_M"], outcome.metrics["files"]["F16"]
    assert small["bytes"] == (folder / "site.Q4_K_M.gguf").stat().st_size
    assert small["weights"] == full["weights"]
    assert 4.5 < small["bits_per_weight"] < 6.6
    assert 16 <= full["bits_per_weight"] < 16.1
    for figures in (small, full):
        parity = figures["parity"]
        assert parity["token_ids_equal"] == parity["token_ids_compared"] >= 250
        assert parity["templates_equal"] == 9
        assert parity["reply_tokens_equal"] >= 0.9 * parity["reply_tokens"]
    assert full["parity"]["largest_gap"] < 0.02
    assert full["parity"]["kl"] < 1e-4 < small["parity"]["kl"] < 0.1


def test_a_second_export_has_the_same_bytes_even_after_a_kill(exported, adapter, tmp_path):
    folder, _ = exported
    again = tmp_path / "elsewhere" / "export"
    (again / "merged").mkdir(parents=True)
    (again / "merged" / "model.safetensors").write_bytes(b"half of a file")
    (again / "site.Q4_K_M.gguf.part").write_bytes(b"half of a file")
    outcome = stage.run(make_job(adapter, again, ["Q4_K_M"]))
    assert outcome.outputs == ["merged", "site.Q4_K_M.gguf", "Modelfile"]
    assert sorted(p.name for p in again.iterdir()) == sorted([*outcome.outputs, "speed.json"])
    for name in outcome.outputs:
        assert files.sha256_path(again / name) == files.sha256_path(folder / name), name


def test_a_file_beyond_the_limits_stops_the_stage_and_loses_its_name(exported, adapter, tmp_path):
    job = make_job(adapter, tmp_path, ["Q4_K_M"])
    job.section.limits.kl = 1e-6
    shutil.copyfile(exported[0] / "site.Q4_K_M.gguf", tmp_path / "site.Q4_K_M.gguf")
    made = replace(exported[1].models["quantised"], path=str(tmp_path / "site.Q4_K_M.gguf"))
    with pytest.raises(ParityError, match=r"site\.Q4_K_M\.gguf: diverges from the trained model by 0\.0"):
        stage._checked(job, adapter, [made])
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
    assert found.outputs == ["merged", "site.Q8_0.gguf", "Modelfile"]
    assert not (target / "merged" / "modeling_extra.py").exists()
    assert files.sha256_path(target / "merged") == files.sha256_path(folder / "merged")
    assert 8.5 <= found.metrics["files"]["Q8_0"]["bits_per_weight"] < 8.6
    assert Path(found.models["quantised"].path).name == "site.Q8_0.gguf"
