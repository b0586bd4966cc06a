"""Near duplicates: found when planted, not found between facts that differ."""

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from ozfig.prepare import duplicates
from ozfig.prepare.duplicates import jaccard, near_duplicates, shingles

VOCABULARY = [a + b for a, b in itertools.product("bdfgklmnprst", ("ado", "elo", "ita", "umi", "ora"))]


def texts(count, words=40, seed=3):
    rng = random.Random(seed)
    return [" ".join(rng.choices(VOCABULARY, k=words)) for _ in range(count)]


def test_planted_rewraps_are_all_found():
    originals = texts(300)
    copies = [t.replace(" ", "\n", 7).upper().replace("LO", "LO,") for t in originals]
    copies = [c.replace("LO,", "LO") + "!" for c in copies]
    assert near_duplicates([*originals, *copies]) == [[i, i + 300] for i in range(300)]


def test_planted_edits_are_all_found():
    originals = texts(300)
    edited = [" ".join(["quite", *t.split()[:20], "really", *t.split()[20:]]) for t in originals]
    assert near_duplicates([*originals, *edited]) == [[i, i + 300] for i in range(300)]


def test_rows_of_a_price_list_are_different_facts():
    rows = [f"What is the price of a berth of {n} metres for the season? It is ${n * 90}." for n in range(5, 15)]
    assert near_duplicates(rows) == []


def test_wordings_of_one_fact_in_few_words_are_kept():
    assert (
        near_duplicates(["What is a bilge?\nThe lowest space.", "Tell me about the bilge.\nA low space inside."]) == []
    )


def test_empty_and_single_texts():
    assert near_duplicates([]) == []
    assert near_duplicates(["one"]) == []
    assert near_duplicates(["", " ", "word"]) == [[0, 1]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from(VOCABULARY[:4]), max_size=9).map(" ".join), max_size=14), st.randoms())
def test_agrees_with_all_pairs_in_any_order(rows, rng):
    """The groups are the connected components of the pairs at or above the threshold."""
    groups = [list(range(len(rows)))[i : i + 1] for i in range(len(rows))]
    for i, j in itertools.combinations(range(len(rows)), 2):
        if jaccard(shingles(rows[i]), shingles(rows[j])) >= 0.5:
            a, b = (next(g for g in groups if k in g) for k in (i, j))
            if a is not b:
                groups.remove(b)
                a += b
    expected = sorted(sorted(g) for g in groups if len(g) > 1)
    assert near_duplicates(rows) == expected
    order = list(range(len(rows)))
    rng.shuffle(order)
    shuffled = near_duplicates([rows[i] for i in order])
    assert sorted(sorted(order[i] for i in g) for g in shuffled) == expected


def test_threshold_is_a_jaccard_similarity():
    a, b = "a b c d e f g h", "a b c d e f g x"
    assert jaccard(shingles(a), shingles(b)) == 5 / 7
    assert near_duplicates([a, b], 0.7) == [[0, 1]]
    assert near_duplicates([a, b], 0.75) == []
    assert duplicates.BANDS * 2 == duplicates.PERMUTATIONS
