"""How far off `ozfig plan` is: a fresh calibration, then the training that it speaks of, several times over.

python -m benchmarks.plan                                     # recipes/demo.yaml
python -m benchmarks.plan --set tune.epochs=0.5 --trials 2
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ozfig import console, files
from ozfig.forecast.book import NAME

MEASURES = ("seconds", "memory_mb", "disk_mb")


def ozfig(verb: str, recipe: str, runs: Path, settings: list[str]) -> None:
    words = [sys.executable, "-m", "ozfig.cli", verb, recipe, "--runs", str(runs), "--json"]
    options = [part for setting in settings for part in ("--set", setting)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(runs / "cache")}
    subprocess.run([*words, *options], check=True, stdout=subprocess.DEVNULL, env=environment)


def trial(recipe: str, runs: Path, settings: list[str]) -> list[dict]:
    """Plan and actual of one training, with nothing known from an earlier one."""
    shutil.rmtree(runs / "cache", ignore_errors=True)
    for folder in runs.glob("*/tune"):
        shutil.rmtree(folder)
    for verb in ("plan", "tune"):
        ozfig(verb, recipe, runs, settings)
    (book,) = runs.glob(f"*/{NAME}")
    found = files.read_json(book)["tune"]
    planned, actual = found["planned"], found["actual"]
    return [
        {"name": name, "planned": planned[name], "actual": actual[name], "off": planned[name] / actual[name] - 1}
        for name in MEASURES
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", default="demo")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ozfig("prepare", given.recipe, Path(folder), given.settings)
        for n in range(given.trials):
            rows += [{"trial": n + 1, **row} for row in trial(given.recipe, Path(folder), given.settings)]
    cells = [
        [f"{r['trial']}, {r['name']}", f"{r['planned']:.1f}", f"{r['actual']:.1f}", f"{r['off']:+.0%}"] for r in rows
    ]
    if given.json:
        print(json.dumps({"rows": rows}))
    else:
        console.table("plan of the tune stage", ["trial", "planned", "actual", "off"], cells)


if __name__ == "__main__":
    main()
