import asyncio
import json
import threading
import time

import pytest

from ozfig.engines.openai import Endpoint, NoChat, Refused, Remote, Sampling, estimated_tokens
from ozfig.errors import OutsideError, UserError
from ozfig.types import Message

ASK = [Message("system", "Be brief."), Message("user", "What is the sea?")]
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
SOON = {"retry-after-ms": "5"}


def error(status, message, headers=SOON, **more):
    return status, headers, {"error": {"message": message, **more}}


def in_turn(*answers):
    left = list(answers)
    return lambda path, body: left.pop(0) if len(left) > 1 else left[0]


def run(server, ask=lambda remote: remote.chat(ASK, Sampling(9)), **fields):
    async def within():
        async with Remote(Endpoint(**{"url": server.url if server else "", "model": "teacher", **fields})) as remote:
            return await ask(remote)

    return asyncio.run(within())


def test_chat(chat_server):
    reply = run(chat_server, lambda remote: remote.chat(ASK, Sampling(9, 0.5, seed=3, stop=("x",), schema=SCHEMA)))
    assert (reply.text, reply.tokens_in, reply.tokens_out, reply.finish) == ("Hello.", 100, 20, "stop")
    [(path, body, _)] = chat_server.asked
    assert path == "/chat/completions"
    assert body.pop("response_format")["json_schema"] == {"name": "reply", "schema": SCHEMA, "strict": True}
    assert body == {
        "model": "teacher",
        "messages": [m.to_row() for m in ASK],
        "max_tokens": 9,
        "temperature": 0.5,
        "seed": 3,
        "stop": ["x"],
    }


def test_completions(chat_server):
    assert run(chat_server, lambda remote: remote.complete("The sea is", Sampling(9))).text == "Hello."
    [(path, body, _)] = chat_server.asked
    assert (path, body["prompt"]) == ("/completions", "The sea is")


def test_tokens_are_estimated_where_a_server_does_not_count(chat_server):
    chat_server.answer = lambda path, body: (200, {}, {"choices": [{"message": {"content": "Salt water."}}]})
    reply = run(chat_server)
    assert (reply.tokens_in, reply.tokens_out) == (estimated_tokens("Be brief.What is the sea?"), 3)


