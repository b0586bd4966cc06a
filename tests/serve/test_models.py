"""Many models by name: found, loaded at their first use, unloaded when memory is short, streamed, remote."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from ozfig.engines.base import Decoding
from ozfig.engines.gguf import LlamaServer, cache_bytes
from ozfig.errors import UserError
from ozfig.recipe import Serve
from ozfig.serve import memory
from ozfig.serve.backend import CHAT, Backend
from ozfig.serve.engine import EngineBackend
from ozfig.serve.models import Models
from ozfig.serve.offer import Offer
from ozfig.serve.problems import ApiError
from ozfig.serve.turnstile import Turnstile
from ozfig.types import Message, ModelRef

HELLO = {"messages": [{"role": "user", "content": "What is water?"}], "max_tokens": 12, "temperature": 0}


async def loaded(models, name=""):
    """A model, waited for."""
    backend = models.get(name)
    while backend.state != "ok":
        with pytest.raises(ApiError) as caught:
            backend.ready()
        assert caught.value.code == "model_loading", caught.value.message
        await asyncio.sleep(0.05)
    backend.ready()
    return backend


@asynccontextmanager
async def started(models):
    models.start()
    try:
        yield models
    finally:
        await models.stop()


def llama(gguf, name):
    return Backend(
        ModelRef("gguf", str(gguf), name), lambda told: LlamaServer(gguf, 256, 1, 1), turnstile=Turnstile(1, 2)
    )


def test_names():
    refs = [ModelRef("gguf", "a.gguf", "site", quantisation="Q4_K_M"), ModelRef("adapter", "x", "site/tuned")]
    models = Models([Backend(ref, lambda told: None) for ref in refs])
    assert models.names() == ["site", "site/tuned"]
    assert models.get("tuned") is models.get("site/tuned")
    assert models.get() is models.get("quantised") is models.get("site")
    with pytest.raises(ApiError, match="does not exist; this server has 'site', 'site/tuned'") as caught:
        models.get("gpt-4")
    assert caught.value.status == 404


def test_the_model_that_was_not_used_for_longest_leaves_and_never_while_it_answers(gguf):
    async def run():
        models = Models([llama(gguf, name) for name in "abc"], limit=2, size=lambda ref: 1)
        async with started(models):
            for name in "ab":
                await loaded(models, name)
            await loaded(models, "a")
            await loaded(models, "c")
            assert [models.get(name).state for name in "abc"] == ["ok", "idle", "ok"]
            stream = models.get("a").stream(CHAT, {**HELLO, "max_tokens": 100})
            await anext(stream)
            await loaded(models, "c")  # a is older now, and answers
            await loaded(models, "b")
            assert [models.get(name).state for name in "abc"] == ["ok", "ok", "idle"]
            await stream.aclose()
            text = (await models.get("b").complete(CHAT, HELLO))["choices"][0]["message"]["content"]
            assert text

    asyncio.run(run())


def test_the_queue_is_bounded(gguf):
    async def run():
        models = Models([llama(gguf, "a")])
        async with started(models):
            backend = await loaded(models)
            asked = [asyncio.create_task(backend.complete(CHAT, HELLO)) for _ in range(8)]
            replies = await asyncio.gather(*asked, return_exceptions=True)
        refused = [reply for reply in replies if isinstance(reply, ApiError)]
        assert [error.status for error in refused] == [429] * 5
        assert all(int(error.headers["Retry-After"]) > 0 for error in refused)
        assert backend.turnstile.inside == 0
        text = models.metrics.text().decode()
        assert 'ozfig_request_success_total{finished_reason="length",model_name="a"} 3.0' in text
        assert 'ozfig_generation_tokens_total{model_name="a"} 36.0' in text

    asyncio.run(run())


@pytest.mark.parametrize("head", ["", "seq2seq"])
def test_an_engine_streams_what_it_generates(head, pebble, t5):
    from ozfig.engines.opening import load

    ref = ModelRef("transformers", str(t5 if head else pebble), "m", head=head)
    question = "In the street of red doors house 3 is blue.\n\nWhich colour?"
    [whole] = load(ref).generate([[Message("user", question)]], Decoding(12))
    body = {"messages": [{"role": "user", "content": question}], "max_tokens": 12}

    async def run():
        models = Models([EngineBackend(ref)])
        async with started(models):
            backend = await loaded(models)
            chunks = [chunk async for chunk in backend.stream(CHAT, body)]
            reply = await backend.complete(CHAT, body)
            word = whole.split()[-1]
            cut = await backend.complete(CHAT, {**body, "stop": word})
            stopped = backend.stream(CHAT, {**body, "max_tokens": 400})
            await anext(stopped)
            await stopped.aclose()
            began = time.monotonic()
            await backend.complete(CHAT, {**body, "max_tokens": 1})  # waits for its turn
            waited = time.monotonic() - began
        return chunks, reply, (word, cut), waited

    chunks, reply, (word, cut), waited = asyncio.run(run())
    pieces = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]
    assert "".join(pieces) == whole == reply["choices"][0]["message"]["content"]
    assert len([piece for piece in pieces if piece]) > 2
    assert chunks[-1]["usage"] == reply["usage"]
    assert reply["usage"]["completion_tokens"] <= 12
    assert cut["choices"][0]["message"]["content"] == whole[: whole.index(word)].strip()
    assert waited < 5


def test_an_adapter_is_served(pebble, tmp_path):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(pebble)
    torch.manual_seed(0)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False))
    tuned.save_pretrained(tmp_path / "adapter")
    AutoTokenizer.from_pretrained(pebble).save_pretrained(tmp_path / "adapter")
    ref = ModelRef("adapter", str(tmp_path / "adapter"), "site/tuned", base=str(pebble))

    async def run():
        models = Models([EngineBackend(ref)])
        async with started(models):
            return await (await loaded(models)).complete(CHAT, HELLO)

    from ozfig.engines.opening import load

    [whole] = load(ref).generate([[Message("user", "What is water?")]], Decoding(12))
    plain = load(ModelRef("transformers", str(pebble), "b"))
    [base] = plain.generate([[Message("user", "What is water?")]], Decoding(12))
    assert asyncio.run(run())["choices"][0]["message"]["content"] == whole != base
    weights = sum(f.stat().st_size for folder in (pebble, tmp_path / "adapter") for f in folder.glob("*.safetensors"))
    assert memory.needed(ref, 256, 4) == 2 * weights


def offered(**section):
    return Offer(Serve.model_validate(section), lambda: None)


def test_a_remote_model_is_passed_through(served, gguf, monkeypatch):
    rows = [
        {"name": "far", "model": f"{served.url}/v1", "served_as": "pebble"},
        {"name": "any", "model": f"{served.url}/v1"},
    ]

    async def run():
        models = offered(models=rows).models([ModelRef("gguf", str(gguf), "near")])
        assert models.names() == ["near", "far", "any"]
        async with started(models):
            far = await loaded(models, "far")
            await loaded(models, "any")
            own = await far.complete(CHAT, HELLO)
            chunks = [chunk async for chunk in far.stream(CHAT, HELLO)]
            with pytest.raises(ApiError) as caught:
                await far.complete(CHAT, {**HELLO, "messages": [{"role": "user", "content": "word " * 3000}]})
        return own, chunks, caught.value

    own, chunks, error = asyncio.run(run())
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert text == own["choices"][0]["message"]["content"]
    assert chunks[-1]["usage"] == own["usage"]
    assert error.status == 400


def test_a_remote_server_that_fails_is_a_502_and_is_asked_again(chat_server, gguf):
    rows = [{"name": "far", "model": chat_server.url, "served_as": "teacher"}]

    async def run():
        models = offered(models=rows).models([ModelRef("gguf", str(gguf), "near")])
        async with started(models):
            far = await loaded(models, "far")
            statuses = []
            for answer in (
                (500, {}, {}),
                (401, {}, {}),
                (200, {}, b"not json"),
                (429, {}, {"error": {"message": "slow"}}),
            ):
                chat_server.answer = lambda path, body, answer=answer: answer
                with pytest.raises(ApiError) as caught:
                    await far.complete(CHAT, HELLO)
                statuses.append(caught.value.status)
            chat_server.answer = lambda path, body: "Hello."
            reply = await far.complete(CHAT, HELLO)
        assert chat_server.asked[-1][1]["model"] == "teacher"
        return statuses, reply["choices"][0]["message"]["content"]

    assert asyncio.run(run()) == ([502, 502, 502, 429], "Hello.")


def test_two_models_of_one_name_are_refused(gguf):
    rows = [{"name": "near", "model": "pebble"}]
    with pytest.raises(UserError, match="two models are called 'near'"):
        offered(models=rows).models([ModelRef("gguf", str(gguf), "near")])


def test_the_other_model_of_a_recipe_by_its_name(gguf, pebble):
    rows = [{"name": "other", "model": "pebble"}, {"name": "file", "model": str(gguf)}]

    async def run():
        models = offered(models=rows).models([ModelRef("gguf", str(gguf), "near")])
        async with started(models):
            reply = await (await loaded(models, "other")).complete(CHAT, HELLO)
            assert models.get("other").model.path == str(pebble)
            return reply, await (await loaded(models, "file")).complete(CHAT, HELLO)

    for reply in asyncio.run(run()):
        assert reply["choices"][0]["message"]["content"]


def test_the_size_of_a_file(gguf, tmp_path):
    assert cache_bytes(gguf, 10) == 10 * cache_bytes(gguf, 1) > 0
    assert cache_bytes(gguf, 10**9) < cache_bytes(gguf, 1) * 10**6
    assert memory.needed(ModelRef("gguf", str(gguf), "a"), 256, 2) == gguf.stat().st_size + 2 * cache_bytes(gguf, 256)
    assert memory.needed(ModelRef("openai", "http://x/v1", "a"), 256, 2) == 0
    (tmp_path / "b.gguf").write_bytes(b"GGUF")
    assert memory.needed(ModelRef("gguf", str(tmp_path / "b.gguf"), "a"), 256, 2) == 0


def test_free_memory_of_a_machine_and_of_a_container(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  2000 kB\nMemAvailable:  1000 kB\n")
    assert memory.free(meminfo, tmp_path / "none") == 1_024_000
    for name, value in (("max", "5000"), ("current", "2000")):
        (tmp_path / f"memory.{name}").write_text(value + "\n")
    assert memory.free(meminfo, tmp_path) == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free(meminfo, tmp_path) == 1_024_000
    assert memory.limit(1.5) == 1_500_000_000
