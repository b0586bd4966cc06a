"""Sentence vectors as OpenAI's own client meets them."""

import numpy as np
import openai
import pytest

from ozfig.engines.embeddings import embed


@pytest.fixture
def client(served):
    return openai.OpenAI(base_url=served.url + "/v1", api_key="none", max_retries=0)


def test_vectors_are_the_encoder_s_in_both_formats(client):
    texts = ["Water is wet.", "Fire is hot.", "Ünïcode 水"]
    right = embed(texts)
    for form in ("float", "base64"):
        reply = client.embeddings.create(model="minilm", input=texts, encoding_format=form)
        got = [row.embedding for row in reply.data]
        if form == "base64":
            import base64

            got = [np.frombuffer(base64.b64decode(row), "<f4") for row in got]
        assert np.allclose(np.array(got), right, atol=1e-5)
        assert [row.index for row in reply.data] == [0, 1, 2]
        assert reply.usage.prompt_tokens == reply.usage.total_tokens > 6
    single = client.embeddings.create(model="minilm", input=texts[0])
    assert np.allclose(single.data[0].embedding, right[0], atol=1e-5)


def test_many_texts_at_once_keep_their_order(client):
    texts = [f"Sentence number {i} " * (1 + i % 5) for i in range(100)]
    reply = client.embeddings.create(model="minilm", input=texts)
    assert np.allclose(np.array([row.embedding for row in reply.data]), embed(texts), atol=1e-5)


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"input": "a", "dimensions": 64}, 400, "dimensions"),
        ({"input": "a", "model": "text-embedding-3-small"}, 404, "model"),
        ({"input": []}, 400, "input"),
        ({"input": [1, 2]}, 400, "input"),
        ({"input": ["a"] * 2049}, 400, "input"),
        ({"input": "a", "encoding_format": "hex"}, 400, "encoding_format"),
    ],
)
def test_what_is_refused(web, body, status, param):
    reply = web.post("/v1/embeddings", json=body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (status, param)


def test_the_model_s_own_width_may_be_named(web):
    assert len(web.post("/v1/embeddings", json={"input": "a", "dimensions": 384}).json()["data"][0]["embedding"]) == 384
