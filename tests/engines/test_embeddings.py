import math

import numpy as np
import pytest

from ozfig import files
from ozfig.engines.embeddings import MINILM_SHA256, embed, minilm_folder

TEXTS = [
    "The harbour is deep.",
    "The port has deep water.",
    "She bought three red apples.",
    "x",
    "",
    "Grüße aus Köln, 東京 and 🚤",
    "How many boats are there, and who looks after them in winter? " * 40,
]


@pytest.fixture(scope="module")
def vectors():
    return embed(TEXTS)


def test_the_encoder_is_the_published_one():
    assert files.sha256_path(minilm_folder() / "model.safetensors") == MINILM_SHA256


def test_texts_of_one_meaning_are_near(vectors):
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_the_same_as_sentence_transformers_makes(vectors):
    reference = pytest.importorskip("sentence_transformers").SentenceTransformer(str(minilm_folder()), device="cpu")
    reference.max_seq_length = 256
    expected = reference.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    assert np.abs(vectors - expected).max() < 1e-5


def test_a_text_has_the_same_vector_whatever_stands_beside_it(vectors):
    assert np.abs(np.concatenate([embed([text]) for text in TEXTS]) - vectors).max() < 1e-5
    assert np.abs(embed(TEXTS[::-1])[::-1] - vectors).max() < 1e-5
    many = [f"Berth {i} " * (i % 30 + 1) for i in range(150)]
    assert np.abs(embed(many)[[3, 77, 149]] - embed([many[i] for i in (3, 77, 149)])).max() < 1e-5


def test_progress_counts_every_text_and_nothing_is_no_text():
    done = []
    embed(TEXTS, done.append)
    assert sum(done) == len(TEXTS)
    assert embed([]).shape == (0, 384)


def test_no_value_is_lost_to_a_text_without_words(vectors):
    assert all(math.isfinite(value) for value in vectors[TEXTS.index("")])
