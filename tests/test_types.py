from ozfig import prompts
from ozfig.types import Comparison, Document, Dropped, Example, Message


def test_rows_survive_json():
    example = Example.pair("q?", "a.", context="p", answers=["b"], source="s", maker="faq")
    dropped = Dropped(example, "near", "q!", 0.9)
    assert Example.from_row(example.to_row()) == example
    assert Dropped.from_row(dropped.to_row()) == dropped
    assert Document.from_row(Document.make("u", "t", "x").to_row()) == Document.make("u", "t", "x")


def test_an_id_depends_on_content_only():
    assert Example.pair("q", "a", source="x").id == Example.pair("q", "a", source="y").id
    assert Example.pair("q", "a").id != Example.pair("q", "a", context="c").id


def test_noise_is_an_interval_that_holds_zero_or_a_large_p():
    cases = [(-0.01, 0.01), (0.01, 0.01), (0.01, 0.05)]
    made = [Comparison("a", "b", "t", "c", "f1", 9, 0.1, low, 0.2, p).is_noise for low, p in cases]
    assert made == [True, False, True]


def test_training_and_asking_use_the_same_words():
    example = Example.pair("How long?", "Four days.", context="Dock passage.")
    asked = prompts.ask("How long?", "Be brief", "Dock passage.")
    assert prompts.conversation(example, "Be brief", with_context=True) == [*asked, Message("assistant", "Four days.")]
    assert prompts.conversation(example) == example.messages


def test_an_example_keeps_its_own_system_text():
    own = Example.make([Message("system", "mine"), Message("user", "q"), Message("assistant", "a")])
    assert prompts.conversation(own, "the recipe's")[0] == Message("system", "mine")
