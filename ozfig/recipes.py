"""Recipes as files: reading, checking, changing and writing them, and their options explained."""

from __future__ import annotations

import difflib
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from ozfig import files
from ozfig.errors import RecipeError, UserError
from ozfig.recipe import Recipe, Section

T = TypeVar("T", bound=Section)

# where recipes and examples lie: beside the package in a checkout, inside it once installed
SHARE = next(p for p in (Path(__file__).parents[1], Path(__file__).parent / "share") if (p / "recipes").is_dir())
# "from" and "general_from" name a file, or hold a section that does
MODEL_KEYS = {"base", "model", "bertscore_model"}  # a folder or file where it looks like one, else a name
PATH_KEYS = {"path", "serve", "corpus", "urls_from", "benchmarks", "from", "general_from", "file", "fewshot_file"}


def parse(kind: type[T], values: Any, origin: str) -> T:
    """Check values against a recipe type. Raises RecipeError that names `origin`, the key and the mend."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        # an unknown key is the likeliest cause of whatever else is wrong, so it is named first
        first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        raise RecipeError(f"{origin}: {_explain(kind, first)}") from None


def _explain(kind: type[Section], problem: Any) -> str:
    """One line for the first problem that pydantic found."""
    # a discriminated union puts the chosen kind between the list's index and the field
    path = [str(part) for part in problem["loc"]]
    key = ".".join(p for i, p in enumerate(path) if not (i and path[i - 1].isdigit() and p in _KINDS))
    if problem["type"] == "extra_forbidden":
        known = _fields_at(kind, path[:-1])
        near = difflib.get_close_matches(path[-1], known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        return f"{key}: unknown; {hint}"
    if problem["type"] == "missing":
        return f"{key}: required and missing"
    given = "" if isinstance(problem["input"], dict | list) else f" (given: {problem['input']!r})"
    said = problem["msg"].removeprefix("Value error, ")  # what a validator of ours said
    return f"{key}: {said[:1].lower()}{said[1:]}{given}"


_KINDS = {"website", "documents", "dataset", "feedback", "rules", "teacher", "none", "own_model", "other_model"}


def _fields_at(kind: type[Section], path: list[str]) -> list[str]:
    """The field names of the section that a path of keys leads to, found by walking the type annotations."""
    level: list[type[Section]] = [kind]
    for part in path:
        found: list[type[Section]] = []
        for section in level:
            if part in section.model_fields:
                found += _sections_in(section.model_fields[part].annotation)
        tagged = [s for s in level if "kind" in s.model_fields and s.model_fields["kind"].default == part]
        level = found or tagged or level
    return sorted({name for section in level for name in section.model_fields})


def _sections_in(annotation: Any) -> list[type[Section]]:
    """Every Section type inside a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [s for part in getattr(annotation, "__args__", ()) for s in _sections_in(part)]


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping. Raises UserError when the file is missing or is not one."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path}: not a text file that can be read") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of keys to values")
    return values


def override(values: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """Apply `section.key=value` settings; values are read as YAML, a number leads into a list."""
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting}: write section.key=value")
        *parents, last = key.strip().split(".")
        level: Any = values
        for part, following in pairwise([*parents, last]):
            if isinstance(level, list):
                if not part.isdigit() or int(part) >= len(level):
                    raise UserError(f"--set {setting}: {part} is not a position in a list of {len(level)}")
                level = level[int(part)]
            else:
                level = level.setdefault(part, [{}] if following == "0" else {})
            if not isinstance(level, dict | list):
                raise UserError(f"--set {setting}: {part} is a value, not a section")
        if isinstance(level, list):
            raise UserError(f"--set {setting}: {last} cannot replace an item of a list; name a key in it")
        level[last] = _value(text)
    return values


def _value(text: str) -> Any:
    """A setting's value as YAML; text that YAML takes for a mapping or cannot read stays text."""
    try:
        value = yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        return text
    return text if isinstance(value, dict) and not text.lstrip().startswith("{") else value


