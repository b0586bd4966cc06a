import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ozfig import files
from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.tune import checkpoints, launch, machine, sharding, stage, trainer

from .conftest import make_job
from .test_trainer import WORKER

OPTIONS = {"epochs": 2, "batch_tokens": 256, "precision": "float32", "learning_rate": 1e-2, "validation_share": 0.2}


def losses(folder: Path, name: str = trainer.LOG) -> list[float]:
    return [row["loss"] for row in files.read_jsonl(folder / name)]


def test_two_processes_have_the_losses_of_one(tiny, tmp_path, capfd):
    jobs = [make_job(Tune(**OPTIONS, processes=n), tmp_path / str(n) / "tune", tiny) for n in (1, 2)]
    one, two = (stage.run(job) for job in jobs)
    for name, n in ((trainer.LOG, one.metrics["steps"]), ("validation.jsonl", 6)):
        alone, together = (losses(job.folder, name) for job in jobs)
        assert together == pytest.approx(alone, abs=1e-4)
        assert len(alone) == n
    assert two.metrics["tokens"] == one.metrics["tokens"]
    assert two.metrics["sequences"] == 2 * one.metrics["sequences"]  # one micro-batch a step became two
    assert two.outputs == one.outputs
    assert sorted(p.name for p in jobs[0].folder.rglob("*")) == sorted(p.name for p in jobs[1].folder.rglob("*"))
    said = capfd.readouterr().err
    assert said.count("2 processes by ddp") == 1  # only one of them speaks


def test_an_explained_failure_in_a_process_is_the_same_one_line(tmp_path):
    with pytest.raises(UserError, match=r"absent.json: no such file"):
        launch.Torchrun(2, "cpu")(files.read_json, tmp_path / "absent.json")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_launcher_from_outside_starts_the_training(tiny, tmp_path):
    seen = []

    def launcher(function, given):
        seen.append(function.__name__)
        return launch.in_process(function, given)

    outcome = stage.run(make_job(Tune(**OPTIONS), tmp_path / "tune", tiny), launcher)
    assert seen == ["tune"]
    assert outcome.models["tuned"].kind == "adapter"


def test_what_cannot_be_started_is_refused_before_anything_starts(tiny, tmp_path):
    with pytest.raises(UserError, match=r"fsdp needs CUDA.*quietly train by DDP.*tune.sharding=ddp"):
        stage.run(make_job(Tune(sharding="fsdp", processes=2, device="cpu"), tmp_path / "tune", tiny))
    with pytest.raises(UserError, match="2 need a GPU each"):
        launch.chosen(2, "mps")
    assert not (tmp_path / "tune").exists()


def test_a_model_that_is_not_shared_as_asked_is_refused():
    section = machine.resolve(Tune(device="cpu", processes=2)).model_copy(update={"sharding": "fsdp"})
    bare = type("Trainer", (), {"model_wrapped": torch.nn.Linear(2, 2)})()
    with pytest.raises(UserError, match="fsdp was asked for, and the model became Linear"):
        sharding.CheckWrapped(bare, section).on_train_begin(None, None, None)


@pytest.mark.soak
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_two_processes_that_were_stopped_end_with_the_same_bytes(tiny, tmp_path, number, code):
    options = {**OPTIONS, "epochs": 20, "dropout": 0.1, "processes": 2, "checkpoint_minutes": 1e-6}
    job = make_job(Tune(**options), tmp_path / "stopped" / "tune", tiny)
    script = tmp_path / "worker.py"
    body = WORKER.split("options, folder")
    indented = "\n".join(f"    {line}" for line in f"options, folder{body[1]}".splitlines())
    script.write_text(f"{body[0]}\nif __name__ == '__main__':\n{indented}\n")
    worker = subprocess.Popen(
        [sys.executable, script, files.dump(options), str(job.folder), str(job.inputs["train"]), str(tiny)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.DEVNULL,
    )
    log = job.folder / trainer.LOG
    while worker.poll() is None and not (log.exists() and log.read_text().count("\n") >= 3):
        time.sleep(0.01)
    worker.send_signal(number)
    assert worker.wait(120) == code
    (found,) = checkpoints.whole(job.folder / checkpoints.FOLDER)
    time.sleep(3)  # processes whose agent is gone have ended by then

    undisturbed = make_job(Tune(**options), tmp_path / "undisturbed" / "tune", tiny)
    expected, resumed = stage.run(undisturbed), stage.run(job)
    assert 0 < checkpoints.step_of(found) < expected.metrics["steps"]
    for name in [*expected.outputs, trainer.LOG]:
        assert files.sha256_path(job.folder / name) == files.sha256_path(undisturbed.folder / name), name
    assert resumed.metrics == expected.metrics
