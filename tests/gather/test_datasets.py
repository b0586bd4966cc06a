import json

import pytest

from ozfig.errors import UserError
from ozfig.gather import SourceContext
from ozfig.gather.datasets import gather
from ozfig.recipe import Dataset


def load(path, **options):
    found = gather(Dataset(path=str(path), **options), SourceContext(path.parent))
    found.examples = list(found.examples)
    return found


def write(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_what_was_read_is_told_when_it_has_been_read(tmp_path):
    rows = "".join(f"q{i},a{i}\n" for i in range(20))
    path = write(tmp_path, "faq.csv", f"question,answer\n{rows},no question\nq,\n")
    gathered = gather(Dataset(path=str(path)), SourceContext(tmp_path))
    assert gathered.origin == "faq.csv"
    examples = iter(gathered.examples)
    assert next(examples).question == "q0"
    assert gathered.failed == []
    assert len(list(examples)) == 19
    assert gathered.failed == ["faq.csv:22: no question", "faq.csv:23: no answer"]
    assert gathered.counts == {"bad_rows": 2, "unanswerable": 0}
    assert gathered.looked_at == "22 rows of faq.csv"


def test_nothing_is_opened_before_the_examples_are_read(tmp_path):
    gathered = gather(Dataset(path=str(tmp_path / "none.csv")), SourceContext(tmp_path))
    with pytest.raises(UserError, match="no such file"):
        list(gathered.examples)


def test_squad_keeps_context_and_answers_and_skips_the_unanswerable(tmp_path):
    answered = {"question": "What?", "answers": [{"text": "red"}, {"text": "red"}, {"text": "is red"}]}
    asked = [answered, {"question": "Why?", "is_impossible": True, "answers": []}]
    data = [
        {"title": title, "paragraphs": [{"context": f"{title} is red. ", "qas": asked}]}
        for title in ("Apple", "Brick", "New_Wine", "Rose")
    ]
    path = write(tmp_path, "s.json", json.dumps({"version": "v2.0", "data": data}))
    gathered = load(path, documents_from="context")
    first = gathered.examples[0]
    assert (first.context, first.references, first.source) == ("Apple is red.", ["red", "is red"], "Apple")
    assert (len(gathered.examples), gathered.counts["unanswerable"]) == (4, 4)
    assert [(d.uri, d.title, d.source) for d in gathered.documents][2] == ("New_Wine", "New Wine", "s.json")
    halves = [{e.source for e in load(path, groups=half).examples} for half in ("first_half", "second_half")]
    assert halves[0] | halves[1] == {"Apple", "Brick", "New_Wine", "Rose"}
    assert not halves[0] & halves[1]
    with pytest.raises(UserError, match="SQuAD"):
        load(write(tmp_path, "a.csv", "question,answer\nq,a\n"), groups="first_half")


def test_real_files(data):
    assert len(load(data / "cazton" / "complete_data.csv").examples) == 1291
    squad = load(data / "squad" / "dev-v2.0.json.gz")
    assert (len(squad.examples), squad.counts["unanswerable"]) == (5928, 5945)
    # of 52,002 rows 28 have no answer
    alpaca = load(data / "instructions" / "alpaca" / "alpaca_data.json.gz")
    assert (len(alpaca.examples), alpaca.counts["bad_rows"]) == (51974, 28)
