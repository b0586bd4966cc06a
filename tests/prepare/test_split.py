"""Held-out questions: nothing stands on both sides, order does not matter, new rows move no old ones."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ozfig.prepare.split import GENERAL, split_off
from ozfig.recipe import HeldOut
from ozfig.types import Example

ROW = st.tuples(st.integers(0, 12), st.integers(0, 5), st.integers(0, 4), st.sampled_from("ab"))
ROWS = st.lists(ROW, min_size=2, max_size=40, unique=True).map(
    lambda rows: [Example.pair(f"Question {q}?", f"Answer {a}.", source=f"page {s}", origin=o) for q, a, s, o in rows]
)
UNITS = st.sampled_from(["question", "document"])


def sides(rows, section, seed=7):
    found = split_off(rows, section, seed)
    return tuple([rows[i] for i in side] for side in (found.train, found.held_out, found.left_out))


def pairs(n, origin="", first=0):
    return [Example.pair(f"Question {i} of {origin}?", "Yes.", origin=origin) for i in range(first, first + n)]


def unit(row, kind):
    return (row.source or row.context or row.question.lower()) if kind == "document" else row.question


@settings(max_examples=80, deadline=None)
@given(ROWS, UNITS, st.floats(0.05, 0.9), st.integers(0, 3), st.integers(1, 30) | st.none(), st.randoms())
def test_sides_share_nothing_in_any_order(rows, kind, share, seed, limit, rng):
    section = HeldOut(unit=kind, share=share, limit=limit)
    found = sides(rows, section, seed)
    shuffled = list(rows)
    rng.shuffle(shuffled)
    for one, other in zip(found, sides(shuffled, section, seed), strict=True):
        assert {unit(e, kind) for e in one} == {unit(e, kind) for e in other}
    train, held, out = ({unit(e, kind) for e in side} for side in found)
    assert not train & (held | out)
    assert sum(map(len, found)) == len(rows)
    assert len(found[1]) <= (limit or len(rows))
    assert train


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, UNITS, st.floats(0.05, 0.5))
def test_new_rows_move_no_training_row_to_the_held_out_side(old, new, kind, share):
    section = HeldOut(unit=kind, share=share, limit=None)
    # where a source is so small that it gives its lowest unit, a lower one may take its place
    old, new = old + pairs(60, "a") + pairs(60, "b"), new
    before = {unit(e, kind) for e in sides(old, section)[0]}
    fresh = {unit(e, kind) for e in new} - {unit(e, kind) for e in old}
    after = {unit(e, kind) for e in sides(old + new, section)[1]}
    assert not (before & after) - fresh


def test_a_larger_set_keeps_a_part_of_its_held_out_side():
    section = HeldOut(share=0.1, limit=40)
    small, large = pairs(400), pairs(4000)
    first, later = sides(small, section), sides(large, section)
    questions = {e.question for e in small}
    measured = {e.question for e in first[1] + first[2]}
    assert {e.question for e in later[1] + later[2]} & questions <= measured
    assert len(later[1]) == 40
    assert len(later[2]) <= 80


def test_the_share_holds_in_each_source():
    rows = pairs(3000, "large") + pairs(300, "middle") + pairs(30, "small") + pairs(1, "single")
    held = sides(rows, HeldOut(share=0.1, limit=None))[1]
    counts = {name: sum(e.origin == name for e in held) for name in ("large", "middle", "small", "single")}
    assert 240 < counts["large"] < 360
    assert 15 < counts["middle"] < 45
    assert counts["small"] >= 1
    assert counts["single"] == 0


def test_general_rows_are_never_measured():
    rows = pairs(200, "mine") + pairs(200, GENERAL)
    train, held, _ = sides(rows, HeldOut(share=0.5, limit=None))
    assert {e.origin for e in held} == {"mine"}
    assert sum(e.origin == GENERAL for e in train) == 200


def test_seed_and_limit():
    rows = pairs(200)
    assert sides(rows, HeldOut(share=0.2), 1)[1] != sides(rows, HeldOut(share=0.2), 2)[1]
    assert len(sides(rows, HeldOut(share=0.5, limit=7))[1]) == 7


def test_rows_without_a_source_are_grouped_by_their_passage():
    rows = [Example.pair(f"Question {i}?", "Yes.", context=f"Passage {i // 10}") for i in range(400)]
    train, held, _ = sides(rows, HeldOut(unit="document", share=0.2, limit=None))
    assert held
    assert not {e.context for e in train} & {e.context for e in held}


def test_a_set_too_small_for_its_share_still_has_both_sides():
    for n, held in ((1, 0), (2, 1), (3, 2), (4, 2)):
        found = sides(pairs(n), HeldOut(share=0.01))
        assert (len(found[0]), len(found[1])) == (n - held, held)