def test_nothing_about_this_machine_is_sent(chat_server, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    run(chat_server)
    headers = chat_server.asked[0][2]
    assert "secret" not in str(headers)
    assert not {"x-stainless-os", "x-stainless-arch", "x-stainless-runtime-version"} & set(headers)


def test_the_key_comes_from_the_named_variable_and_is_not_shown(chat_server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sesame")
    run(chat_server, key_env="MY_KEY")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    run(chat_server)
    assert [headers["authorization"] for _, _, headers in chat_server.asked] == ["Bearer sesame", "Bearer none"]
    assert "sesame" not in repr(Endpoint("http://x/v1", "m", key="sesame"))


def test_a_schema_that_is_refused_is_asked_for_once(chat_server):
    def answer(path, body):
        return error(400, "this server cannot do that") if "response_format" in body else "Plain."

    async def twice(remote):
        return [(await remote.chat(ASK, Sampling(9, schema=SCHEMA))).text for _ in range(2)]

    chat_server.answer = answer
    assert run(chat_server, twice) == ["Plain.", "Plain."]
    assert ["response_format" in body for _, body, _ in chat_server.asked] == [True, False, False]


def test_newer_names_and_missing_options(chat_server):
    def answer(path, body):
        for name in ("max_tokens", "temperature"):
            if name in body:
                return error(400, f"Unsupported parameter: '{name}'", param=name)
        return "Fine."

    chat_server.answer = answer
    assert run(chat_server).text == "Fine."
    assert chat_server.asked[-1][1]["max_completion_tokens"] == 9


def test_a_prompt_that_is_too_long_is_refused_and_the_schema_stays(chat_server):
    chat_server.answer = lambda path, body: error(400, "exceeds the context length of 1024 tokens")
    with pytest.raises(Refused, match="context length"):
        run(chat_server, lambda remote: remote.chat(ASK, Sampling(9, schema=SCHEMA)))
    assert len(chat_server.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(chat_server, status):
    chat_server.answer = in_turn(error(status, "busy"), error(status, "busy"), "Hello.")
    assert run(chat_server).text == "Hello."
    assert len(chat_server.asked) == 3


def test_retry_after_is_obeyed(chat_server):
    chat_server.answer = in_turn(error(429, "busy", {"Retry-After": "1"}), "Hello.")
    began = time.monotonic()
    run(chat_server)
    assert 1 <= time.monotonic() - began < 3


def test_a_server_that_stays_busy_is_an_outside_error(chat_server):
    chat_server.answer = lambda path, body: error(429, "slow down")
    with pytest.raises(OutsideError, match=r"too many requests .slow down.; run it again"):
        run(chat_server, retries=2)
    assert len(chat_server.asked) == 3
    chat_server.answer = lambda path, body: error(429, "tomorrow", {"Retry-After": "3600"})
    with pytest.raises(OutsideError, match="run it again in 3600 s"):
        run(chat_server)


def test_a_slow_server(chat_server):
    def answer(path, body):
        if len(chat_server.asked) == 1:
            time.sleep(0.6)
        return "Late."

    chat_server.answer = answer
    assert run(chat_server, timeout=0.3).text == "Late."
    chat_server.asked.clear()
    with pytest.raises(OutsideError, match=r"no answer within 0\.3 s, asked once"):
        run(chat_server, timeout=0.3, retries=0)


def test_a_dead_host(chat_server):
    with pytest.raises(OutsideError, match="cannot be reached"):
        run(chat_server, url="http://127.0.0.1:9/v1", retries=0)


@pytest.mark.parametrize("url", ["", "api.example.com/v1", "ftp://x/v1", "http://", "http://x:port/v1"])
def test_an_address_that_is_none(url):
    with pytest.raises(UserError, match="not an address"):
        Remote(Endpoint(url, "m"))


def test_a_wrong_key_names_the_variable(chat_server, monkeypatch):
    chat_server.answer = lambda path, body: error(401, "bad key")
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(UserError, match="wants a key; put it into the environment variable MY_KEY"):
        run(chat_server, key_env="MY_KEY")
    monkeypatch.setenv("MY_KEY", "sesame")
    with pytest.raises(UserError, match="does not accept the key in the environment variable MY_KEY") as caught:
        run(chat_server, key_env="MY_KEY")
    assert "sesame" not in str(caught.value)


def test_an_unknown_model_lists_the_known_ones(chat_server):
    chat_server.models = ["large", "small"]
    chat_server.answer = lambda path, body: error(404, "no such model")
    with pytest.raises(UserError, match=r"'medium': unknown at .* which offers large, small"):
        run(chat_server, model="medium")
    with pytest.raises(UserError, match="should end in /v1"):
        run(chat_server, url=chat_server.url.removesuffix("/v1"))


def test_a_model_that_does_not_chat(chat_server):
    chat_server.answer = lambda path, body: error(404, "This is not a chat model. Did you mean to use v1/completions?")
    with pytest.raises(NoChat):
        run(chat_server)


@pytest.mark.parametrize(
    "reply",
    [
        (200, {"Content-Type": "text/html"}, b"<html>welcome</html>"),
        (200, {}, b'{"choices": [{"mess'),
        (200, {}, {"choices": []}),
        (200, {}, [1]),
    ],
)
def test_an_answer_that_is_not_in_the_form(chat_server, reply):
    chat_server.answer = lambda path, body: reply
    with pytest.raises(OutsideError, match="not in OpenAI's form"):
        run(chat_server)


def test_a_redirect_is_not_followed_with_the_key(chat_server):
    chat_server.answer = lambda path, body: (302, {"Location": "http://elsewhere.example/"}, {})
    with pytest.raises(UserError, match="status 302"):
        run(chat_server)


def test_many_at_once(chat_server):
    together = threading.Barrier(8, timeout=20)

    def answer(path, body):
        together.wait()
        return body["messages"][-1]["content"]

    async def all_of(remote):
        asked = [[Message("user", str(i))] for i in range(8)]
        return [reply.text for reply in await asyncio.gather(*(remote.chat(a, Sampling(9)) for a in asked))]

    chat_server.answer = answer
    assert run(chat_server, all_of) == [str(i) for i in range(8)]


def test_llama_cpps_own_server_keeps_to_a_schema(files):
    from ozfig.engines.gguf import LlamaServer

    schema = {"enum": ["left", "right"]}
    with LlamaServer(files["Q4_K_M"].path, context=256, slots=1) as server:
        key = server.headers["Authorization"].removeprefix("Bearer ")
        reply = run(None, lambda r: r.chat(ASK, Sampling(40, schema=schema)), url=server.base_url, key=key)
        assert json.loads(reply.text) in {"left", "right"}
        assert reply.tokens_in > 5
        assert run(None, lambda r: r.complete("The sea", Sampling(4)), url=server.base_url, key=key).tokens_in == 3


def test_any_model_is_the_first_that_the_server_offers(chat_server):
    chat_server.models = ["second", "first"]
    assert run(chat_server, model="any").text == "Hello."
    assert chat_server.asked[0][1]["model"] == "first"
    chat_server.models = []
    with pytest.raises(UserError, match="offers no model"):
        run(chat_server, model="any")


def test_a_schema_is_not_given_up_for_a_request_that_fails_without_it_too(chat_server):
    chat_server.answer = lambda path, body: error(400, "bad words") if "bad" in str(body["messages"]) else "Fine."
    bad = [Message("user", "bad")]

    async def both(remote):
        with pytest.raises(Refused):
            await remote.chat(bad, Sampling(9, schema=SCHEMA))
        return await remote.chat(ASK, Sampling(9, schema=SCHEMA))

    assert run(chat_server, both).text == "Fine."
    assert ["response_format" in body for _, body, _ in chat_server.asked] == [True, False, True]
