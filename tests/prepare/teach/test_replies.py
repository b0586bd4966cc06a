import pytest

from ozfig.engines.openai import Reply
from ozfig.prepare.teach.replies import Broken, Replies, read_pairs


def test_a_torn_line_is_cut_off_and_a_broken_one_is_told(tmp_path, capsys):
    path = tmp_path / "teacher.jsonl"
    Replies(path).put("a", Reply("first"))
    with path.open("a") as out:
        out.write('not json\n{"key": "b", "te')
    replies = Replies(path)
    replies.put("c", Reply("third"))
    assert "1 line not readable" in capsys.readouterr().err
    assert [getattr(Replies(path).get(key), "text", None) for key in "abc"] == ["first", None, "third"]


@pytest.mark.parametrize(
    ("text", "found", "bad"),
    [
        ('[{"question": "A?", "answer": "B"}]', ["A?"], 0),
        ('```json\n{"pairs": [{"question": "A?", "answer": "B"}]}\n```\nI hope [this] helps!', ["A?"], 0),
        ('Here you are [1]: {"question": "A?", "answer": "B"} and so on', ["A?"], 0),
        ('{"items": [{"Question": "A?", "Answer": 3}, {"q": "C?", "a": "D"}, {"q": "E?"}]}', ["A?", "C?"], 1),
        ('[{"question": "A?", "answer": "B"}, {"question": "C?", "ans', ["A?"], 0),
        ('<think>[{"question": "no", "answer": "no"}]</think>[{"question": "A?", "answer": "B\nC"}]', ["A?"], 0),
        ('{"pairs": []}', [], 0),
    ],
)
def test_replies_are_read_leniently(text, found, bad):
    pairs, invalid = read_pairs(text)
    assert ([p.question for p in pairs], invalid) == (found, bad)


@pytest.mark.parametrize(
    "text", ["", "none", "[1, 2]", '[{"question": "A?"}]', '{"question": "", "answer": "B"}', '["A?"']
)
def test_replies_without_a_pair(text):
    with pytest.raises(Broken):
        read_pairs(text)
