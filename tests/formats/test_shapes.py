import pytest

from ozfig.formats.rows import BadRow
from ozfig.formats.shapes import examples_of, problem_of, squad_half
from ozfig.types import Document, Message

TURNS = [Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Hello")]


def one(row, **columns):
    [found] = examples_of(row, columns, "a.json")
    return found


@pytest.mark.parametrize(
    ("row", "question", "answer"),
    [
        ({"prompt": "p", "completion": "c"}, "p", "c"),
        ({"instruction": "Sort.", "input": "b a", "output": "a b"}, "Sort.\n\nb a", "a b"),
        ({"instruction": "Sing.", "input": None, "output": "la"}, "Sing.", "la"),
        ({"input": "i", "output": "o"}, "i", "o"),
        ({"QUESTIONS": "q", " Response": "r"}, "q", "r"),
        ({"instruction": "I", "instances": [{"input": "x", "output": "y"}]}, "I\n\nx", "y"),
        ({"question": "q", "answers": ["a", "b"]}, "q", "a"),
        ({"question": "q", "answers": '["a", "b"]'}, "q", "a"),
        ({"question": "q", "answer": 5}, "q", "5"),
    ],
)
def test_shapes_are_told_by_their_keys(row, question, answer):
    assert (one(row).question, one(row).answer) == (question, answer)


@pytest.mark.parametrize(
    "row",
    [
        {
            "messages": [
                {"role": "developer", "content": "Be kind."},
                {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                {"role": "assistant", "content": "Hello"},
                {"role": "user", "content": "and then"},
            ]
        },
        {
            "conversations": [
                {"from": "system", "value": "Be kind."},
                {"from": "human", "value": "Hi"},
                {"from": "gpt", "value": "Hello"},
            ]
        },
        {
            "prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
            "completion": [{"role": "assistant", "content": "Hello"}],
        },
        {"system": "Be kind.", "question": "Hi", "answer": "Hello"},
    ],
)
def test_conversations(row):
    assert one(row).messages == TURNS


def test_all_instances_of_a_task_are_examples():
    row = {"instruction": "Add.", "instances": [{"input": "1 1", "output": "2"}, {"input": "", "output": "none"}]}
    assert [(e.question, e.answer) for e in examples_of(row, {}, "a")] == [("Add.\n\n1 1", "2"), ("Add.", "none")]


def test_plain_text_is_a_document():
    found = one({"text": " A page. ", "title": "T", "url": "http://a.example/"})
    assert found == Document.make("http://a.example/", "T", "A page.", "a.json")
    assert one({"body": "B", "x": 1}, text="body").text == "B"
    nameless = {one({"text": text}).uri for text in ("one", "two")}
    assert len(nameless) == 2
    # beside a question, a text is no document
    assert one({"question": "q", "answer": "a", "text": "t"}).question == "q"


def test_squad_rows_of_a_hub_count_the_unanswerable():
    row = {"title": "Apple", "context": "It is red.", "question": "What?"}
    found = one(row | {"answers": {"text": ["red", "is red"], "answer_start": [6, 3]}})
    assert (found.references, found.source, found.context) == (["red", "is red"], "Apple", "It is red.")
    assert one(row | {"answers": {"text": [], "answer_start": []}}) is None
    assert one(row | {"answers": '{"text": [], "answer_start": []}'}) is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "", "answer": "a"}, "no question"),
        ({"question": "q", "answer": None}, "no answer"),
        ({"question": "q", "answers": []}, "no answer"),
        ({"text": "  "}, "no text"),
        ({"messages": "Hi"}, "not JSON"),
        ({"messages": {"role": "user"}}, "not a list of turns"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "unknown role 'narrator'"),
        ({"messages": [{"role": "user", "content": "x"}]}, "no turn of the assistant's"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "no question before"),
        ({"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": "x"}]}, "an empty turn"),
        ({"instruction": "Add.", "instances": ["x"]}, "instances are not a list"),
        ({"paragraphs": [{"qas": [{"question": "q"}]}]}, "begins like SQuAD"),
    ],
)
def test_bad_rows_say_why(row, message):
    with pytest.raises(BadRow, match=message):
        list(examples_of(row, {}, "a.json"))


def test_columns_are_checked_against_the_keys():
    assert problem_of(["q1", "question", "a1"], {"question": "q1", "answer": "a1"}) == ""
    assert "no column 'q2'; it has: q1, a1" in problem_of(["q1", "a1"], {"question": "q2"})
    assert "known are question" in problem_of(["q1"], {"frage": "q1"})
    assert "which columns" in problem_of(["q1", "a1"], {})


def test_named_columns_win():
    row = {"q1": "real", "question": "other", "a1": "yes", "c1": "ctx", "s1": "sys"}
    found = one(row, question="q1", answer="a1", context="c1", system="s1")
    assert (found.question, found.answer, found.context) == ("real", "yes", "ctx")
    assert found.messages[0] == Message("system", "sys")
    assert (
        one({"chat": [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}]}, messages="chat").answer
        == "b"
    )


def test_halves_of_squad_do_not_move():
    assert [squad_half(t) for t in ("Apple", "Brick", "Rose", "Wine")].count("first_half") in (1, 2, 3)
    assert squad_half("Beyoncé") == squad_half("Beyoncé")
