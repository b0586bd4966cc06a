"""The API as OpenAI's own client meets it."""

import json
import threading
import time

import httpx
import openai
import pytest
import uvicorn

from ozfig.engines.gguf import LlamaServer
from ozfig.serve.app import create_app
from ozfig.serve.backend import Backend
from ozfig.serve.models import Models
from ozfig.serve.settings import Settings
from ozfig.store.database import Store
from ozfig.types import ModelRef

from .conftest import SYSTEM

HELLO = [{"role": "user", "content": "What is water?"}]


@pytest.fixture
def client(served):
    return openai.OpenAI(base_url=served.url + "/v1", api_key="none", max_retries=0)


def test_models(client):
    assert [model.id for model in client.models.list()] == ["pebble"]
    assert client.models.retrieve("pebble").owned_by == "ozfig"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4")
    assert caught.value.code == "model_not_found"


def test_a_chat_reply(client):
    more = {"unknown": 1}
    reply = client.chat.completions.create(model="pebble", messages=HELLO, max_tokens=5, extra_body=more)
    assert reply.model == "pebble"
    assert reply.object == "chat.completion"
    assert reply.choices[0].message.role == "assistant"
    assert reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage.completion_tokens == 5
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + 5


def test_a_seed_repeats_a_reply(client):
    def ask(seed):
        return (
            client.chat.completions.create(model="pebble", messages=HELLO, max_tokens=12, seed=seed, temperature=1.5)
            .choices[0]
            .message.content
        )

    assert ask(5) == ask(5)
    assert len({ask(seed) for seed in range(4)}) > 1


def test_the_system_text_is_added_only_where_there_is_none(client):
    def size(messages):
        reply = client.chat.completions.create(model="pebble", messages=messages, max_tokens=1)
        return reply.usage.prompt_tokens

    given = size([{"role": "system", "content": SYSTEM}, *HELLO])
    assert size(HELLO) == given
    assert size([{"role": "developer", "content": SYSTEM}, *HELLO]) == given
    assert size([{"role": "system", "content": "Hi."}, *HELLO]) < given
    parts = [{"type": "text", "text": "What is "}, {"type": "text", "text": "water?"}]
    assert size([{"role": "user", "content": parts}]) == given


def test_a_stream_is_the_same_reply_in_pieces(client):
    fields = {"model": "pebble", "messages": HELLO, "max_tokens": 12, "temperature": 0}
    whole = client.chat.completions.create(**fields)
    chunks = list(client.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-2].choices[0].finish_reason == "length"
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.model for chunk in chunks} == {"pebble"}


def test_a_stream_ends_in_done_and_has_no_usage_unasked(web):
    body = {"model": "pebble", "messages": HELLO, "max_tokens": 2, "stream": True}
    reply = web.post("/v1/chat/completions", json=body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = reply.text.strip().split("\n\n")
    assert events[-1] == "data: [DONE]"
    assert all("usage" not in json.loads(event.removeprefix("data: ")) for event in events[:-1])


def test_stop_ends_a_reply_before_the_word(client):
    fields = {"model": "pebble", "messages": HELLO, "max_tokens": 40, "temperature": 0}
    free = client.chat.completions.create(**fields).choices[0].message.content
    word = free.split()[4]
    cut = client.chat.completions.create(**fields, stop=[word]).choices[0]
    assert cut.message.content == free[: free.index(word)]
    assert cut.finish_reason == "stop"


def test_log_probabilities(client):
    reply = client.chat.completions.create(
        model="pebble", messages=HELLO, max_tokens=3, logprobs=True, top_logprobs=2, temperature=0
    )
    tokens = reply.choices[0].logprobs.content
    assert len(tokens) == 3
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens)
    old = client.completions.create(model="pebble", prompt="Water is", max_tokens=3, logprobs=2, temperature=0)
    given = old.choices[0].logprobs
    assert "".join(given.tokens) == old.choices[0].text
    assert len(given.token_logprobs) == len(given.top_logprobs) == len(given.text_offset) == 3


def test_a_json_schema_is_kept(client):
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": ["wet", "dry"]}},
        "required": ["kind"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "water", "schema": schema, "strict": True}}
    reply = client.chat.completions.create(model="pebble", messages=HELLO, max_tokens=100, response_format=wanted)
    assert json.loads(reply.choices[0].message.content)["kind"] in {"wet", "dry"}


