"""What the machine can do, looked at for real."""

import json
import subprocess
import sys

from ozfig import doctor, registry


def test_everything_the_tests_need_is_there():
    found = {finding.name: finding for finding in doctor.examine()}
    assert {"processor", "memory", "disk", "torch", "compiler", "browser", "pebble"} <= set(found)
    assert [name for name in ("tune", "serve", "documents", "hub", "pebble") if found[name].state != "ok"] == []
    assert "MB" in found["pebble"].found


def test_a_missing_part_names_the_command_that_brings_it(monkeypatch, capsys):
    monkeypatch.setitem(registry.EXTRAS, "no_such_module", "render")
    finding = next(f for f in doctor.examine() if f.name == "render")
    assert (finding.state, finding.mend) == ("missing", 'pip install "ozfig[render]"')
    assert "no_such_module" in finding.found
    doctor.show([finding])
    assert 'pip install "ozfig[render]"' in capsys.readouterr().err


def test_scripts_get_one_list():
    done = subprocess.run([sys.executable, "-m", "ozfig.cli", "doctor", "--json"], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert {"name", "state", "found", "mend"} == set(json.loads(done.stdout)[0])
