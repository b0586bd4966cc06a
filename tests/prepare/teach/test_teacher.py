import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from ozfig.errors import OutsideError, UserError
from ozfig.prepare import Context
from ozfig.prepare.teach import teacher
from ozfig.recipe import TeacherPairs
from ozfig.retrieval.chunk import Passage

FACTS = [
    "boats",
    "kayaks",
    "cradles",
    "lockers",
    "buoys",
    "anchors",
    "masts",
    "sails",
    "ropes",
    "flags",
    "mugs",
    "nuts",
]
SOLD = "The yard sells {} at {} pounds for each of them."
SITE = "http://yard.example/"


def passages(count=4):
    return [
        Passage(f"{SITE}{name}", "The yard", SOLD.format(name, 10 + i), SITE) for i, name in enumerate(FACTS[:count])
    ]


def asked_about(body):
    text = body.get("prompt") or body["messages"][1]["content"]
    return re.findall(r"The yard sells (\w+) at (\d+)", text)[-1]


def pair(name, price):
    return {"question": f"What do {name} cost at the yard?", "answer": f"The yard sells {name} at {price} pounds."}


def knows(path, body):
    return json.dumps({"pairs": [pair(*asked_about(body))]})


def make(server, tmp_path, count=4, **fields):
    section = TeacherPairs(**{"url": server.url, "model": "teacher", "concurrency": 2, **fields})
    return teacher.by_teacher(section, Context(tmp_path, (), passages(count)))


def questions(made):
    return [example.question for example in made.examples]


def test_pairs_hold_all_that_is_known_of_them(chat_server, tmp_path):
    chat_server.answer = knows
    made = make(chat_server, tmp_path, price_in=2.0, price_out=10.0)
    assert questions(made) == [pair(name, 0)["question"] for name in FACTS[:4]]
    first = made.examples[0]
    assert first.answer == "The yard sells boats at 10 pounds."
    assert first.context == passages()[0].with_title()
    assert (first.source, first.origin, first.maker) == ("http://yard.example/boats", "http://yard.example/", "teacher")
    assert first.evidence == ["The yard sells boats at 10 pounds for each of them."]
    assert made.counts == {
        **{"passages": 4, "asked": 4, "from_cache": 0, "unanswered": 0, "tokens_in": 400, "tokens_out": 80},
        **{"cost": 0.0016, "pairs": 4, "invalid": 0, "dropped": 0, "flagged": 0},
    }


def test_nothing_is_asked_twice(chat_server, tmp_path):
    chat_server.answer = knows
    first = make(chat_server, tmp_path)
    again = make(chat_server, tmp_path, grounding="off")
    assert len(chat_server.asked) == 4
    assert again.examples == first.examples
    assert (again.counts["asked"], again.counts["from_cache"]) == (0, 4)
    make(chat_server, tmp_path, count=5)
    assert len(chat_server.asked) == 5
    make(chat_server, tmp_path, model="other")
    assert len(chat_server.asked) == 9


def test_the_order_of_the_answers_does_not_matter(chat_server, tmp_path):
    def answer(path, body):
        time.sleep(0.05 * (int(asked_about(body)[1]) % 3))
        return knows(path, body)

    chat_server.answer = answer
    assert make(chat_server, tmp_path / "a", 9, concurrency=9) == make(chat_server, tmp_path / "b", 9, concurrency=1)


def test_broken_json_is_asked_for_once_more(chat_server, tmp_path):
    def answer(path, body):
        name, price = asked_about(body)
        if len(body["messages"]) == 2:
            return f"{name} cost {price}"
        return "I do not know." if name == "boats" else json.dumps([pair(name, price)])

    chat_server.answer = answer
    made = make(chat_server, tmp_path)
    assert len(made.examples) == 3
    assert (made.counts["asked"], made.counts["invalid"]) == (8, 1)
    told = chat_server.asked[-1][1]["messages"]
    assert [m["role"] for m in told] == ["system", "user", "assistant", "user"]
    assert "there is no JSON in it" in told[-1]["content"]
    assert make(chat_server, tmp_path).counts["from_cache"] == 8


