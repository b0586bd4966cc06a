from ozfig.retrieval.chunk import blocks, find_passage, passages, plain, sections
from ozfig.types import Document

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
    table = "| a | b |\n| --- | --- |\n" + "| one two | three four |\n" * 60
    found = passages(document(f"# T\n\n{paragraph}\n\n{paragraph}\n\n{table}\n\n{paragraph}"), max_words=100)
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
