"""A folder of runs: one that gather and prepare really made and whose later stages are written down, one just begun."""

import json
import subprocess
import sys

import pytest

from ozfig import files
from ozfig.runs import Run
from ozfig.types import Comparison, Manifest, ModelRef, Score

PAGES = """# Winter storage

Boats stay ashore from 1 October to 31 March. The yard has room for 95 of them.

| Length of boat | Price per season |
| --- | --- |
| Up to 6 m | $410 |
| Over 6 m, up to 9 m | $620 |

## Is there power ashore?

Yes, at **every** place. See the price list for the rate.

## May I bring my dog?

Yes, on a lead. Dogs stay out of the paint shop.

Hoist day
: A hoist day is a day on which six or more boats are lifted.
"""
RECIPE = """name: yard
gather: {sources: [{kind: documents, path: %s}]}
prepare: {clean: [{kind: exact}, {kind: near}], held_out: {share: 0.2}}
"""
REPORT = """<!doctype html><html lang="en"><title>Report</title><style>h1 { color: teal; }</style>
<h1>Tuning helped.</h1><p>A reply: <script>document.title = 'broken'</script></p>
<p id="shown">0</p><script>document.getElementById('shown').textContent = 'counted';</script></html>"""


def manifest(stage, outputs=None, inputs=None, **metrics):
    return Manifest(stage, "k", "k", inputs or {}, outputs or {}, metrics, {"ozfig": "0.1.0"}, 12.3, 456.7)


def log(run, steps, start=1):
    rows = [{"step": n, "loss": 4 / n**0.5, "learning_rate": 1e-3, "tokens": 2000 * n} for n in range(start, steps + 1)]
    for row in rows:
        files.append_line(run.stage("tune") / "log.jsonl", row)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """What `ozfig prepare` made of two pages."""
    folder = tmp_path_factory.mktemp("made")
    files.write_text(folder / "pages" / "winter.md", PAGES)
    files.write_text(folder / "pages" / "summer.md", PAGES.replace("Winter", "Summer").replace("410", "305"))
    files.write_text(folder / "yard.yaml", RECIPE % (folder / "pages"))
    command = [sys.executable, "-m", "ozfig.cli", "prepare", str(folder / "yard.yaml"), "--runs", str(folder / "runs")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / "runs"


@pytest.fixture
def runs(made, tmp_path):
    """A folder with the finished run yard and the run begun, which has only gathered."""
    subprocess.run(["cp", "-r", str(made), str(tmp_path / "runs")], check=True)
    yard = Run(tmp_path / "runs" / "yard")
    yard.write_models({"base": ModelRef("transformers", "/models/pebble", "pebble")})
    train = yard.manifest("prepare").outputs["train.jsonl"]
    yard.stage("tune").mkdir()
    log(yard, 40)
    files.write_json(yard.stage("tune") / "plan.json", {"steps": 40, "tokens": 80000})
    tuned = {"first_loss": 4.0, "final_loss": 0.63, "steps": 40, "resolved": {"tune.packing": True}}
    yard.write_manifest(manifest("tune", {"adapter": "a"}, {"train": train}, **tuned))
    exported = {"files": {"Q4_K_M": {"bytes": 9_300_000}}}
    yard.write_manifest(manifest("export", {}, {"adapter": "a"}, **exported))
    means = {"base": 0.1, "tuned": 0.2}
    scores = [Score(m, "held_out", 1, "closed_book", "token_f1", 96, mean, 0.01) for m, mean in means.items()]
    change = Comparison("base", "tuned", "held_out", "closed_book", "token_f1", 96, 0.1, 0.06, 0.14, 0.001)
    report = {"verdict": "Tuning helped.", "scores": [s.to_row() for s in scores], "comparisons": [change.to_row()]}
    files.write_json(yard.stage("evaluate") / "report.json", report)
    files.write_text(yard.stage("evaluate") / "report.html", REPORT)
    yard.write_manifest(manifest("evaluate", {}, {"train": train}, questions=96, verdict="Tuning helped."))
    begun = Run(tmp_path / "runs" / "begun")
    subprocess.run(["cp", "-r", str(made / "yard"), str(begun.folder)], check=True)
    (begun.stage("prepare") / "manifest.json").unlink()
    return tmp_path / "runs"


@pytest.fixture
def pairs(runs):
    """The rows of the run yard's files by name."""

    def read(name):
        return [json.loads(line) for line in (runs / "yard" / "prepare" / f"{name}.jsonl").read_text().splitlines()]

    return read
