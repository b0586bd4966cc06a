import json
import os
import subprocess
import sys

import pytest

READ = """
import json, sys
from ozfig import formats
from ozfig.errors import OzfigError
from ozfig.recipe import Dataset
for section in json.loads(sys.argv[1]):
    reading = formats.examples(Dataset(**section))
    try:
        found = [[e.question, e.answer, e.origin] for e in reading]
        print(json.dumps({"found": found, "failed": reading.failed}))
    except OzfigError as error:
        print(json.dumps({"error": str(error), "code": error.exit_code}))
"""


@pytest.fixture
def ask(hub, tmp_path):
    """Read from the hub in a process of its own: its address is taken up once, when the library is imported."""
    pytest.importorskip("datasets")

    def several(*sections, **variables):
        env = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        env |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1", **variables}
        command = [sys.executable, "-c", READ, json.dumps(sections)]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return several


def test_rows_come_over_the_network_and_mistakes_are_told_from_outages(ask):
    whole, closed, none, split, lost = ask(
        {"hub": "yard/faq"},
        {"hub": "yard/closed"},
        {"hub": "yard/none"},
        {"hub": "yard/faq", "split": "test"},
        {"hub": "yard/lost"},
    )
    assert whole["found"] == [[f"q{i}", f"a{i}", "yard/faq"] for i in range(5)]
    assert whole["failed"] == ["yard/faq:6: no answer"]
    assert [said["code"] for said in (closed, none, split, lost)] == [2, 2, 2, 3]
    assert "HF_TOKEN" in closed["error"]
    assert "no such data set" in none["error"]
    assert "Available splits: ['train']" in split["error"]
    assert "the hub does not answer" in lost["error"]
    assert not any("\n" in said["error"] for said in (closed, none, split, lost))


def test_a_token_opens_a_closed_data_set(ask):
    [found] = ask({"hub": "yard/closed", "limit": 2}, HF_TOKEN="letmein")
    assert found["found"] == [["q0", "a0", "yard/closed"], ["q1", "a1", "yard/closed"]]