def test_completions_of_several_prompts_count_them_all(client):
    one = client.completions.create(model="pebble", prompt="Water is", max_tokens=4)
    many = client.completions.create(model="pebble", prompt=["Water is", "Fire is"], n=2, max_tokens=4, seed=1)
    assert one.object == many.object == "text_completion"
    assert [choice.index for choice in many.choices] == [0, 1, 2, 3]
    assert many.usage.completion_tokens == 16
    chunks = list(client.completions.create(model="pebble", prompt="Water is", max_tokens=4, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks).strip()
    assert client.completions.create(model="pebble", prompt=[300, 301]).usage.completion_tokens <= 16


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("chat/completions", {"model": "gpt-4", "messages": HELLO}, 404, "model"),
        ("chat/completions", {"model": "pebble"}, 400, "messages"),
        ("chat/completions", {"messages": []}, 400, "messages"),
        ("chat/completions", {"messages": HELLO, "temperature": "hot"}, 400, "temperature"),
        ("chat/completions", {"messages": [{"role": "tool", "content": "x"}]}, 400, "messages.0.role"),
        ("chat/completions", {"messages": [{"role": "user", "content": "word " * 3000}]}, 400, "messages"),
        ("completions", {"prompt": "a", "echo": True}, 400, "echo"),
        ("completions", {"prompt": []}, 400, "prompt"),
        ("nothing", {}, 404, None),
    ],
)
def test_errors_have_openai_s_shape(web, path, body, status, param):
    reply = web.post(f"/v1/{path}", json=body)
    assert reply.status_code == status
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert "\n" not in error["message"]


def test_a_stream_that_is_refused_is_a_plain_error(client):
    long = [{"role": "user", "content": "word " * 3000}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="pebble", messages=long, stream=True)
    assert caught.value.code == "context_length_exceeded"


def test_a_body_that_is_not_json(web):
    reply = web.post("/v1/completions", content="{", headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_json")


@pytest.fixture
def inside(gguf, tmp_path):
    """The app in this process, so that the model server behind it can be looked at: (url, LlamaServer)."""
    llama = LlamaServer(gguf, threads=1)
    backend = Backend(ModelRef("gguf", str(gguf), "pebble"), lambda told: llama)
    store = Store.open(str(tmp_path / "chat.db"))
    config = uvicorn.Config(create_app(Models([backend]), Settings(), store), port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while backend.state != "ok":
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", llama
    server.should_exit = True
    thread.join(20)
    store.close()


def test_the_model_server_behind_answers_nobody_else(inside):
    _, llama = inside
    reply = httpx.post(
        llama.base_url + "/completions", json={"prompt": "a"}, headers={"Origin": "https://evil.example"}
    )
    assert reply.status_code == 401


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_hangs_up_stops_the_model(inside, stream):
    url, llama = inside
    slots = llama.base_url.removesuffix("/v1") + "/slots"
    path = url + "/v1/chat/completions"
    body = {"messages": HELLO, "max_tokens": 400, "n": 8, "temperature": 0, "logit_bias": {"2": -100}}

    def working():
        # n replies are written one after another: a short gap between two of them is not the end
        samples = []
        for _ in range(5):
            samples.append(any(slot["is_processing"] for slot in httpx.get(slots, headers=llama.headers).json()))
            time.sleep(0.02)
        return any(samples)

    began = time.monotonic()
    whole = httpx.post(path, json=body, timeout=120).json()
    full = time.monotonic() - began
    assert whole["usage"]["completion_tokens"] == 3200
    if stream:
        with httpx.stream("POST", path, json=body | {"stream": True}, timeout=120) as reply:
            lines = reply.iter_lines()
            assert sum(next(lines).startswith("data: {") for _ in range(6)) == 3
            assert working()
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(path, json=body, timeout=httpx.Timeout(full / 8))
    left = time.monotonic()
    while working():
        time.sleep(0.01)
    # llama.cpp looks once a second whether a client that waits for a whole reply is still there
    assert time.monotonic() - left < full / 2


def test_litellm_speaks_to_it(served):
    litellm = pytest.importorskip("litellm")
    fields = {"model": "openai/pebble", "messages": HELLO, "api_base": served.url + "/v1", "api_key": "none"}
    reply = litellm.completion(**fields, max_tokens=5)
    assert reply.usage.completion_tokens == 5
    chunks = list(litellm.completion(**fields, max_tokens=5, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_null_is_a_field_that_is_left_out(served):
    nulls = dict.fromkeys(("model", "n", "stream", "stop", "max_completion_tokens"))
    turns = [*HELLO, {"role": "assistant", "content": None}, *HELLO]
    chat = {**nulls, "messages": turns, "logprobs": None, "max_tokens": 2}
    reply = httpx.post(f"{served.url}/v1/chat/completions", json=chat, timeout=60)
    assert (reply.status_code, reply.json()["object"]) == (200, "chat.completion")
    text = {**nulls, "prompt": "Water", "echo": None, "max_tokens": 2}
    assert httpx.post(f"{served.url}/v1/completions", json=text, timeout=60).status_code == 200
    for refused in ({"messages": None}, {"messages": [{"role": "user", "content": None}]}):
        assert httpx.post(f"{served.url}/v1/chat/completions", json=refused).status_code == 400
