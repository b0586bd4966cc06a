"""The chat page's own endpoints against a real server: answers, stop, reload, crash."""

import json
import sqlite3
import time

import httpx
import pytest

from ozfig.serve import markdown
from ozfig.serve.context import history
from ozfig.types import Message

from .conftest import launch


def events(reply):
    """(name, data) of a server-sent stream."""
    for block in reply.text.strip().split("\n\n"):
        name, data = block.split("\n", 1)
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def blocks_of(got):
    """The HTML that a reader has at the end of a stream's blocks."""
    blocks = []
    for name, data in got:
        if name == "blocks":
            blocks[data["from"] :] = data["html"]
    return "".join(blocks)


def create(web, question="What is water?"):
    return web.post("/chat", json={"content": question}).json()["id"]


def test_a_question_is_answered_and_kept(web, served):
    chat = create(web)
    got = list(events(web.post(f"/chat/{chat}/messages", json={"content": "What <b>is</b> water?"})))
    assert [name for name, _ in got][:2] == ["turns", "blocks"]
    assert got[-1][0] == "done"
    assert "What &lt;b&gt;is&lt;/b&gt; water?" in got[0][1]["html"]
    with sqlite3.connect(served.database) as raw:
        rows = raw.execute(
            "select role, content, status, model_sha256, tokens, seconds from messages where conversation_id = ?",
            [chat],
        ).fetchall()
    assert rows[0][:3] == ("user", "What <b>is</b> water?", "complete")
    assert (rows[1][0], *rows[1][2:4]) == ("assistant", "complete", "ab" * 32)
    assert rows[1][1].strip()
    assert blocks_of(got) == markdown.render(rows[1][1].strip())
    assert rows[1][4] > 0
    assert f"{rows[1][4]} token" in got[-1][1]["html"]
    page = web.get(f"/chat/{chat}").text
    assert got[-1][1]["html"].strip() in page
    assert 'data-status="complete"' in page


def test_a_long_conversation_leaves_its_oldest_turns_out_and_says_so(web, served):
    chat = create(web)
    with sqlite3.connect(served.database) as raw:
        for i in range(8):
            for role in ("user", "assistant"):
                raw.execute(
                    "insert into messages (conversation_id, role, content, created_at, status, model_sha256, tokens,"
                    " seconds, left_out) values (?, ?, ?, '2026-01-01 00:00:00', 'complete', '', 0, 0, 0)",
                    [chat, role, f"{i} " + "word " * 100],
                )
    got = list(events(web.post(f"/chat/{chat}/messages", json={"content": "And now?"})))
    assert got[-1][0] == "done"
    with sqlite3.connect(served.database) as raw:
        left_out = raw.execute(
            "select left_out from messages where conversation_id = ? order by id desc", [chat]
        ).fetchone()[0]
    # the context holds 1,024 tokens, a quarter is for the answer, and each stored turn takes a little over 100
    assert left_out in range(8, 12)
    assert left_out % 2 == 0
    assert f"{left_out} earlier messages did not fit" in got[-1][1]["html"]


def test_a_question_that_cannot_fit_is_refused_and_not_kept(web):
    chat = create(web)
    reply = web.post(f"/chat/{chat}/messages", json={"content": "word " * 3000})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert 'class="turn' not in web.get(f"/chat/{chat}").text


def test_stop_cuts_an_answer_and_keeps_its_part(web):
    chat = create(web)
    got = []
    with web.stream("POST", f"/chat/{chat}/messages", json={"content": "Tell me everything."}) as reply:
        for line in reply.iter_lines():
            got.append(line)
            if len(got) == 12:  # three events of three lines, and the next one
                # a second question waits until the first is stopped
                busy = httpx.post(f"{web.base_url}/chat/{chat}/messages", json={"content": "More?"})
                assert busy.status_code == 409
                assert httpx.post(f"{web.base_url}/chat/{chat}/stop").status_code == 204
    assert got[-3] == "event: done"
    html = json.loads(got[-2].removeprefix("data: "))["html"]
    assert 'data-status="interrupted"' in html
    assert sum(line == "event: blocks" for line in got) < 200


