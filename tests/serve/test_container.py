"""What the container starts, run here without one: the same script, the same command, a real server."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "entrypoint.sh"
BIN = Path(sys.executable).parent

pytestmark = pytest.mark.skipif(not (BIN / "ozfig").exists(), reason="the package is not installed as a command")


def environment(home, **more):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OZFIG_")}
    return {**clean, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "HOST": "127.0.0.1", **more}


def run(home, *args, **more):
    return subprocess.run(
        ["sh", SCRIPT, *args], env=environment(home, **more), capture_output=True, text=True, timeout=120
    )


def test_any_verb_is_taken(tmp_path):
    done = run(tmp_path, "tune", "--help")
    assert done.returncode == 0
    assert "--set tune." in done.stdout


def test_help_makes_no_keys(tmp_path):
    done = run(tmp_path, "serve", "--help")
    assert done.returncode == 0
    assert "Usage: ozfig serve" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_command_s_own_port_is_taken(tmp_path):
    done = run(tmp_path, "serve", "--port=99999", "no.gguf")
    assert (done.returncode, "multiple times" in done.stderr) == (2, False)
    done = run(tmp_path, "serve", "no.gguf", "--port", "9000", "--host", "127.0.0.1")
    assert (done.returncode, "multiple times" in done.stderr) == (2, False)
    assert "no.gguf" in done.stderr


def test_a_volume_that_is_not_there_is_one_line(tmp_path):
    done = run(tmp_path, OZFIG_DATA=str(tmp_path / "none"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith(f"error {tmp_path / 'none'}: cannot be written")


def test_the_base_comes_from_the_environment(tmp_path):
    done = run(tmp_path, "tune", "demo", OZFIG_BASE="no-such-base")
    assert done.returncode == 2
    assert "no-such-base" in done.stderr


def test_a_server_without_a_model_says_what_to_set(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 2
    assert "OZFIG_MODEL" in done.stderr


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(home, gguf, **more):
    port = free_port()
    env = environment(home, OZFIG_MODEL=str(gguf), PORT=str(port), OMP_NUM_THREADS="1", **more)
    process = subprocess.Popen(["sh", SCRIPT], env=env, stderr=subprocess.PIPE, text=True)
    web = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
    for _ in range(600):
        assert process.poll() is None, process.stderr.read()
        try:
            if web.get("/ready").status_code == 200:
                return process, web
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the server did not start")


def stop(process):
    process.terminate()
    said = process.communicate(timeout=60)[1]
    assert process.returncode in (0, -15, 143), said
    return said


def test_the_first_start_makes_a_key_and_the_next_one_keeps_it(tmp_path, gguf):
    process, web = start(tmp_path, gguf)
    key = (tmp_path / "API_KEY").read_text().strip()
    assert (tmp_path / "API_KEY").stat().st_mode & 0o077 == 0
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    assert web.post("/v1/chat/completions", json=body).status_code == 401
    reply = web.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"})
    assert reply.status_code == 200
    assert web.get("/").status_code in {303, 307, 401}
    said = stop(process)
    assert said.count(key) == 1
    assert (tmp_path / "chat.db").exists()

    process, web = start(tmp_path, gguf)
    assert web.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert key not in stop(process)


def test_it_is_opened_knowingly(tmp_path, gguf):
    process, web = start(tmp_path, gguf, OZFIG_OPEN="1")
    assert web.get("/").status_code == 200
    stop(process)
    assert not (tmp_path / "API_KEY").exists()


def test_the_image_is_built_again_for_what_it_is_made_of():
    docker = (ROOT / "deploy" / "Dockerfile").read_text()
    runtime = docker.partition("AS test")[0]
    copied = {word for line in re.findall(r"^COPY (?!--from)(.+)$", runtime, re.M) for word in line.split()[:-1]}
    copied = {word for word in copied if not word.startswith("--")}
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "image.yaml").read_text())
    steps = workflow["jobs"]["image"]["steps"]
    (script,) = [step["run"] for step in steps if step.get("id") == "parts"]
    made_of = set(re.search(r'made_of="([^"]+)"', script)[1].split())
    assert made_of == copied | {"deploy/Dockerfile"}
    assert all((ROOT / path).exists() for path in made_of)


@pytest.mark.parametrize("name", ["compose.yaml", "compose.test.yaml", "compose.vllm.yaml"])
def test_compose_files_name_what_is_there(name):
    found = yaml.safe_load((ROOT / "deploy" / name).read_text())
    docker = (ROOT / "deploy" / "Dockerfile").read_text()
    stages = set(re.findall(r"^FROM \S+ AS (\w+)", docker, re.M))
    for service in found["services"].values():
        if "build" in service:
            assert (ROOT / "deploy" / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
            assert service["build"].get("target", "run") in stages
    named = {part for service in found["services"].values() for part in service.get("volumes", [])}
    declared = set(found.get("volumes", {})) or {"data"}
    assert {volume.partition(":")[0] for volume in named} <= declared
