"""GET /prompt: JSON, text, stream."""

import pytest

from ozfig.serve.prompt import prefers_text


def test_json(web):
    reply = web.get("/prompt/What is water?")
    assert reply.status_code == 200
    body = reply.json()
    assert set(body) == {"answer", "model", "sources", "seconds", "notes"}
    assert body["answer"] == body["answer"].strip() != ""
    assert (body["model"], body["sources"], body["notes"]) == ("pebble", [], [])
    assert body["seconds"] > 0


def test_slashes_and_signs_are_part_of_the_question(web):
    assert web.get("/prompt/and%2For%20a/b%3F").status_code == 200


def test_text_for_a_shell(web):
    reply = web.get("/prompt/What is water?", headers={"Accept": "text/plain"})
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.text.strip()


def test_a_text_stream(web):
    with web.stream("GET", "/prompt/What is water?", params={"stream": "true"}) as reply:
        assert reply.headers["content-type"].startswith("text/plain")
        pieces = list(reply.iter_text())
    assert len(pieces) > 3
    assert "".join(pieces).strip()


@pytest.mark.parametrize("path", ["/prompt/", "/prompt/%20%0A", "/prompt/?stream=true"])
def test_no_question_is_no_answer(web, path):
    reply = web.get(path)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, None)
    assert "write a question" in reply.json()["error"]["message"]


def test_a_question_that_cannot_fit(web):
    reply = web.get("/prompt/" + "word%20" * 3000)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize(
    ("accept", "text"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", True),
        ("text/plain, */*;q=0.1", True),
        ("application/json, text/plain, */*", False),
        ("text/plain;q=0.5, application/json;q=0.9", False),
        ("text/plain; q=nonsense", False),
    ],
)
def test_which_form_a_client_prefers(accept, text):
    assert prefers_text(accept) is text
