import json
import os
import subprocess
import sys

import pytest

OZFIG = [sys.executable, "-m", "ozfig.cli"]


def call(*args, cwd, **env):
    return subprocess.run(
        [*OZFIG, *args], cwd=cwd, capture_output=True, text=True, env={**os.environ, **env}, check=False
    )


def test_help_names_every_verb_and_loads_nothing_heavy(tmp_path):
    code = (
        "import sys; sys.argv = ['ozfig', '--help']\nfrom ozfig.cli import main\nmain()\n"
        "heavy = {'torch', 'transformers', 'pydantic', 'httpx', 'numpy', 'fastapi'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    for verb in (
        "run",
        "gather",
        "prepare",
        "tune",
        "export",
        "evaluate",
        "plan",
        "serve",
        "pretrain",
        "compare",
        "experiment",
    ):
        assert f" {verb} " in done.stdout


def test_plan_loads_no_torch(tmp_path):
    code = (
        "import sys; sys.argv = ['ozfig', 'plan', 'demo', '--json', '--no-calibrate']\n"
        "from ozfig.cli import main\nmain()\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert [row["stage"] for row in json.loads(done.stdout)["stages"]] == [
        "gather",
        "prepare",
        "tune",
        "export",
        "evaluate",
    ]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["run", "example.com"], "did you mean http://example.com"),
        (["plan", "x.yaml"], "tune.epocs: unknown; did you mean epochs?"),
        (["plan", "missing.yaml"], "no such file or folder"),
        (["plan", "demo", "--set", "base=pebbel"], "pebble"),
        (["serve", "x.yaml"], "not a run folder"),
        (["run", "demo", "--colour"], "--colour"),
        (["run", "demo", "--set", "evaluate.metrics=[f1]"], "f1"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(args, words, tmp_path):
    (tmp_path / "x.yaml").write_text("gather: {sources: [{kind: website, url: 'http://x/'}]}\ntune: {epocs: 3}\n")
    (tmp_path / "missing.yaml").write_text("gather: {sources: [{kind: documents, path: gone}]}\n")
    done = call(*args, cwd=tmp_path, HF_HUB_OFFLINE="1", COLUMNS="300")
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_stage_explains_the_options_of_its_section(tmp_path):
    done = call("tune", "--help", cwd=tmp_path, COLUMNS="160")
    assert done.returncode == 0
    assert "--set tune.learning_rate=" in done.stdout
    assert "Peak learning rate of AdamW." in done.stdout


@pytest.mark.parametrize(
    ("base", "head", "absent"),
    [
        ("t5", "seq2seq", {"packing"}),
        ("bert", "span", {"packing", "template", "context", "passage_share"}),
        ("pebble", "causal", set()),
    ],
)
def test_help_for_a_base_shows_what_its_head_uses_and_loads_no_torch(base, head, absent, tmp_path):
    code = (
        f"import sys; sys.argv = ['ozfig', 'tune', '--help', '--base', '{base}']\nfrom ozfig.cli import main\nmain()\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert f"for a {head} model" in done.stdout
    options = {"packing", "template", "context", "passage_share", "rank", "epochs"}
    assert {name for name in options if f"tune.{name}=" in done.stdout} == options - absent
