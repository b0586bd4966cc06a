import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ozfig.engines.tokens import counter
from ozfig.retrieval.chunk import Passage, blocks, find_passage, passages, plain, sections, words
from ozfig.types import Document, ModelRef

TEXT = """Before any heading.

# Prices

Everything costs.

## Winter storage ##

| Length | Price |
| --- | --- |
| 6 m | £1 |

```sh
# not a heading

echo done
```

### Heated

Warm.

## Summer

Cold **water** and `ice`.
"""


def document(text, title="Yard"):
    return Document.make("http://yard.example/", title, text)


def test_sections_follow_the_headings():
    found = [(s.path, s.text.split("\n")[0]) for s in sections(document(TEXT))]
    assert found == [
        ((), "Before any heading."),
        (("Prices",), "Everything costs."),
        (("Prices", "Winter storage"), "| Length | Price |"),
        (("Prices", "Winter storage", "Heated"), "Warm."),
        (("Prices", "Summer"), "Cold **water** and `ice`."),
    ]


def test_passages_carry_their_title_path():
    found = passages(document(TEXT))
    assert [p.title_path for p in found][:3] == ["Yard", "Prices", "Prices > Winter storage"]
    assert "# not a heading\n\necho done" in found[2].text
    assert found[3].with_title() == "Prices > Winter storage > Heated\n\nWarm."


def test_long_sections_are_split_at_paragraphs_and_tables_stay_whole():
    paragraph = "word " * 40
    table = "| a | b |\n| --- | --- |\n" + "| one two | three four |\n" * 20
    text = f"# T\n\n{paragraph}\n\n{paragraph}\n\n{table}\n\n{paragraph}"
    found = passages(document(text), max_tokens=100, overlap=0)
    assert len(found) == 3
    assert found[1].text == table.strip()
    assert sum(p.text.count("word") for p in found) == 120


def test_blocks_keep_code_whole():
    assert blocks("a\nb\n\n```\nx\n\ny\n```\n\n\nc") == ["a\nb", "```\nx\n\ny\n```", "c"]


def test_evidence_is_found_in_other_spelling_and_marks():
    found = passages(document(TEXT))
    assert find_passage(found, "cold WATER, and ice").title_path == "Prices > Summer"


def test_evidence_in_other_words_finds_the_best_overlap_or_nothing():
    found = passages(document("# A\n\nThe crane lifts twelve tonnes.\n\n# B\n\nThe slip takes boats of nine metres."))
    assert find_passage(found, "twelve tonnes the crane lifts up").title_path == "A"
    assert find_passage(found, "opening hours on Sunday") is None
    assert find_passage([], "crane") is None
    assert find_passage(found, "") is None


def test_a_word_is_not_found_inside_another():
    found = passages(document("# A\n\nCatering daily.\n\n# B\n\nThe cat sleeps."))
    assert find_passage(found, "cat").title_path == "B"


def test_plain_takes_the_marks_off():
    assert plain("**Bold** [link](http://x.example) `code` *it* snake_case_name 2 * 3 * 4") == (
        "Bold link code it snake_case_name 2 * 3 * 4"
    )


def test_an_id_depends_on_address_headings_and_text_alone():
    passage = Passage("a.html", "Prices", "Six pounds.")
    assert passage.id == replace(passage, source="elsewhere").id
    others = [replace(passage, **{name: "x"}) for name in ("uri", "title_path", "text")]
    assert len({passage.id, *(other.id for other in others)}) == 4
    assert Passage.from_row(passage.to_row()) == passage


def test_a_heading_with_nothing_below_is_text_of_the_one_above():
    found = passages(document("# Yard\n\n## Open daily from 9 to 5\n\n## Prices\n\n### Cranes\n\nSix pounds."))
    assert [(p.title_path, p.text) for p in found] == [
        ("Yard", "Open daily from 9 to 5"),
        ("Yard > Prices > Cranes", "Six pounds."),
    ]


def test_a_passage_repeats_whole_sentences_of_the_one_before():
    text = " ".join(f"The berth with the number {i} is free." for i in range(40))
    found = passages(document(f"# T\n\n{text}"), max_tokens=60, overlap=20)
    for before, after in pairwise(found):
        shared = [s for s in re.findall(r"\S[^.]*\.", after.text) if s in before.text]
        assert shared == re.findall(r"\S[^.]*\.", before.text)[-2:]
    assert passages(document("# A\n\nOne two.\n\n# B\n\nThree."), overlap=20)[1].text == "Three."