def test_an_answer_goes_on_when_its_reader_leaves_and_can_be_followed_again(web):
    chat = create(web)
    with web.stream("POST", f"/chat/{chat}/messages", json={"content": "Tell me everything."}) as reply:
        next(reply.iter_lines())
    again = web.get(f"/chat/{chat}/stream")
    assert again.status_code == 200
    got = list(events(again))
    assert [got[0][0], got[-1][0]] == ["turns", "done"]
    assert 'data-status="complete"' in got[-1][1]["html"]
    assert web.get(f"/chat/{chat}/stream").status_code == 204


def test_list_search_rename_delete(web):
    chat = create(web, "Zebras <i>and</i> paint")
    assert "Zebras &lt;i&gt;and" in web.get("/chat", params={"search": "zebras"}).text
    assert web.patch(f"/chat/{chat}", json={"title": "  Herons "}).json()["title"] == "Herons"
    assert chat not in web.get("/chat", params={"search": "zebras"}).text
    listed = web.get("/chat", params={"search": "heron", "current": chat}).text
    assert f'href="/chat/{chat}"' in listed
    assert 'aria-current="page"' in listed
    assert web.patch(f"/chat/{chat}", json={"title": "  "}).status_code == 400
    assert web.delete(f"/chat/{chat}").status_code == 204
    assert web.delete(f"/chat/{chat}").status_code == 404
    assert web.patch(f"/chat/{chat}", json={"title": "x"}).status_code == 404
    assert web.post(f"/chat/{chat}/messages", json={"content": "x"}).status_code == 404
    gone = web.get(f"/chat/{chat}")
    assert gone.status_code == 404
    assert "This conversation is gone" in gone.text


@pytest.mark.parametrize("body", [{}, {"content": "   "}, {"content": 3}])
def test_empty_questions_are_refused(web, body):
    assert web.post("/chat", json=body).status_code == 400


def test_an_answer_that_kill_9_cut_is_shown_as_interrupted(gguf, tmp_path):
    server = launch(gguf, tmp_path / "chat.db", tmp_path / "log")
    with httpx.Client(base_url=server.url, timeout=60) as web:
        chat = create(web)
        with web.stream("POST", f"/chat/{chat}/messages", json={"content": "Tell me everything."}) as reply:
            lines = reply.iter_lines()
            assert "event: blocks" in [next(lines) for _ in range(9)]
            server.kill()
    server = launch(gguf, tmp_path / "chat.db", tmp_path / "log")
    try:
        with sqlite3.connect(tmp_path / "chat.db") as raw:  # half a minute passes
            raw.execute("update messages set saved_at = datetime(saved_at, '-31 seconds')")
        assert httpx.get(f"{server.url}/chat/{chat}/stream").status_code == 204
        page = httpx.get(f"{server.url}/chat/{chat}").text
    finally:
        server.process.terminate()
        server.process.wait(20)
    assert "Tell me everything." in page
    assert 'data-status="interrupted"' in page


def test_the_part_written_so_far_is_saved_every_second(gguf, tmp_path):
    server = launch(gguf, tmp_path / "chat.db", tmp_path / "log")
    saved = []
    try:
        with httpx.Client(base_url=server.url, timeout=60) as web:
            chat = create(web)
            # several at once are slow enough to be seen half-way
            web.post(f"/chat/{chat}/messages", json={"content": "hello"})
            others = [create(web) for _ in range(4)]
            for other in others:
                with web.stream("POST", f"/chat/{other}/messages", json={"content": "Tell me everything."}) as reply:
                    next(reply.iter_lines())
            deadline = time.monotonic() + 30
            while not saved and time.monotonic() < deadline:
                with sqlite3.connect(tmp_path / "chat.db") as raw:
                    query = "select content from messages where status = 'streaming' and content != ''"
                    saved = raw.execute(query).fetchall()
                time.sleep(0.02)
    finally:
        server.process.terminate()
        server.process.wait(20)
    assert saved
    with sqlite3.connect(tmp_path / "chat.db") as raw:
        assert raw.execute("select count(*) from messages where status = 'streaming'").fetchone() == (0,)


def test_questions_without_an_answer_are_not_shown_to_the_model():
    turns = [
        Message("user", "a"),
        Message("user", "b"),
        Message("assistant", "B"),
        Message("user", "c"),
        Message("assistant", " "),
    ]
    assert history(turns) == turns[1:3]
