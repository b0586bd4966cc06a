"""Many clients at once, a shutdown in the middle of streams, a kill in the middle of answers."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time

import httpx
import pytest

from ozfig.store.database import Store

from .conftest import PROGRAM, SYSTEM, Served

HELLO = [{"role": "user", "content": "What is water?"}]


@pytest.fixture
def narrow(gguf, tmp_path):
    """A server with two slots and a queue of eight."""
    program = PROGRAM.replace('"threads": 1', '"threads": 1, "parallel": 2, "queue": 8')
    yield from started(gguf, tmp_path, program)


@pytest.fixture
def wide(gguf, tmp_path):
    """A server as it is by default."""
    yield from started(gguf, tmp_path, PROGRAM)


def started(gguf, folder, program, **environment):
    log, database = folder / "log", folder / "chat.db"
    command = [sys.executable, "-c", program, str(gguf), str(database), "127.0.0.1", SYSTEM]
    with log.open("w") as out:
        process = subprocess.Popen(command, stderr=out, stdout=out, env={**os.environ, **environment})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if port := re.search(r"chat\s+http://\S+:(\d+)/", log.read_text()):
            url = f"http://127.0.0.1:{port[1]}"
            if is_ready(url):
                break
        time.sleep(0.1)
    else:
        process.kill()
        raise AssertionError(log.read_text())
    try:
        yield Served(url, process, database)
    finally:
        process.kill()
        process.wait()


def is_ready(url):
    try:
        return httpx.get(url + "/ready").status_code == 200
    except httpx.TransportError:
        return False


async def storm(url, clients, seconds):
    """What `clients` got that asked again and again: statuses by count."""
    end, got = time.monotonic() + seconds, {}

    async def client(number, http):
        turn = 0
        while time.monotonic() < end:
            turn += 1
            body = {"messages": HELLO, "max_tokens": 8, "stream": (number + turn) % 2 == 0}
            reply = await http.post(f"{url}/v1/chat/completions", json=body)
            got[reply.status_code] = got.get(reply.status_code, 0) + 1
            if reply.status_code == 429:
                assert reply.json()["error"]["code"] == "rate_limit_exceeded"
                await asyncio.sleep(min(0.2, int(reply.headers["retry-after"])))
            elif body["stream"]:
                assert reply.text.endswith("data: [DONE]\n\n")
                assert '"finish_reason": "length"' in reply.text
            else:
                assert reply.json()["usage"]["completion_tokens"] == 8

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=120, limits=limits) as http, asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(client(number, http))
    return got


def test_every_request_gets_a_reply_or_an_honest_429(narrow):
    got = asyncio.run(storm(narrow.url, 20, 3))
    assert set(got) == {200, 429}
    text = httpx.get(narrow.url + "/metrics").text
    assert f'ozfig_request_success_total{{finished_reason="length",model_name="pebble"}} {got[200]}.0' in text
    assert 'ozfig_num_requests_running{model_name="pebble"} 0.0' in text


@pytest.mark.soak
def test_fifty_clients_for_two_minutes(wide, narrow):
    got = asyncio.run(storm(wide.url, 50, 120))
    assert set(got) == {200}
    narrow_got = asyncio.run(storm(narrow.url, 50, 30))
    assert set(narrow_got) == {200, 429}


async def interrupted(served, streams):
    """Finish one answer, begin `streams` more, kill the server in their middle; the finished conversation and text."""
    limits = httpx.Limits(max_connections=None)
    async with (
        asyncio.timeout(120),
        httpx.AsyncClient(base_url=served.url, timeout=60, limits=limits) as http,
        asyncio.TaskGroup() as group,
    ):
        first = (await http.post("/chat", json={"content": "What is water?"})).json()["id"]
        await http.post(f"/chat/{first}/messages", json={"content": "What is water?"})
        told = (await http.get(f"/chat/{first}/export", params={"format": "json"})).json()
        seen = {"event: turns": asyncio.Semaphore(0), "event: blocks": asyncio.Semaphore(0)}

        async def follow(number):
            row = (await http.post("/chat", json={"content": f"Question {number}"})).json()["id"]
            events = []
            try:
                async with http.stream("POST", f"/chat/{row}/messages", json={"content": "What is fire?"}) as reply:
                    async for line in reply.aiter_lines():
                        if line.startswith("event: "):
                            if line in seen and line not in events:
                                seen[line].release()
                            events.append(line)
            except httpx.TransportError:
                return
            raise AssertionError(f"the answer ended before the server was killed: {events}")

        for number in range(streams):
            group.create_task(follow(number))
        for _ in range(streams):
            await seen["event: turns"].acquire()
        for _ in range(min(streams, 4)):  # as many as are answered side by side
            await seen["event: blocks"].acquire()
        served.kill()
    return first, told["messages"][1]["content"]


def check_kill(served, streams):
    first, said = asyncio.run(interrupted(served, streams))
    store = Store.open(str(served.database))
    store.mark_interrupted()
    kept = store.get(first)
    assert [(m.role, m.status) for m in kept.messages] == [("user", "complete"), ("assistant", "complete")]
    assert said
    assert kept.messages[1].content == said
    rest = [store.get(row.id) for row in store.conversations() if row.id != first]
    begun = [row for row in rest if row.messages]
    assert len(begun) == streams
    assert all([m.status for m in row.messages] == ["complete", "interrupted"] for row in begun)
    store.close()


def test_a_killed_server_loses_no_finished_message(wide):
    check_kill(wide, 3)


@pytest.mark.soak
def test_a_server_killed_during_twenty_streams_loses_no_finished_message(wide):
    check_kill(wide, 20)


def test_a_shutdown_finishes_streams(wide):
    body = {"messages": HELLO, "max_tokens": 300, "stream": True, "temperature": 0}
    with httpx.stream("POST", f"{wide.url}/v1/chat/completions", json=body, timeout=60) as reply:
        lines = reply.iter_lines()
        next(lines)
        os.kill(wide.process.pid, signal.SIGTERM)
        rest = list(lines)
    assert "data: [DONE]" in rest
    assert any('"finish_reason": "length"' in line for line in rest)
    assert wide.process.wait(20) is not None


def test_one_json_line_a_request_without_the_prompt(gguf, tmp_path):
    for name, prompts in (("off", "0"), ("on", "1")):
        folder = tmp_path / name
        folder.mkdir()
        server = started(gguf, folder, PROGRAM, OZFIG_LOG_PROMPTS=prompts)
        url = next(server).url
        body = {"messages": [{"role": "user", "content": "Tell me of bluebottles"}], "max_tokens": 3}
        assert httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).status_code == 200
        httpx.get(f"{url}/prompt/bluebottles", timeout=60)
        server.close()
        log = (folder / "log").read_text()
        rows = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        [row] = [row for row in rows if row["path"] == "/v1/chat/completions"]
        assert (row["method"], row["status"], row["model"], row["completion_tokens"]) == ("POST", 200, "pebble", 3)
        assert row["ms"] > 0
        assert ("bluebottles" in log) == (prompts == "1")
