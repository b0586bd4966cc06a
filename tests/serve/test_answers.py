"""Answers when two tabs ask at once, the store fails, or another server writes to the same database."""

import asyncio
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from ozfig.serve import answers, asking
from ozfig.store.database import Store

from .scripted import Scripted, conversation, served
from .test_conversations import events


@pytest.fixture
def store(tmp_path):
    store = Store.open(str(tmp_path / "chat.db"))
    yield store
    store.close()


def failing(*_, **__):
    raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))


def test_what_one_tab_asks_again_another_cannot_edit_meanwhile(store):
    async def run():
        backend, counting, go_on = Scripted(), asyncio.Event(), asyncio.Event()

        async def count(messages):
            if not counting.is_set():  # only the first tab is held up
                counting.set()
                await go_on.wait()
            return 10

        async with served(store, backend) as client:
            chat = await conversation(client)
            question, answer = (m.id for m in store.get(chat).messages)
            backend.count = count
            again = asyncio.create_task(client.post(f"/chat/{chat}/messages", json={"since": answer}))
            await counting.wait()
            edit = await client.post(f"/chat/{chat}/messages", json={"content": "two", "since": question})
            go_on.set()
            return (await again).status_code, edit.status_code, store.get(chat).messages

    again, edit, messages = asyncio.run(run())
    assert (again, edit) == (200, 409)
    current = [(m.role, m.content) for m in messages if m.superseded is None]
    assert current == [("user", "one"), ("assistant", "hi")]


def test_a_question_that_is_refused_leaves_its_conversation_free(store):
    async def run():
        async with served(store, Scripted()) as client:
            chat = await conversation(client)
            refused = await client.post(f"/chat/{chat}/messages", json={"since": 999})
            return refused.status_code, (await client.post(f"/chat/{chat}/messages", json={"content": "b"})).status_code

    assert asyncio.run(run()) == (404, 200)


def test_an_answer_that_cannot_be_kept_ends_and_says_so(store, monkeypatch):
    async def run():
        async with served(store, Scripted()) as client:
            chat = (await client.post("/chat", json={"content": "one"})).json()["id"]
            with monkeypatch.context() as patch:
                patch.setattr(store, "finish", failing)
                reply = await asyncio.wait_for(client.post(f"/chat/{chat}/messages", json={"content": "one"}), 10)
            return list(events(reply)), await client.post(f"/chat/{chat}/messages", json={"content": "two"})

    got, following = asyncio.run(run())
    assert got[-1][0] == "failed"
    assert "could not be kept" in got[-1][1]["error"]
    assert following.status_code == 200


def test_a_reader_ends_when_the_store_cannot_be_read(store, monkeypatch):
    read, asked = asking._round_of, []

    def once(*given):
        asked.append(given)
        return read(*given) if len(asked) == 1 else failing()

    async def run():
        async with served(store, Scripted()) as client:
            chat = (await client.post("/chat", json={"content": "one"})).json()["id"]
            monkeypatch.setattr(asking, "_round_of", once)
            await asyncio.wait_for(client.post(f"/chat/{chat}/messages", json={"content": "one"}), 10)

    asyncio.run(run())
    assert len(asked) == 2


def test_an_answer_without_a_word_is_saved_too(store, monkeypatch):
    monkeypatch.setattr(answers, "SAVE_SECONDS", 0.05)

    async def run():
        backend = Scripted()
        async with served(store, backend) as client:
            chat = (await client.post("/chat", json={"content": "one"})).json()["id"]
            backend.go.clear()
            reply = asyncio.create_task(client.post(f"/chat/{chat}/messages", json={"content": "one"}))
            while len(rows := store.get(chat).messages) < 2:
                await asyncio.sleep(0.01)
            first = rows[1].saved_at
            await asyncio.sleep(0.3)
            later = store.get(chat).messages[1].saved_at
            backend.go.set()
            await reply
            return first, later, store.get(chat).messages[1].status

    first, later, status = asyncio.run(run())
    assert later > first
    assert status == "complete"


def test_a_second_server_leaves_living_answers_alone_and_marks_silent_ones(store, tmp_path):
    chat = store.create("t", "m")
    store.add(chat.id, "user", "q")
    living = store.add(chat.id, "assistant", "half", "streaming", model="m").id

    async def run():
        async with served(store, Scripted()) as client:
            assert (await client.get(f"/chat/{chat.id}/stream")).status_code == 204
            before = store.message(living).status
            with sqlite3.connect(tmp_path / "chat.db") as raw:
                raw.execute("update messages set saved_at = datetime(saved_at, '-31 seconds')")
            assert (await client.get(f"/chat/{chat.id}/stream")).status_code == 204
            return before, store.message(living).status

    assert asyncio.run(run()) == ("streaming", "interrupted")


def test_a_fault_in_the_middle_of_an_api_stream_is_an_event(store):
    async def run():
        backend = Scripted()
        async with served(store, backend) as client:
            backend.fault = ValueError("no JSON")
            body = {"messages": [{"role": "user", "content": "q"}], "stream": True}
            return (await client.post("/v1/chat/completions", json=body)).text

    last = asyncio.run(run()).strip().split("\n\n")[-1]
    assert '"message": "the answer broke off (ValueError)"' in last


def test_a_streamed_prompt_on_a_full_queue_is_a_429(store):
    async def run():
        backend = Scripted(places=1)
        async with served(store, backend) as client:
            with backend.turnstile.turn():
                full = await client.get("/prompt/x?web=false&stream=true")
            return full, await client.get("/prompt/x?web=false&stream=true")

    full, free = asyncio.run(run())
    assert full.status_code == 429
    assert "retry-after" in full.headers
    assert (free.status_code, free.text.split()[0]) == (200, "hi")
