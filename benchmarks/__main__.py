"""Run every benchmark of this folder: python -m benchmarks."""

import runpy
from pathlib import Path

for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    print(f"\n{path.stem}")
    runpy.run_module(f"benchmarks.{path.stem}", run_name="__main__")