def test_a_cut_table_repeats_its_header_and_cut_code_its_fences():
    rows = "".join(f"| berth {i} | {i} pounds |\n" for i in range(60))
    found = passages(document(f"# T\n\n| what | price |\n| --- | --- |\n{rows}"), max_tokens=50)
    assert len(found) > 4
    assert all(p.text.startswith("| what | price |\n| --- | --- |\n| berth") for p in found)
    code = "\n".join(f"echo line number {i}" for i in range(60))
    found = passages(document(f"# T\n\n```sh\n{code}\n```"), max_tokens=50)
    assert len(found) > 4
    assert all(p.text.startswith("```sh\necho") and p.text.endswith("\n```") for p in found)


def test_a_header_as_long_as_a_passage_is_not_repeated():
    wide = "| " + " | ".join(f"column number {i}" for i in range(30)) + " |"
    rows = "\n".join(f"| row {i} |" for i in range(50))
    found = passages(document(f"# T\n\n{wide}\n| --- |\n{rows}"), max_tokens=60)
    assert sum(p.text.count("column number 3 ") for p in found) == 1
    assert max(words(p.with_title()) for p in found) <= 60


def test_tokens_are_counted_as_the_model_reads_them(pebble):
    count = counter(ModelRef("transformers", str(pebble), "pebble"))
    text = " ".join(f"Das Überwinterungsgebäude No. {i} costs £{i * 7}.50 in 東京." for i in range(200))
    found = passages(document(f"# Größe\n\n{text}"), 128, 16, count)
    assert 100 < max(count(p.with_title()) for p in found) <= 128


WORD = st.text("abcdefg", min_size=1, max_size=9)
LINE = st.lists(WORD, min_size=1, max_size=30).map(" ".join)
HEADING = st.tuples(st.integers(1, 4), st.lists(WORD, min_size=1, max_size=3).map(" ".join)).map(
    lambda found: "#" * found[0] + " " + found[1]
)
PROSE = st.lists(LINE.map(lambda line: f"{line}."), min_size=1, max_size=12).map(" ".join)
LIST = st.lists(LINE, min_size=1, max_size=12).map(lambda lines: "\n".join(f"- {line}" for line in lines))
TABLE = st.lists(st.tuples(WORD, LINE), min_size=2, max_size=15).map(
    lambda rows: "\n".join(
        [f"| {rows[0][0]} | {rows[0][1]} |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows[1:])]
    )
)
CODE = st.lists(LINE, min_size=1, max_size=12).map(lambda lines: "\n".join(["```", *lines, "```"]))
DOCUMENTS = st.lists(st.one_of(HEADING, PROSE, LIST, TABLE, CODE), min_size=1, max_size=12).map(
    lambda parts: document("\n\n".join(parts))
)


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, st.integers(32, 80), st.integers(0, 40))
def test_every_word_is_in_a_passage_and_no_passage_is_too_long(doc, limit, overlap):
    found = passages(doc, limit, overlap)
    shown = " ".join(p.with_title() for p in found)
    assert set(re.findall(r"\w+", doc.text)) <= set(re.findall(r"\w+", shown))
    assert all(words(p.with_title()) <= limit for p in found)
    assert passages(doc, limit, overlap) == found


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS)
def test_no_passage_crosses_a_heading(doc):
    whole = {(" > ".join(s.path) or doc.title): "" for s in sections(doc)}
    for section in sections(doc):
        whole[" > ".join(section.path) or doc.title] += f" {' '.join(section.text.split())} "
    titles = {plain(line.lstrip("# ")) for line in doc.text.splitlines() if line.startswith("#")}
    for passage in passages(doc, 10_000, 0):
        text = " ".join(passage.text.split())
        assert text in whole.get(passage.title_path, "") or text in titles


@pytest.mark.parametrize("text", ["", "\n \n", "```\nopen", "``` " + "a " * 90, "| a |\n| --- |\n" + "x " * 90, "#"])
def test_odd_texts_are_cut_too(text):
    found = passages(document(text), 32)
    assert all(words(p.with_title()) <= 32 for p in found)
    assert set(re.findall(r"\w+", text)) <= set(re.findall(r"\w+", " ".join(p.text for p in found)))