def test_models_that_complete_go_on_in_the_opened_list(chat_server, tmp_path):
    def answer(path, body):
        if path != "/completions":
            return 404, {}, {"error": {"message": "This is not a chat model. Did you mean to use v1/completions?"}}
        assert body["prompt"].endswith("[")
        return f"{json.dumps(pair(*asked_about(body)))}]\n\nText: more"

    chat_server.answer = answer
    assert len(make(chat_server, tmp_path, concurrency=1).examples) == 4
    assert Counter(path for path, _, _ in chat_server.asked) == {"/chat/completions": 1, "/completions": 4}
    with pytest.raises(UserError, match="does not chat"):
        make(chat_server, tmp_path, api="chat")


@pytest.mark.parametrize(("policy", "sides"), [("drop", (1, 2, 0)), ("flag", (3, 0, 2)), ("off", (3, 0, 0))])
def test_grounding(chat_server, tmp_path, policy, sides):
    wrong = {"question": "What do boats cost at the yard?", "answer": "The yard sells boats at 99 pounds."}
    loose = {"question": "How much are they?", "answer": "They cost 10 pounds."}
    chat_server.answer = lambda path, body: json.dumps({"pairs": [pair("boats", 10), wrong, loose]})
    made = make(chat_server, tmp_path, 1, grounding=policy)
    assert (len(made.examples), len(made.dropped), len(made.flagged)) == sides
    reasons = {(note.reason, note.neighbour) for note in [*made.dropped, *made.flagged]}
    wrong = {("not supported by its passage", "99"), ("question does not stand alone", "they")}
    assert reasons == (set() if policy == "off" else wrong)


def test_an_estimate_above_a_cap_is_refused_before_anything_is_asked(chat_server, tmp_path):
    with pytest.raises(UserError, match=r"above max_total_tokens: 100; raise it, or set max_passages to 1"):
        make(chat_server, tmp_path, max_total_tokens=100)
    with pytest.raises(UserError, match="above max_cost"):
        make(chat_server, tmp_path, price_in=1000.0, max_cost=0.01)
    assert chat_server.asked == []


def test_a_cap_that_is_passed_on_the_way_keeps_what_there_is(chat_server, tmp_path, capsys):
    def answer(path, body):
        usage = {"prompt_tokens": 3000, "completion_tokens": 1000}
        return 200, {}, {"choices": [{"message": {"content": knows(path, body)}}], "usage": usage}

    chat_server.answer = answer
    made = make(chat_server, tmp_path, 10, concurrency=1, max_total_tokens=9000)
    assert (made.counts["asked"], made.counts["unanswered"], len(made.examples)) == (3, 7, 3)
    assert "stopped at 12,000 tokens" in capsys.readouterr().err
    assert make(chat_server, tmp_path, 10, concurrency=1, max_total_tokens=9000).examples == made.examples
    assert len(chat_server.asked) == 3


def test_a_failure_on_the_way_is_asked_again_at_the_end(chat_server, tmp_path, capsys):
    failed = set()

    def answer(path, body):
        name = asked_about(body)[0]
        if name == "kayaks" and len(failed) < 5:  # as often as the client tries
            failed.add(len(failed))
            return 500, {"retry-after-ms": "1"}, {"error": {"message": "out of memory"}}
        return knows(path, body)

    chat_server.answer = answer
    assert len(make(chat_server, tmp_path).examples) == 4
    assert capsys.readouterr().err.count("it fails (out of memory)") == 1


def test_a_passage_that_is_refused_is_left_out(chat_server, tmp_path):
    chat_server.answer = lambda path, body: (
        (400, {}, {"error": {"message": "exceeds the context length"}}) if "kayaks" in str(body) else knows(path, body)
    )
    made = make(chat_server, tmp_path)
    assert (len(made.examples), made.counts["unanswered"]) == (3, 1)
    with pytest.raises(UserError, match=r"answered none of 1 passages: .*exceeds the context length"):
        make(chat_server, tmp_path, 2)  # the other one is known


