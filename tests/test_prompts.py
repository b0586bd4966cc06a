"""How messages are written out: every named template, and those of a user's own."""

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ozfig import prompts
from ozfig.engines.loading import load_tokenizer
from ozfig.errors import UserError
from ozfig.tune import tokens
from ozfig.types import Example, Message

TURNS = [
    Message("system", "Be brief."),
    Message("user", "Is it open?"),
    Message("assistant", "Yes."),
    Message("user", "And now?"),
    Message("assistant", "No."),
]


def written(name, turns=TURNS, prompt=False):
    template = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(prompts.template(name))
    rows = [m.to_row() for m in turns]
    return template.render(messages=rows, bos_token="<s>", eos_token="</s>", add_generation_prompt=prompt)


def test_question_and_answer():
    assert written("question_answer") == (
        "<s>Be brief.\nquestion: Is it open?\nanswer: Yes.</s>\nquestion: And now?\nanswer: No.</s>"
    )


@pytest.mark.parametrize("name", list(prompts.TEMPLATES))
def test_the_prompt_for_a_reply_is_the_beginning_of_the_conversation_with_it(name):
    assert written(name).startswith(written(name, TURNS[:4], prompt=True))
    assert written(name).startswith(written(name, TURNS[:2], prompt=True))


@pytest.mark.parametrize("name", list(prompts.TEMPLATES))
def test_only_replies_and_their_end_are_trained(name, pebble):
    tokenizer = load_tokenizer(pebble, name)
    rows = tokens.encode(tokenizer, TURNS)
    trained = [label for row in rows for label in row.labels if label != tokens.IGNORED]
    text = tokenizer.decode(trained)
    assert text.count(tokenizer.eos_token) == 2
    assert "Yes." in text
    assert "No." in text
    assert "open" not in text


def test_a_template_of_ones_own():
    assert written("{% for m in messages %}[{{ m.content }}]{% endfor %}", TURNS[1:3]) == "[Is it open?][Yes.]"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chatlm", "did you mean chatml"),
        ("zzz", "known: question_answer"),
        ("{% for m in messages %}", "tune.template: line 1: .*endfor"),
    ],
)
def test_a_wrong_template_is_one_line(name, message):
    with pytest.raises(UserError, match=message):
        prompts.template(name)


def test_the_passage_stands_before_the_last_question():
    example = Example.make([*TURNS], context="Closed at noon.")
    turns = prompts.conversation(example, "Another system text.", with_context=True)
    assert turns[0].content == "Be brief."
    assert turns[3].content == "Closed at noon.\n\nAnd now?"
    assert prompts.conversation(Example.pair("Who?", "Ann."), "Sys")[0] == Message("system", "Sys")