def absolute_paths(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The recipe's values with every file and folder made absolute: relative ones start at the recipe."""

    def fix(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: fix(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [fix(v, key) for v in value]
        if isinstance(value, str) and value and _is_path(key, value):
            return str((folder / Path(value).expanduser()).resolve())
        if key in MODEL_KEYS and isinstance(value, str) and "/" in value:  # a hub id, unless a model lies there
            for root in (folder, Path.cwd()):
                if (root / value / "config.json").is_file():
                    return str((root / value).resolve())
        return value

    fixed: dict[str, Any] = fix(values)
    return fixed


def _is_path(key: str, value: str) -> bool:
    """Whether a key's value names a file or folder."""
    return key in PATH_KEYS or (key in MODEL_KEYS and (value.startswith((".", "/", "~")) or value.endswith(".gguf")))


def load(kind: type[T], path: Path, settings: list[str] | None = None) -> T:
    """Read a recipe file, apply settings and check it. Raises UserError or RecipeError."""
    values = override(read_yaml(path), settings or [])
    return parse(kind, absolute_paths(values, path.parent.resolve()), str(path))


def dump(recipe: Section) -> str:
    """A recipe as YAML, every value written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


def for_target(target: str, settings: list[str] | None = None) -> Recipe:
    """The recipe for a bare URL, folder or data file, with every default.

    Raises UserError when the target is none of these.
    """
    path = Path(target).expanduser()
    source: dict[str, Any]
    if re.match(r"https?://", target):
        host = re.sub(r"^www\.", "", target.split("//", 1)[1].split("/", 1)[0])
        private = re.match(r"(localhost|127\.|\[::1\])", host) is not None
        source = {"kind": "website", "url": target, "allow_private": private}
        name = host
    elif path.is_dir():
        source, name = {"kind": "documents", "path": str(path.resolve())}, path.resolve().name
    elif path.is_file() and re.search(r"\.(csv|tsv|jsonl?|parquet)(\.gz)?$", path.name):
        source, name = {"kind": "dataset", "path": str(path.resolve())}, path.name.split(".")[0]
    elif path.is_file():
        source, name = {"kind": "documents", "path": str(path.resolve())}, path.stem
    else:
        raise UserError(f"{target}: not a URL, folder or file; did you mean http://{target} ?")
    values: dict[str, Any] = {"name": re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "site"}
    values["gather"] = {"sources": [source]}
    return parse(Recipe, absolute_paths(override(values, settings or []), Path.cwd()), target)


def find(target: str, settings: list[str] | None = None) -> Recipe:
    """The recipe for whatever a user names: a recipe file, a packaged recipe, a URL, a folder or a data file.

    Raises UserError or RecipeError.
    """
    path = Path(target).expanduser()
    if path.suffix in {".yaml", ".yml"}:
        return load(Recipe, path if path.is_file() else packaged(path), settings)
    shipped = SHARE / "recipes" / f"{target}.yaml"
    if not path.exists() and re.fullmatch(r"[a-z]+", target) and shipped.is_file():
        return load(Recipe, shipped, settings)
    return for_target(target, settings)


def packaged(path: Path) -> Path:
    """The packaged recipe of the same name for a file that is not there, so that `recipes/demo.yaml` works anywhere."""
    shipped = SHARE / "recipes" / path.name
    return shipped if path.parent.name in {"", "recipes"} and shipped.is_file() else path


def paths_in(section: Section) -> list[Path]:
    """Every file and folder that a section names, in order."""
    found: list[Path] = []

    def walk(value: Any, key: str = "") -> None:
        if isinstance(value, dict):
            for k, v in value.items():
                walk(v, k)
        elif isinstance(value, list):
            for v in value:
                walk(v, key)
        elif isinstance(value, str) and value and _is_path(key, value):
            found.append(Path(value))

    walk(section.model_dump(mode="json"))
    return found


def content_hash(section: Section, seen: dict[str, str]) -> str:
    """Hash of a section with each path replaced by its content's hash (`seen`): a moved folder changes nothing."""

    def fix(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: fix(v) for k, v in value.items()}
        if isinstance(value, list):
            return [fix(v) for v in value]
        return seen.get(value, value) if isinstance(value, str) else value

    return files.sha256_value(fix(section.model_dump(mode="json")))


def options(section: type[Section], prefix: str = "") -> list[tuple[str, str, str]]:
    """Each option of a section: its key, its default and its meaning. Sections within it are walked.

    An item of a list is written as `--set` takes it, by its place; options of one kind of item name it before their
    meaning.
    """
    rows = []
    for name, field in section.model_fields.items():
        key = f"{prefix}{name}"
        inner = _sections_in(field.annotation)
        default = "required" if field.is_required() else _short(field.default)
        rows.append((key, default, field.description or ""))
        for kind in inner:
            tag = kind.model_fields["kind"].default if "kind" in kind.model_fields else ""
            place = ".0" if "list[" in str(field.annotation) else ""
            named = f"({tag}) " if isinstance(tag, str) and tag else ""
            rows += [(name, value, named + meaning) for name, value, meaning in options(kind, f"{key}{place}.")]
    return rows


def _short(default: Any) -> str:
    """A default as a recipe would write it; sections and lists of sections explain themselves below."""
    if isinstance(default, Section) or (isinstance(default, list) and default and isinstance(default[0], Section)):
        return ""
    return yaml.safe_dump(default, default_flow_style=True, width=1000).split("\n")[0]
