"""Fixtures that more than one folder of tests needs."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("OZFIG_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found: {folder} (set OZFIG_DATA)")
    return folder


@pytest.fixture(scope="session")
def pebble() -> Path:
    """The folder of the embedded base model."""
    return ROOT / "ozfig" / "models" / "pebble"
