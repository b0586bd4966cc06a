import csv
import gzip
import hashlib
import io
import json

import pytest

from ozfig.errors import UserError
from ozfig.gather import SourceContext
from ozfig.gather.datasets import gather, squad_half
from ozfig.recipe import Dataset
from ozfig.types import Message

ROWS = [
    {"Question": " What is an anode? ", "Answer": "A block of zinc,\nbolted on.", "Context": "Zinc."},
    {"Question": "How many?", "Answer": 5, "Context": None},
    {"Question": 'A "quoted" one?', "Answer": "Yes; true, so.", "Context": ""},
]


def load(path, **options):
    return gather(Dataset(path=str(path), **options), SourceContext(path.parent))


def write(folder, name, text):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def as_csv(rows, delimiter=","):
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


LINES = "\n".join(json.dumps(row) for row in ROWS)
FILES = {
    "a.csv": "\ufeff" + as_csv(ROWS),
    "b.csv.gz": as_csv(ROWS),
    "semicolons.csv": as_csv(ROWS, ";"),
    "a.tsv": as_csv(ROWS, "\t"),
    "a.json": json.dumps(ROWS),
    "b.json.gz": json.dumps({"version": 1, "rows": ROWS}),
    "a.jsonl": LINES,
    "a.v2.jsonl.gz": LINES,
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_examples(tmp_path, name):
    examples = load(write(tmp_path, name, FILES[name])).examples
    assert [e.question for e in examples] == ["What is an anode?", "How many?", 'A "quoted" one?']
    assert [e.answer for e in examples] == ["A block of zinc,\nbolted on.", "5", "Yes; true, so."]
    assert [e.context for e in examples] == ["Zinc.", "", ""]
    assert [e.id for e in examples] == [e.id for e in load(write(tmp_path, "plain.json", json.dumps(ROWS))).examples]


@pytest.mark.parametrize(
    ("row", "question", "answer"),
    [
        ({"prompt": "p", "completion": "c"}, "p", "c"),
        ({"instruction": "Sort.", "input": "b a", "output": "a b"}, "Sort.\n\nb a", "a b"),
        ({"instruction": "Sing.", "input": "", "output": "la"}, "Sing.", "la"),
        ({"input": "i", "output": "o"}, "i", "o"),
        ({"QUESTIONS": "q", "Response": "r"}, "q", "r"),
        ({"instruction": "I", "instances": [{"input": "x", "output": "y"}]}, "I\n\nx", "y"),
    ],
)
def test_shapes_are_told_by_their_keys(tmp_path, row, question, answer):
    [example] = load(write(tmp_path, "a.json", json.dumps([row]))).examples
    assert (example.question, example.answer) == (question, answer)


def test_conversations(tmp_path):
    openai = {
        "messages": [
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "and then"},
        ]
    }
    sharegpt = {
        "conversations": [
            {"from": "system", "value": "Be kind."},
            {"from": "human", "value": "Hi"},
            {"from": "gpt", "value": "Hello"},
        ]
    }
    expected = [Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Hello")]
    for row in (openai, sharegpt):
        assert load(write(tmp_path, "a.jsonl", json.dumps(row))).examples[0].messages == expected
    cells = [{"messages": json.dumps(openai["messages"])}]
    assert load(write(tmp_path, "a.csv", as_csv(cells))).examples[0].messages == expected


def test_named_columns_win(tmp_path):
    path = write(tmp_path, "a.csv", "q1,question,a1\nreal,other,yes\n")
    [example] = load(path, columns={"question": "q1", "answer": "a1"}).examples
    assert (example.question, example.answer) == ("real", "yes")
    with pytest.raises(UserError, match="no column 'q2'; it has: q1, question, a1"):
        load(path, columns={"question": "q2"})
    with pytest.raises(UserError, match="known are"):
        load(path, columns={"frage": "q1"})
    with pytest.raises(UserError, match="which columns"):
        load(path)


def test_bad_rows_are_named_and_too_many_stop(tmp_path):
    rows = "".join(f"q{i},a{i}\n" for i in range(20))
    gathered = load(write(tmp_path, "a.csv", f"question,answer\n{rows},no question\nq,\n"))
    assert len(gathered.examples) == 20
    assert gathered.failed == ["a.csv:22: no question", "a.csv:23: no answer"]
    with pytest.raises(UserError, match="11 of 31 rows are bad"):
        load(write(tmp_path, "b.csv", f"question,answer\n{rows}" + "q,\n" * 11))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"question": "q", "answer": "a"}\n{broken', "a.jsonl:2: not valid JSON"),
        ("a.jsonl", "[1, 2]", "a.jsonl:1: each row"),
        ("a.json", '{"a": 1}', "a list of rows"),
        ("a.txt", "x", "not a data set"),
        ("a.csv.gz", "", "no such file"),
    ],
)
def test_files_that_cannot_be_read_are_explained(tmp_path, name, text, message):
    path = write(tmp_path, name, text) if text else tmp_path / name
    with pytest.raises(UserError, match=message):
        load(path)


SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": title,
            "paragraphs": [
                {
                    "context": f"{title} is red. ",
                    "qas": [
                        {
                            "question": f"What is {title}?",
                            "answers": [{"text": "red"}, {"text": "red"}, {"text": "is red"}],
                        },
                        {"question": "Why?", "is_impossible": True, "answers": []},
                    ],
                }
            ],
        }
        for title in ("Apple", "Brick", "Rose", "Wine")
    ],
}


def test_squad_keeps_context_and_answers_and_skips_the_unanswerable(tmp_path):
    path = write(tmp_path, "s.json.gz", json.dumps(SQUAD))
    gathered = load(path, documents_from="context")
    assert len(gathered.examples) == 4
    first = gathered.examples[0]
    assert (first.context, first.references, first.source) == ("Apple is red.", ["red", "is red"], "Apple")
    assert gathered.counts["unanswerable"] == 4
    assert [(d.uri, d.text) for d in gathered.documents][:2] == [("Apple", "Apple is red."), ("Brick", "Brick is red.")]


def test_misshapen_squad_and_alpaca_are_explained(tmp_path):
    with pytest.raises(UserError, match="begins like SQuAD"):
        load(write(tmp_path, "a.json", '{"data": [{"title": "t", "paragraphs": [{"qas": []}]}]}'))
    with pytest.raises(UserError, match="instances are not a list"):
        load(write(tmp_path, "b.jsonl", '{"instruction": "Add.", "instances": ["x"]}'))


def test_squad_halves_are_by_the_hash_of_the_title(tmp_path):
    path = write(tmp_path, "s.json", json.dumps(SQUAD))
    halves = {half: {e.source for e in load(path, groups=half).examples} for half in ("first_half", "second_half")}
    assert halves["first_half"] | halves["second_half"] == {"Apple", "Brick", "Rose", "Wine"}
    assert not halves["first_half"] & halves["second_half"]
    for title in halves["first_half"]:
        assert int(hashlib.sha256(title.encode()).hexdigest()[:2], 16) % 2 == 0
        assert squad_half(title) == "first_half"
    with pytest.raises(UserError, match="SQuAD"):
        load(write(tmp_path, "a.csv", "question,answer\nq,a\n"), groups="first_half")


def test_squad_rows_as_the_hub_gives_them(tmp_path):
    row = {
        "title": "Apple",
        "context": "It is red.",
        "question": "What?",
        "answers": {"text": ["red", "is red"], "answer_start": [6, 3]},
    }
    [example] = load(write(tmp_path, "a.jsonl", json.dumps(row))).examples
    assert (example.references, example.source, example.context) == (["red", "is red"], "Apple", "It is red.")


def test_a_limit_takes_the_top_and_a_sample_goes_through_the_file(tmp_path):
    rows = [{"question": f"q{i}", "answer": "a"} for i in range(40)]
    path = write(tmp_path, "a.json", json.dumps(rows))
    assert [e.question for e in load(path, limit=4).examples] == ["q0", "q1", "q2", "q3"]
    assert len(load(path, limit=50).examples) == 40
    sample = {e.question for e in load(path, sample=8).examples}
    assert len(sample) == 8
    assert sample != {f"q{i}" for i in range(8)}
    turned = write(tmp_path, "b.json", json.dumps(rows[::-1]))
    assert {e.question for e in load(turned, sample=8).examples} == sample


def test_a_system_text_and_a_source_are_kept(tmp_path):
    row = {"system": "Be brief.", "question": "q", "answer": "a", "source": "manual"}
    [example] = load(write(tmp_path, "a.json", json.dumps([row]))).examples
    assert example.messages[0] == Message("system", "Be brief.")
    assert example.source == "manual"


def test_real_files(data):
    assert len(load(data / "cazton" / "complete_data.csv").examples) == 1291
    squad = load(data / "squad" / "dev-v2.0.json.gz")
    assert (len(squad.examples), squad.counts["unanswerable"]) == (5928, 5945)
