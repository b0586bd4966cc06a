import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import torch

from ozfig import prompts
from ozfig.engines.gguf import LlamaServer, threads_for, trained_context
from ozfig.errors import UserError

ASK = [{"role": "user", "content": "What is the sea?"}]


@pytest.fixture(scope="module")
def server(files):
    with LlamaServer(files["Q4_K_M"].path, context=256, slots=2) as running:
        yield running


def test_the_dequantised_model_agrees_with_llama_cpp(server, quantised_engine):
    for question in ("What is a boat?", "Why is the sea blue in summer?", "Count to three."):
        ids = quantised_engine.prompt_ids(prompts.ask(question, "Be brief."))
        with torch.inference_mode():
            expected = torch.log_softmax(quantised_engine.model(torch.tensor([ids])).logits[0, -1], -1)
        token, likeliest = server.continuation(ids, 1)[0][0]
        assert len(likeliest) == 5
        assert expected[token] > expected.max() - 0.3  # llama.cpp rounds activations to 8 bits
        for token, log_probability in likeliest.items():
            assert log_probability == pytest.approx(float(expected[token]), abs=0.3)


def test_a_reply_through_the_chat_api_has_the_prompt_of_training(server, quantised_engine):
    reply = server.post("/v1/chat/completions", messages=ASK, temperature=0, max_tokens=3)
    assert reply["choices"][0]["message"]["role"] == "assistant"
    assert reply["usage"]["prompt_tokens"] == len(quantised_engine.prompt_ids(prompts.ask(ASK[0]["content"])))


def test_json_schema_stop_and_completions(server):
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"enum": ["left", "right"]}}}
    reply = server.post("/v1/chat/completions", messages=ASK, max_tokens=20, temperature=0, response_format=form)
    assert json.loads(reply["choices"][0]["message"]["content"]) in ("left", "right")

    ask = {"prompt": "The sea is", "max_tokens": 12, "temperature": 0, "ignore_eos": True}
    whole = server.post("/v1/completions", **ask)["choices"][0]["text"]
    cut = server.post("/v1/completions", **ask, stop=[whole[4:7]])["choices"][0]["text"]
    assert cut == whole[: whole.find(whole[4:7])]


def test_streaming(server):
    body = {"messages": ASK, "max_tokens": 4, "temperature": 0, "stream": True}
    url = f"{server.base_url}/chat/completions"
    with httpx.stream("POST", url, json=body, headers=server.headers, trust_env=False) as reply:
        lines = [line for line in reply.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    words = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
    whole = server.post("/v1/chat/completions", messages=ASK, max_tokens=4, temperature=0)
    assert words == whole["choices"][0]["message"]["content"]


def test_only_the_holder_of_the_key_is_answered(server):
    reply = httpx.post(f"{server.base_url}/chat/completions", json={"messages": ASK}, trust_env=False)
    assert reply.status_code == 401


def test_it_stops_and_listens_on_loopback_only(files):
    with LlamaServer(files["Q4_K_M"].path, slots=1) as running:
        address = httpx.URL(running.base_url)
        assert address.host == "127.0.0.1"
        socket.create_connection((address.host, address.port), timeout=5).close()
    with pytest.raises(OSError):
        socket.create_connection((address.host, address.port), timeout=5)


def test_it_stops_at_once_also_when_nothing_was_asked(files):
    # llama.cpp waits for ever when it is stopped before its queue has begun, about one time in twenty
    code = (
        "import sys; from ozfig.engines.gguf import LlamaServer\n"
        "for _ in range(40):\n    with LlamaServer(sys.argv[1], 256, 1): pass"
    )
    subprocess.run([sys.executable, "-c", code, files["Q4_K_M"].path], check=True, timeout=120)


def test_it_stops_soon_while_a_reply_is_streamed(files):
    body = {"messages": ASK, "max_tokens": 900, "temperature": 0, "stream": True, "ignore_eos": True}
    with LlamaServer(files["Q4_K_M"].path, slots=1) as running, httpx.Client(trust_env=False) as client:
        url = f"{running.base_url}/chat/completions"
        request = client.build_request("POST", url, json=body, headers=running.headers)
        lines = client.send(request, stream=True).iter_lines()
        assert next(lines).startswith("data: ")
        began = time.monotonic()
        running.__exit__(None, None, None)
        assert time.monotonic() - began < 15


def test_the_files_own_context_length_is_read(files, base):
    config = json.loads((Path(base.path) / "config.json").read_text())
    assert trained_context(Path(files["Q4_K_M"].path)) == config["max_position_embeddings"]


@pytest.mark.parametrize("context", [0, 256])
@pytest.mark.parametrize("damage", ["junk", "header", "half", "absent"])
def test_a_broken_file_is_one_line(files, tmp_path, damage, context, capfd):
    path = tmp_path / "broken.gguf"
    whole = Path(files["Q4_K_M"].path).read_bytes()
    if damage != "absent":
        path.write_bytes({"junk": b"not a model", "header": whole[:2000], "half": whole[: len(whole) // 2]}[damage])
    with pytest.raises(UserError) as caught, LlamaServer(path, context=context, slots=1):
        pass
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_small_models_get_one_thread_and_large_ones_every_core(tmp_path):
    path = tmp_path / "sparse"
    path.touch()
    assert threads_for(path) == 1
    os.truncate(path, 2**36)
    assert threads_for(path) == os.cpu_count()
