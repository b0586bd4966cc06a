"""Personal data and secrets: masked where they are, and nothing else."""

from pathlib import Path

import pytest

from ozfig.prepare import Context
from ozfig.prepare.personal import luhn, personal
from ozfig.recipe import PersonalFilter
from ozfig.types import Example


def run(*texts, **options):
    rows = [Example.pair("Which?", text) for text in texts]
    return list(personal(rows, PersonalFilter(**options), Context(Path("unused"))))


def masked(text):
    verdicts = run(text)
    return verdicts[0].replacement.answer if verdicts else text


TOKEN = "Ab3" * 12


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to anna.b+news@mail.example.co.uk.", "Write to [email]."),
        ("Call +44 20 7946 0958 or (555) 123-4567.", "Call [phone] or [phone]."),
        ("Call 555-123-4567!", "Call [phone]!"),
        ("Our office: 030 12345678", "Our office: [phone]"),
        ("Telephone: 555-1234", "Telephone: [phone]"),
        ("My phone number is 2125551234", "My phone number is [phone]"),
        ("Card 4111 1111 1111 1111, please", "Card [card], please"),
        ("amex 378282246310005", "amex [card]"),
        ("key AKIAIOSFODNN7EXAMPLE here", "key [key] here"),
        (f"ghp_{TOKEN}", "[key]"),
        (f"export OPENAI_API_KEY=sk-proj-{TOKEN}", "export OPENAI_API_KEY=[key]"),
        ("Password: hunter2secret!", "Password: [key]"),
        ('{"api_key": "8f14e45fceea167a"}', '{"api_key": "[key]"}'),
        ("postgres://anna:s3cret@db.example/app", "postgres://[key]@db.example/app"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----\nend", "[key]\nend"),
    ],
)
def test_what_is_masked(text, expected):
    assert masked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "From 2023-11-05 to 05.11.2024, or 11/05/2024 at 10:30.",
        "It costs $1,250,000 or 1.250.000 or 12 500 000 in all.",
        "ISBN 978-3-16-148410-0 and ISBN 0-306-40615-2",
        "978 3 16 148410 0",
        "The server is at 192.168.100.200.",
        "1 2 3 4 5 6 7 8 9 10 11 12",
        "1939-1945 and 1914 - 1918",
        "pi is 3.14159265358979",
        "Order no. 1234567890",
        "4111 1111 1111 1112 is no card",
        "0000 0000 0000 0000",
        "user@localhost and @anna and anna@",
        "password = input('Password: ')",
        "Choose a password: at least eight characters.",
        "token = your_token_123",
        "api_key=${API_KEY_2}",
        "a sk-8 bus and task-based work",
        "see https://example.com:8080/path@2",
    ],
)
def test_what_is_left(text):
    assert masked(text) == text


def test_every_text_of_a_row_and_the_reason():
    row = Example.pair("I am a@b.org", "Hello", context="c@d.org, +1 212 555 0123", answers=["e@f.org"], origin="o")
    [verdict] = personal([row], PersonalFilter(), Context(Path("unused")))
    new = verdict.replacement
    assert (verdict.action, verdict.reason) == ("replace", "personal: email, phone")
    assert (new.question, new.context, new.answers, new.origin) == (
        "I am [email]",
        "[email], [phone]",
        ["[email]"],
        "o",
    )
    assert list(personal([new], PersonalFilter(), Context(Path("unused")))) == []


def test_drop_and_choice_of_kinds():
    assert [v.action for v in run("a@b.org", "nothing", action="drop")] == ["drop"]
    assert run("a@b.org", find=["phone"]) == []


def test_luhn():
    assert luhn("79927398713")
    assert not any(luhn(f"7992739871{digit}") for digit in "012456789")
