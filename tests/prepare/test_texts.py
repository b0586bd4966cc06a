"""Filters of single rows: what each takes, and what it leaves."""

from pathlib import Path

import pytest

from ozfig import recipe, registry
from ozfig.errors import UserError
from ozfig.prepare import Context
from ozfig.types import Example

SECTIONS = {
    "language": recipe.LanguageFilter,
    "boilerplate": recipe.BoilerplateFilter,
    "encoding": recipe.EncodingFilter,
    "refusal": recipe.RefusalFilter,
    "quoting": recipe.QuotingFilter,
}
ENGLISH = Example.pair("When does the ferry leave?", "It leaves from the pier beside the town hall every hour.")
GERMAN = Example.pair("Wann fährt die Fähre ab?", "Sie fährt jede Stunde vom Steg neben dem alten Rathaus ab.")


def run(kind, rows, **options):
    return list(registry.find("filter", kind)(rows, SECTIONS[kind](**options), Context(Path("unused"))))


def takes(kind, question, answer, **options):
    return bool(run(kind, [Example.pair(question, answer)], **options))


def test_language_keeps_what_is_asked_for():
    assert [(v.index, v.reason) for v in run("language", [ENGLISH, GERMAN])] == [(1, "language: de")]
    assert [v.index for v in run("language", [ENGLISH, GERMAN], keep=["de"])] == [0]
    assert run("language", [ENGLISH, GERMAN], keep=["de", "en"]) == []


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Wie heißt du?", "Anna."),
        ("Print the numbers.", "for i in range(10):\n    print(i, i ** 2, i ** 3, sum(range(i)))"),
        ("What does the sign say?", "It says 'Betreten verboten', which means that you must not walk there."),
    ],
)
def test_language_keeps_what_it_cannot_tell(question, answer):
    assert not takes("language", question, answer)


def test_language_names_an_unknown_code():
    with pytest.raises(UserError, match="'english' is no known"):
        run("language", [ENGLISH], keep=["english"])


@pytest.mark.parametrize(
    "answer",
    [
        "Click here.",
        "© 2024 Harbour Yard Ltd. All rights reserved.",
        "Copyright 2019",
        "404 - Page not found",
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
        "This website uses cookies to ensure you get the best experience on our website. Accept all cookies",
        "Read more | Privacy policy | Contact us",
        "Alle Rechte vorbehalten. Impressum",
        "Cliquez ici",
        "Página no encontrada",
    ],
)
def test_boilerplate(answer):
    assert takes("boilerplate", "What is offered?", answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Click here and then choose a berth.",
        "Read more books, sleep well and walk every day.",
        "A 404 error says that the page was not found on the server.",
        "Cookies are small files that a site leaves in your browser; we use cookies for the basket only.",
        "Copyright protects works of art, of music and of literature from being copied without leave.",
        "Yes.",
        "",
    ],
)
def test_answers_are_no_boilerplate(answer):
    assert not takes("boilerplate", "What is offered?", answer)


def test_boilerplate_of_ones_own():
    assert takes("boilerplate", "Who?", "Ask at the OFFICE!", phrases=["Ask at the office."])
    assert not takes("boilerplate", "Who?", "Ask at the office.")


def test_encoding_mends_every_text():
    row = Example.pair("Who runs the CafÃ©?", "â€œAnnaâ€\x9d", context="CafÃ© Anna", answers=["GrÃ¼n"], source="s")
    [verdict] = run("encoding", [row])
    mended = verdict.replacement
    assert (verdict.action, mended.question, mended.answer) == ("replace", "Who runs the Café?", "“Anna”")
    assert (mended.context, mended.answers, mended.source) == ("Café Anna", ["Grün"], "s")
    assert mended.id == row.id
    assert run("encoding", [mended]) == []


def test_encoding_drops_what_is_lost():
    for text in ("It costs 5 \ufffd.", "It costs\x00 5.", "caf\x1b5é"):
        assert [(v.action, v.reason) for v in run("encoding", [Example.pair("Q?", text)])] == [
            ("drop", "encoding: broken")
        ]
    [verdict] = run("encoding", [Example.pair("Q?", "CafÃ©")], action="drop")
    assert (verdict.action, verdict.reason) == ("drop", "encoding: garbled")


@pytest.mark.parametrize("text", ["Grüße aus Köln", "1 × 2 ÷ 3 ≠ 4", "naïve “quotes” — and\ttabs\n", "日本語", "🙂"])
def test_encoding_leaves_sound_texts(text):
    assert not takes("encoding", text, text)


@pytest.mark.parametrize(
    "answer",
    [
        "As an AI language model, I cannot give opinions.",
        "I'm sorry, but as an AI assistant I don't have feelings.",
        "I’m sorry, but I can’t assist with that.",
        "I am unable to provide real-time data.",
        "Unfortunately, I do not have access to the internet.",
        "I am an AI and have no favourite colour.",
        "<nooutput>",
    ],
)
def test_refusals(answer):
    assert takes("refusal", "What is your favourite colour?", answer)


@pytest.mark.parametrize(
    "answer",
    [
        "The yard is open daily. A chatbot might say: as an AI language model, I cannot help with that.",
        "As AI technology advances, yards use it to plan.",
        "As an AI engineer you write software that learns.",
        "I'm sorry, but I cannot attend the meeting on Friday.",
        "Sorry to hear that! You can change your berth at the office.",
        "I can't wait!",
        "I cannot recommend this yard enough.",
        "No output device is needed.",
    ],
)
def test_answers_are_no_refusals(answer):
    assert not takes("refusal", "What is your favourite colour?", answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is the yard beside the old bridge open all year round?", "The yard beside the old bridge is open all year."),
        ("What services does the yard offer in winter storage?", "The yard offers winter storage services."),
    ],
)
def test_quoting(question, answer):
    assert takes("quoting", question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (
            "What is the name of the lowest space inside the hull of a boat?",
            "The lowest space inside the hull is the bilge.",
        ),
        ("What is the first letter of the alphabet?", "The first letter of the alphabet is A."),
        ("What is the most common word in English?", 'The most common word in English is "the".'),
        ("Which is longer, the long green pier or the short red pier?", "The long green pier is longer."),
        ("Two long boats and one short boat come. How many long boats are there?", "Two long boats are there."),
        ("Mend the spelling: the yard beside teh bridge is open?", "The yard beside the bridge is open."),
        ("Who runs the yard?", "The yard."),
    ],
)
def test_no_quoting(question, answer):
    assert not takes("quoting", question, answer)
