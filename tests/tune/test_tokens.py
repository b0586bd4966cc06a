import pytest

from ozfig.errors import UserError
from ozfig.prompts import QUESTION_ANSWER
from ozfig.recipe import Tune
from ozfig.tune import tokens
from ozfig.types import Example, Message

CHATML = (
    "{% for m in messages %}<|user|>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|user|>assistant\n{% endif %}"
)
# as templates of reasoning models do: only the latest reply keeps its opening
FORGETFUL = (
    "{% for m in messages %}{{ m['role'] }}: "
    "{% if m['role'] == 'assistant' and loop.last %}(thinking) {% endif %}{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
NO_END = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + NO_END

TALK = [
    Message("system", "Be brief."),
    Message("user", "Where is Oslo?"),
    Message("assistant", "In Norway."),
    Message("user", "And Rome?"),
    Message("assistant", "In Italy."),
]


def trained(tokenizer, row):
    return [text for text, counts in tokens._runs(row, tokenizer) if counts]


def whole(tokenizer, row):
    return "".join(text for text, _ in tokens._runs(row, tokenizer))


def test_loss_is_on_every_reply_and_its_end_marker_alone(tokenizer):
    (row,) = tokens.encode(tokenizer, TALK)
    assert trained(tokenizer, row) == ["In Norway.</s>", "In Italy.</s>"]
    assert whole(tokenizer, row) == (
        "<s><|system|>Be brief.</s><|user|>Where is Oslo?</s><|assistant|>In Norway.</s>"
        "<|user|>And Rome?</s><|assistant|>In Italy.</s>"
    )
    assert row.ids == tokenizer.apply_chat_template([m.to_row() for m in TALK], return_dict=False)


def test_masks_hold_for_a_template_with_a_break_after_the_marker(tokenizer):
    tokenizer.chat_template = CHATML
    (row,) = tokens.encode(tokenizer, TALK)
    assert trained(tokenizer, row) == ["In Norway.</s>\n", "In Italy.</s>\n"]


def test_a_template_that_changes_old_turns_gives_each_reply_a_row(tokenizer):
    tokenizer.chat_template = FORGETFUL
    first, second = tokens.encode(tokenizer, TALK)
    assert trained(tokenizer, first) == [" (thinking) In Norway.</s>"]
    assert trained(tokenizer, second) == [" (thinking) In Italy.</s>"]
    assert "assistant: In Norway." in whole(tokenizer, second)


def test_a_reply_without_an_end_marker_gets_one(tokenizer):
    tokenizer.chat_template = NO_END
    (row,) = tokens.encode(tokenizer, TALK)
    assert trained(tokenizer, row)[-1] == "In Italy.</s>"


def test_a_base_without_template_gets_the_plain_one(tokenizer):
    tokenizer.chat_template = QUESTION_ANSWER
    (row,) = tokens.encode(tokenizer, TALK[1:])
    assert whole(tokenizer, row) == (
        "<s>question: Where is Oslo?\nanswer: In Norway.</s>\nquestion: And Rome?\nanswer: In Italy.</s>"
    )
    assert trained(tokenizer, row) == [" In Norway.</s>", " In Italy.</s>"]


def test_a_template_that_refuses_system_texts_says_the_mend(tokenizer):
    tokenizer.chat_template = NO_SYSTEM
    with pytest.raises(UserError, match=r'no system role.*set system: ""'):
        tokens.encode(tokenizer, TALK)


PAIR = Example.pair("Where is Oslo?", "In Norway.", context="Oslo lies in Norway.")
BARE = Example.pair("Where is Rome?", "In Italy.")


@pytest.mark.parametrize(("context", "with_passage"), [("none", [False, False]), ("always", [True, False])])
def test_context_chooses_the_form(tokenizer, context, with_passage):
    data = tokens.encode_all([PAIR, BARE], tokenizer, Tune(context=context), "", 256)
    assert ["lies" in whole(tokenizer, row) for row in data.rows] == with_passage


def test_mixed_context_gives_both_forms_and_trains_the_same_answer(tokenizer):
    data = tokens.encode_all([PAIR, BARE], tokenizer, Tune(context="mixed"), "", 256)
    assert ["lies" in whole(tokenizer, row) for row in data.rows] == [False, True, False]
    assert [trained(tokenizer, row) for row in data.rows] == [["In Norway.</s>"]] * 2 + [["In Italy.</s>"]]
    assert data.max_length == max(len(row.ids) for row in data.rows)


def test_a_passage_is_cut_around_the_answer_before_a_row_is_dropped(tokenizer):
    filler = "The weather was fine and many people walked along the river that day. " * 20
    example = Example.pair("Where?", "in the old tower", context=f"{filler}They met in the old tower. {filler}")
    data = tokens.encode_all([example], tokenizer, Tune(context="always", max_length=100), "", 256)
    assert (len(data.rows), data.cut, data.dropped_long) == (1, 1, 0)
    assert 60 < len(data.rows[0].ids) <= 100
    assert "They met in the old tower" in whole(tokenizer, data.rows[0])
    assert trained(tokenizer, data.rows[0]) == ["in the old tower</s>"]


def test_rows_that_cannot_fit_and_rows_without_loss_are_counted(tokenizer):
    long = Example.pair("Tell everything", "very " * 200)
    silent = Example.make([Message("user", "Hello?")])
    data = tokens.encode_all([BARE, long, silent], tokenizer, Tune(max_length=64), "", 256)
    assert (len(data.rows), data.dropped_long, data.without_loss) == (1, 1, 1)


def test_nothing_to_train_on_is_refused(tokenizer):
    silent = Example.make([Message("user", "Hello?")])
    with pytest.raises(UserError, match="every label is masked"):
        tokens.encode_all([silent], tokenizer, Tune(), "", 256)


def test_a_length_beyond_the_base_is_refused(tokenizer):
    with pytest.raises(UserError, match=r"tune\.max_length: 512 .* 256"):
        tokens.encode_all([BARE], tokenizer, Tune(max_length=512), "", 256)


def test_only_the_last_turn_may_count(tokenizer):
    (row,) = tokens.encode(tokenizer, TALK, every_turn=False)
    assert trained(tokenizer, row) == ["In Italy.</s>"]
    data = tokens.encode_all([Example.make(TALK)], tokenizer, Tune(loss_on="last_turn"), "", 256)
    assert data.rows == [row]


def test_rows_that_are_too_long_lose_their_end_where_the_recipe_says_so(tokenizer):
    long = Example.pair("Where is Oslo?", "In Norway, " * 30)
    asked_long = Example.pair("Where is Oslo? " * 30, "In Norway.")
    section = Tune(too_long="cut", max_length=32)
    data = tokens.encode_all([long, asked_long, BARE], tokenizer, section, "", 256)
    assert (len(data.rows), data.rows_cut, data.dropped_long) == (2, 2, 1)  # nothing of the long question is trained
    assert len(data.rows[0].ids) == 32
    assert data.rows[0].trained > 10


def test_a_share_of_the_examples_is_only_measured_on(tokenizer):
    many = [
        Example.pair(f"Where is house {i}?", "Here.", context=f"In the street {i} is house {i}.") for i in range(80)
    ]
    data = tokens.encode_all(many, tokenizer, Tune(validation_share=0.25), "", 256)
    assert len(data.rows) + len(data.validation) == 160
    assert 20 < len(data.validation) < 60
    # both forms of an example are on one side
    assert len(data.validation) % 2 == 0
    again = tokens.encode_all(many[::-1], tokenizer, Tune(validation_share=0.25), "", 256)
    assert sorted(row.ids for row in again.validation) == sorted(row.ids for row in data.validation)


def test_shown_rows_mark_what_is_trained(tokenizer):
    data = tokens.encode_all([PAIR] * 40, tokenizer, Tune(), "", 256)
    shown = tokens.show(data.rows, tokenizer, 3)
    assert len(shown) == 3
    assert shown[0] == [("<s><|user|>Where is Oslo?</s><|assistant|>", False), ("In Norway.</s>", True)]