def test_a_teacher_that_never_answers(chat_server, tmp_path):
    chat_server.answer = lambda path, body: (429, {"retry-after-ms": "1"}, {"error": {"message": "no credit"}})
    with pytest.raises(OutsideError, match=r"3 times in a row, 0 replies are kept: .*no credit.; run it again"):
        make(chat_server, tmp_path, 12)
    with pytest.raises(OutsideError, match=r"answered none of 1 passages: .*run it again"):
        make(chat_server, tmp_path, 1)


def test_a_teacher_that_stops_answering_loses_nothing(chat_server, tmp_path, monkeypatch):
    monkeypatch.setattr("ozfig.prepare.teach.asking.FAILURES_IN_A_ROW", 4)
    chat_server.answer = lambda path, body: (
        knows(path, body) if len(chat_server.asked) <= 5 else (503, {"x-should-retry": "false"}, {})
    )
    with pytest.raises(OutsideError, match="4 times in a row, 5 replies are kept"):
        make(chat_server, tmp_path, 12, concurrency=1)
    before = len(chat_server.asked)
    chat_server.answer = knows
    assert len(make(chat_server, tmp_path, 12, concurrency=1).examples) == 12
    assert len(chat_server.asked) - before == 7


def test_a_teacher_that_writes_nonsense(chat_server, tmp_path, monkeypatch):
    monkeypatch.setattr("ozfig.prepare.teach.asking.FAILURES_IN_A_ROW", 4)
    chat_server.answer = lambda path, body: "La la la."
    with pytest.raises(UserError, match=r"writes no JSON that can be read, 4 times in a row .*choose another model"):
        make(chat_server, tmp_path, 12)


def test_a_wrong_key_ends_it_at_once(chat_server, tmp_path, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    chat_server.answer = lambda path, body: (401, {}, {"error": {"message": "no"}})
    with pytest.raises(UserError, match="environment variable MY_KEY"):
        make(chat_server, tmp_path, 12, concurrency=1, key_env="MY_KEY")
    assert len(chat_server.asked) == 1


KILLED = """
import sys
from pathlib import Path
from ozfig.prepare import Context
from ozfig.prepare.teach import teacher
from ozfig.recipe import TeacherPairs
from ozfig.retrieval.chunk import Passage
url, cache, form, *names = sys.argv[1:]
found = [Passage(name, "The yard", form.format(name, 10 + i)) for i, name in enumerate(names)]
teacher.by_teacher(TeacherPairs(url=url, model="teacher", concurrency=2), Context(Path(cache), (), found))
"""


def test_after_kill_9_no_passage_is_asked_twice(chat_server, tmp_path):
    answered = Counter()

    def answer(path, body):
        with one_at_a_time:
            is_stuck = stuck and answered.total() >= 6
            answered[asked_about(body)[0]] += not is_stuck
        if is_stuck:
            time.sleep(60)  # the server has stopped answering when the process is killed
        return knows(path, body)

    one_at_a_time, stuck, chat_server.answer = threading.Lock(), [True], answer
    command = [sys.executable, "-c", KILLED, chat_server.url, str(tmp_path), SOLD, *FACTS]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    replies, deadline = tmp_path / "teacher.jsonl", time.monotonic() + 60
    while not (replies.exists() and replies.read_bytes().count(b"\n") >= 6) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert answered.total() == 6
    with replies.open("a") as torn:
        torn.write('{"key":"half of a li')
    stuck.clear()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=60)
    assert answered == dict.fromkeys(FACTS, 1)


def test_passages_are_chosen_by_their_content():
    found = passages(12)
    chosen = teacher.chosen(found, 5)
    assert len(chosen) == 5
    assert [p for p in found if p in chosen] == chosen
    assert set(chosen) == set(teacher.chosen(found[::-1], 5))
    twin = Passage("http://yard.example/copy", found[0].title_path, found[0].text)
    short = Passage("http://yard.example/short", "", "Call us.")
    assert teacher.chosen([*found, twin, short], None) == found


def test_own_instructions_replace_ours_and_keep_the_form():
    prompt = teacher.prompt_for(passages()[0], TeacherPairs(url="http://x/v1", instructions="Ask in verse."))
    assert prompt.messages[0].content.startswith("Ask in verse.\n\nWrite at most 3 pairs, as JSON")
    assert teacher.INSTRUCTIONS not in prompt.plain
    assert passages()[0].with_title() in prompt.plain
