import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ozfig import files
from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.tune import checkpoints, stage, trainer, watch

from .conftest import make_job

OPTIONS = {"epochs": 4, "packing": True, "batch_tokens": 256, "checkpoint_minutes": 1e-6, "dropout": 0.1}
WORKER = """
import json, sys
from pathlib import Path
import torch
from ozfig.recipe import Tune
from ozfig.tune import stage
from ozfig.types import Job, ModelRef
options, folder, train, base = sys.argv[1:]
torch.set_num_threads(1)
job = Job("houses", Tune(**json.loads(options)), 7, "Be brief.", Path(folder), {"train": Path(train)},
          {"base": ModelRef("transformers", base, "tiny")}, Path(folder) / "cache")
try:
    stage.run(job)
except KeyboardInterrupt:
    sys.exit(130)
"""


def stopped(job, options, number):
    """Run the job in another process and send it a signal after three steps; returns the exit code."""
    arguments = [files.dump(options), str(job.folder), str(job.inputs["train"]), job.models["base"].path]
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments],
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    log = job.folder / trainer.LOG
    while worker.poll() is None and not (log.exists() and log.read_text().count("\n") >= 3):
        time.sleep(0.002)
    worker.send_signal(number)
    return worker.wait(60)


@pytest.mark.parametrize(("number", "code", "method"), [(signal.SIGKILL, -9, "lora"), (signal.SIGINT, 130, "full")])
def test_a_stopped_training_ends_with_the_same_bytes(tiny, tmp_path, number, code, method):
    options = {**OPTIONS, "method": method}
    job = make_job(Tune(**options), tmp_path / "stopped" / "tune", tiny)
    assert stopped(job, options, number) == code
    folder = job.folder / checkpoints.FOLDER
    (found,) = checkpoints.whole(folder)
    (folder / checkpoints.UNFINISHED / "checkpoint-900").mkdir(parents=True, exist_ok=True)

    undisturbed = make_job(Tune(**options), tmp_path / "undisturbed" / "tune", tiny)
    expected, resumed = stage.run(undisturbed), stage.run(job)
    steps = [row["step"] for row in files.read_jsonl(job.folder / trainer.LOG)]
    assert steps == list(range(1, expected.metrics["steps"] + 1))
    assert 0 < int(found.name.split("-")[1]) < len(steps)
    for name in [*expected.outputs, trainer.LOG]:
        assert files.sha256_path(job.folder / name) == files.sha256_path(undisturbed.folder / name), name
    assert resumed.metrics == expected.metrics
    trained_here = files.read_json(job.folder / "speed.json")["tokens"]
    assert trained_here < expected.metrics["tokens"] * 4
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_a_second_one_acts(number):
    arrived = []
    before = signal.signal(number, lambda *_: arrived.append(number))
    try:
        with watch.stop_signals() as stop:
            os.kill(os.getpid(), number)
            assert stop.asked
            assert not arrived
            os.kill(os.getpid(), number)
            assert arrived == [number]
        os.kill(os.getpid(), number)
        assert arrived == [number, number]
    finally:
        signal.signal(number, before)


def test_checkpoints_of_other_options_are_not_continued(tiny, tmp_path):
    job = make_job(Tune(**OPTIONS), tmp_path / "a" / "tune", tiny)
    other = checkpoints.resumable(job.folder / checkpoints.FOLDER, "other")
    assert other is None
    (job.folder / checkpoints.FOLDER / "checkpoint-3").mkdir()
    assert checkpoints.resumable(job.folder / checkpoints.FOLDER, "other").name == "checkpoint-3"
    stage.run(job)  # would fail on the empty checkpoint


def test_divergence_is_one_line_and_keeps_the_last_good_state(tiny, tmp_path):
    job = make_job(Tune(**{**OPTIONS, "learning_rate": 1e30}), tmp_path / "tune", tiny)
    with pytest.raises(UserError, match=r"diverged at step \d+.*learning_rate \(it is 1e\+30\)"):
        stage.run(job)
    (kept,) = checkpoints.whole(job.folder / checkpoints.FOLDER)
    assert all(torch.isfinite(t).all() for t in load_file(kept / "adapter_model.safetensors").values())
    assert all(math.isfinite(row["loss"]) for row in files.read_jsonl(job.folder / trainer.LOG))


FULL_DISK = """
import json, resource, sys
from pathlib import Path
import torch
from ozfig.errors import OutsideError
from ozfig.recipe import Tune
from ozfig.tune import checkpoints, stage, watch
from ozfig.types import Job, ModelRef
options, folder, train, base, name, size = sys.argv[1:]
torch.set_num_threads(1)
write, seen = checkpoints.transformers.Trainer._save_checkpoint, []

def filling(self, model, trial):
    if len(seen) == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))
    seen.append(1)
    write(self, model, trial)

checkpoints.transformers.Trainer._save_checkpoint = filling
job = Job("houses", Tune(**json.loads(options)), 7, "Be brief.", Path(folder), {"train": Path(train)},
          {"base": ModelRef("transformers", base, "tiny")}, Path(folder) / "cache")
try:
    stage.run(job)
except OutsideError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("size", [100, 75_000])  # room for nothing, for all but the moments
def test_a_full_disk_is_one_line_and_keeps_the_last_good_checkpoint(tiny, tmp_path, size):
    """No file may grow beyond `size` bytes from the third checkpoint on: the writes themselves fail."""
    job = make_job(Tune(**OPTIONS), tmp_path / "stopped" / "tune", tiny)
    arguments = [files.dump(OPTIONS), str(job.folder), str(job.inputs["train"]), str(tiny), "tiny", str(size)]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, *arguments],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 3, done.stderr
    (line,) = done.stdout.splitlines()
    assert "no room left" in line
    assert "the checkpoint of step 2 is kept" in line
    folder = job.folder / checkpoints.FOLDER
    assert [path.name for path in checkpoints.whole(folder)] == ["checkpoint-2"]
    assert not (folder / checkpoints.UNFINISHED).exists()

    undisturbed = make_job(Tune(**OPTIONS), tmp_path / "undisturbed" / "tune", tiny)
    expected, resumed = stage.run(undisturbed), stage.run(job)
    for name in expected.outputs:
        assert files.sha256_path(job.folder / name) == files.sha256_path(undisturbed.folder / name), name
    assert resumed.metrics == expected.metrics


def test_other_failures_of_a_write_are_not_called_a_full_disk(tmp_path):
    with pytest.raises(PermissionError), checkpoints.disk_may_fill(tmp_path):
        raise PermissionError(13, "Permission denied")


def test_checkpoints_load_without_pickled_code(tiny, tmp_path):
    """Everything that resume reads besides safetensors opens with `weights_only`."""
    job = make_job(Tune(**{**OPTIONS, "learning_rate": 1e30}), tmp_path / "tune", tiny)
    with pytest.raises(UserError):
        stage.run(job)
    (kept,) = checkpoints.whole(job.folder / checkpoints.FOLDER)
    for name in ("optimizer.pt", "scheduler.pt"):
        assert torch.load(kept / name, weights_only=True)
