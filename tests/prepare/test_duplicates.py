"""Near duplicates: found when planted, not found between facts that differ."""

import itertools
import random
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ozfig.overlap.words import numbers, words
from ozfig.prepare.duplicates import jaccard, near_duplicates, shingles
from ozfig.prepare.envelopes import core

VOCABULARY = [a + b for a, b in itertools.product("bdfgklmnprst", ("ado", "elo", "ita", "umi", "ora"))]


def texts(count, words=40, seed=3):
    rng = random.Random(seed)
    return [" ".join(rng.choices(VOCABULARY, k=words)) for _ in range(count)]


def test_planted_rewraps_are_all_found():
    originals = texts(300)
    copies = [t.replace(" ", "\n", 7).upper().replace("LO", "LO,") for t in originals]
    copies = [c.replace("LO,", "LO") + "!" for c in copies]
    assert near_duplicates([*originals, *copies]) == [[i, i + 300] for i in range(300)]


@pytest.mark.parametrize(
    "envelope",
    [
        "Please answer the following question: {}",
        "{}\nThank you in advance!",
        "Hello! Could you please help me with this task?\n\n{}\n\nAnswer:",
        "### Instruction:\n{}\n\n### Response:",
        "Below is an instruction that describes a task. Write a response that completes it.\n\n{}",
        "I have a question for you - {} - please answer as briefly as you can.",
    ],
)
def test_an_envelope_hides_no_short_text(envelope):
    originals = texts(200, words=5)
    wrapped = [envelope.format(text.title()) for text in originals]
    assert near_duplicates([*originals, *wrapped]) == [[i, i + 200] for i in range(200)]


def test_an_envelope_between_question_and_answer():
    asked = texts(200, words=4)
    plain = [f"{text}\nyes" for text in asked]
    wrapped = [f"### Instruction:\n{text}\n### Response:\nYes." for text in asked]
    assert near_duplicates([*plain, *wrapped]) == [[i, i + 200] for i in range(200)]


@pytest.mark.parametrize(
    "text", ["The answer is given below the line in the table", "A response", "Please", "What is the question here"]
)
def test_little_is_left_without_its_words(text):
    assert len(core(words(text))) >= min(3, len(words(text)))


def test_planted_edits_are_all_found():
    originals = texts(300)
    edited = [" ".join(["quite", *t.split()[:20], "really", *t.split()[20:]]) for t in originals]
    assert near_duplicates([*originals, *edited]) == [[i, i + 300] for i in range(300)]


def test_rows_of_a_price_list_are_different_facts():
    rows = [f"What is the price of a berth of {n} metres for the season? It is ${n * 90}." for n in range(5, 15)]
    assert near_duplicates(rows) == []
    assert near_duplicates(["It opens at 05 each day", "It opens at 5 each day"]) == []


def test_wordings_of_one_fact_in_few_words_are_kept():
    assert (
        near_duplicates(["What is a bilge?\nThe lowest space.", "Tell me about the bilge.\nA low space inside."]) == []
    )


def test_empty_and_single_texts():
    assert near_duplicates([]) == []
    assert near_duplicates(["one"]) == []
    assert near_duplicates(["", " ", "word"]) == [[0, 1]]


def test_any_iterable_is_read_once():
    assert near_duplicates(iter(["a boat at the pier", "a train", "A boat, at the pier!"])) == [[0, 2]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([*VOCABULARY[:4], "7", "8"]), max_size=9).map(" ".join), max_size=14),
    st.sampled_from([0.3, 0.5, 0.7, 0.9, 1.0]),
    st.randoms(),
)
def test_agrees_with_all_pairs_in_any_order(rows, threshold, rng):
    """The groups are the connected components of the pairs at or above the threshold; copies are always together."""
    groups = [list(range(len(rows)))[i : i + 1] for i in range(len(rows))]
    for i, j in itertools.combinations(range(len(rows)), 2):
        same_numbers = numbers(rows[i]) == numbers(rows[j])
        if same_numbers and jaccard(shingles(rows[i]), shingles(rows[j])) >= threshold:
            a, b = (next(g for g in groups if k in g) for k in (i, j))
            if a is not b:
                groups.remove(b)
                a += b
    expected = sorted(sorted(g) for g in groups if len(g) > 1)
    assert near_duplicates(rows, threshold) == expected
    order = list(range(len(rows)))
    rng.shuffle(order)
    shuffled = near_duplicates([rows[i] for i in order], threshold)
    assert sorted(sorted(order[i] for i in g) for g in shuffled) == expected


def test_threshold_is_a_jaccard_similarity():
    a, b = "a b c d e f g h", "a b c d e f g x"
    assert jaccard(shingles(a), shingles(b)) == 5 / 7
    assert near_duplicates([a, b], 0.7) == [[0, 1]]
    assert near_duplicates([a, b], 0.75) == []


def test_every_tenth_word_replaced():
    rng = random.Random(8)
    originals = texts(400, words=60)
    edited = [" ".join(rng.choice(VOCABULARY) if rng.random() < 0.1 else w for w in t.split()) for t in originals]
    found = {tuple(group) for group in near_duplicates([*originals, *edited])}
    assert sum((i, i + 400) in found for i in range(400)) >= 0.45 * 400


def test_a_template_of_many_rows_takes_seconds():
    """What thousands of rows share makes no candidates of them."""
    rng = random.Random(2)
    made = ["".join(rng.choices("abcdefghij", k=6)) for _ in range(2000)]
    rows = [
        "Is the {} open on a monday and {} on other days of {}".format(*rng.choices(made, k=3)) for _ in range(8000)
    ]
    began = time.process_time()
    near_duplicates(rows)
    assert time.process_time() - began < 10


def test_the_same_in_every_process():
    code = (
        "from ozfig.prepare.duplicates import near_duplicates as n;"
        "print(n(['boat 5 at the old pier'] * 2 + [f'boat {i} at the old pier' for i in (5, 6)]))"
    )
    run = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert run[0] == run[1] == b"[[0, 1, 2]]\n"
