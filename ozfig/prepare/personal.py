"""Personal data and secrets: e-mail addresses, telephone numbers, keys and passwords, payment cards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ozfig.prepare import Context, Verdict
from ozfig.prepare.texts import rewritten
from ozfig.recipe import PersonalFilter
from ozfig.types import Example

EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.)+[A-Za-z]{2,24}\b(?!@)"
)
# shapes that the issuers document, and what stands after a name such as "password ="
KEY = re.compile(
    r"""-----BEGIN\ (?:[A-Z]+\ )*PRIVATE\ KEY(?:\ BLOCK)?-----[\s\S]*?(?:-----END\ [A-Z ]*PRIVATE\ KEY[A-Z ]*-----|\Z)
    |\b(?:AKIA|ASIA)[0-9A-Z]{16}\b                              # Amazon
    |\bAIza[0-9A-Za-z_-]{35}                                    # Google
    |\bgh[pousr]_[0-9A-Za-z]{36,}|\bgithub_pat_[0-9A-Za-z_]{40,} # GitHub
    |\bglpat-[0-9A-Za-z_-]{20,}                                 # GitLab
    |\bxox[abeoprs]-[0-9A-Za-z-]{10,}                           # Slack
    |\b[srp]k_(?:live|test)_[0-9A-Za-z]{16,}                    # Stripe
    |\bsk-(?=[\w-]*\d)(?:[a-z]+-)*[0-9A-Za-z_-]{20,}            # OpenAI, Anthropic
    |\bhf_[A-Za-z0-9]{30,}|\bnpm_[A-Za-z0-9]{36}\b              # Hugging Face, npm
    |\bSG\.[\w-]{16,}\.[\w-]{16,}                               # SendGrid
    |\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}                    # JSON Web Token
    |(?<=://)[^\s/:@]+:[^\s/:@]+(?=@[\w.-]+)                    # user:password@host
    """,
    re.VERBOSE,
)
# no key is without one of these: most texts need no closer look
HINTS = ("_", "-----BEGIN", "AKIA", "ASIA", "AIza", "glpat-", "xox", "sk-", "SG.", "eyJ", "://")
SECRET_HINT = re.compile(r"(?i)pass|pwd|secret|key|token")
DIGITS = re.compile(r"\d(?:.?.?\d){6}", re.DOTALL)
NAMED_SECRET = re.compile(
    r"""(?ix)(?<![a-z])((?:password|passwd|pwd|passphrase|passcode|secret|(?:api|access|secret|private)[_ -]?key
    |(?:access|auth|bearer|api)[_ -]?token)["']?\s*(?:=|:|\bis\b:?)\s*["'`]?)([^\s"'`,;<>(){}\[\]]{6,})(?![(\w])"""
)
CARD = re.compile(r"(?<![\d.+-])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{1,7}|3[47]\d{2}([ -]?)\d{6}\2\d{5})(?![\d-])")
ISSUERS = re.compile(r"4|5[1-5]|2[2-7]|3[4-7]|6(?:011|4[4-9]|5|2)")
NUMBER = re.compile(r"(?<![\w.,/+$€£¥-])(?:\+|\()?\d[\d ()./\u00a0-]{5,22}\d(?![\w-]|[.,/]\d)")
PHONE_WORD = re.compile(
    r"(?i)\b(?:tel|telephone|phone|mobile|cell|call|fax|whatsapp|text|dial|ring|telefon|téléphone)\b[^\d\n]{0,25}$"
)
NOT_PHONE_WORD = re.compile(r"(?i)(?:isbn|issn|doi|id|no\.?|nr\.?|number|order|serial|version|[$€£¥])[^\d\n]{0,6}$")
# day, month and year in any order; network addresses; thousands; one sign between numbers of one or two digits
NO_PHONE = re.compile(
    r"\d{4}([-./ ])\d{1,2}\1\d{1,2}.*|\d{1,2}([-./ ])\d{1,2}\2\d{4}.*|\d{4} ?- ?\d{4}|(?:\d{1,3}\.){3}\d{1,3}|"
    r"\d{1,3}(?:([ .])\d{3})+|97[89][- ]?\d.*|(?:\d{1,2}\D+)*\d{1,2}"
)
# national numbers as people write them: North American; with the trunk prefix 0
NATIONAL = re.compile(
    r"(?:1[-. ])?(?:\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}([-.])\d{3}\1\d{4}|[2-9]\d{2} [2-9]\d{2}[ -]\d{4})|"
    r"\(?0\d{1,4}\)?[ /-]\d{2,8}(?:[ -]\d{2,5}){0,4}"
)


def personal(rows: Sequence[Example], section: PersonalFilter, context: Context) -> Iterator[Verdict]:
    """Mask personal data in every text of a row, or drop the row; the reason names what was found."""
    for i, row in enumerate(rows):
        mask = Mask(section)
        replacement = rewritten(row, mask)
        if found := mask.found:
            reason = f"personal: {', '.join(sorted(found))}"
            if section.action == "drop":
                yield Verdict(i, reason)
            else:
                yield Verdict(i, reason, "replace", replacement=replacement)


class Mask:
    """Masks what a filter looks for in texts; `found` are the kinds that were met."""

    def __init__(self, section: PersonalFilter) -> None:
        self.found: set[str] = set()
        self._masks = [(kind, mask) for kind, mask in MASKS if kind in section.find]

    def __call__(self, text: str) -> str:
        """The text with [email] and the like in place of what was found."""
        for kind, mask in self._masks:
            before, text = text, mask(text)
            if text != before:
                self.found.add(kind)
        return text


def luhn(digits: str) -> bool:
    """Whether the check digit of a payment card's number is right (ISO/IEC 7812-1)."""
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _emails(text: str) -> str:
    return EMAIL.sub("[email]", text) if "@" in text else text


def _keys(text: str) -> str:
    if any(hint in text for hint in HINTS):
        text = KEY.sub("[key]", text)
    if SECRET_HINT.search(text):
        text = NAMED_SECRET.sub(lambda m: f"{m[1]}[key]" if _secret(m[2]) else m[0], text)
    return text


def _secret(value: str) -> bool:
    """Whether a value after "password:" is one, and no word, name of a variable or placeholder."""
    letters, others = re.search(r"[A-Za-z]", value), re.search(r"[\d!@#$%^&*?~+]", value)
    return bool(letters and others) and not re.match(r"(?i)[$%]|\*+|x{4,}|.*(your|example|placeholder|\.\w+\()", value)


def _cards(text: str) -> str:
    def mask(found: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", found[0])
        fits = 13 <= len(digits) <= 19 and len(set(digits)) > 1
        return "[card]" if fits and ISSUERS.match(digits) and luhn(digits) else found[0]

    return CARD.sub(mask, text) if DIGITS.search(text) else text


def _phones(text: str) -> str:
    def mask(found: re.Match[str]) -> str:
        number, before = found[0], text[max(0, found.start() - 40) : found.start()]
        return "[phone]" if _is_phone(number, before) else number

    return NUMBER.sub(mask, text) if DIGITS.search(text) else text


def _is_phone(number: str, before: str) -> bool:
    """Whether digits are a telephone number, by their own shape and by the words before them.

    7 digits are the shortest local number, 15 the longest international one (ITU-T E.164).
    """
    digits = re.sub(r"\D", "", number)
    named = PHONE_WORD.search(before)
    if number.startswith("+"):
        return 8 <= len(digits) <= 15
    if NO_PHONE.fullmatch(number) or (NOT_PHONE_WORD.search(before) and not named):
        return False
    if NATIONAL.fullmatch(number):
        return 9 <= len(digits) <= 12
    return bool(named) and 7 <= len(digits) <= 15


MASKS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("key", _keys),
    ("email", _emails),
    ("card", _cards),
    ("phone", _phones),
)
