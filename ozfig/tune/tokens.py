"""What the model is trained on: conversations as token ids, with a loss on the assistant's words only.

The tokenizer's own chat template renders everything, so that training sees what inference will send.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import TemplateError

from ozfig import console, prompts
from ozfig.engines.loading import common_prefix
from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.types import Example, Message

IGNORED = -100
SHORTEST_PASSAGE = 80  # characters; a stump says less than no passage


@dataclass(frozen=True)
class Row:
    """A tokenised conversation: `labels[t]` is `ids[t]` where the loss counts, else IGNORED; the first never counts."""

    ids: list[int]
    labels: list[int]

    @property
    def trained(self) -> int:
        """Tokens with a loss."""
        return sum(label != IGNORED for label in self.labels)

    @property
    def longest(self) -> int:
        """Tokens of the longer side: of what is read or, where that is another text, of what is written."""
        return max(len(self.ids), len(self.labels))


Encode = Callable[[Sequence[Message]], list[Row]]


@dataclass(frozen=True)
class TokenSet:
    """The rows of a data set, those only measured on, the longest length allowed, and what had to give way.

    `left_out` counts examples by further reasons, those of a head.
    """

    rows: list[Row]
    max_length: int
    cut: int
    dropped_long: int
    without_loss: int
    validation: list[Row] = field(default_factory=list)
    rows_cut: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


def render(tokenizer: Any, messages: Sequence[Message], prompt: bool = False) -> list[int]:
    """Token ids of messages; `prompt` adds what stands before a reply.

    Raises UserError when the template refuses the messages.
    """
    turns = [{"role": m.role, "content": m.content} for m in messages]
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=prompt)
    except TemplateError as error:
        mend = ' (if it takes no system text, set system: "")' if messages[0].role == "system" else ""
        roles = ", ".join(m.role for m in messages)
        raise UserError(f"the base's chat template refuses the turns {roles}: {error}{mend}") from None
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def encode(tokenizer: Any, messages: Sequence[Message], every_turn: bool = True) -> list[Row]:
    """Rows that train every assistant turn after a question, or the last: its content and the marker that ends it.

    A turn is what the conversation up to it has beyond the prompt for it, token by token. Usually one
    row holds all turns. Where a template renders old turns in another way than the latest (it may drop
    reasoning), each turn gets a row of its own, which is what the model will see when it answers.
    """
    turns = [
        i
        for i, m in enumerate(messages)
        if m.role == "assistant" and any(earlier.role == "user" for earlier in messages[:i])
    ]
    if not turns:
        return []
    turns = turns if every_turn else turns[-1:]
    whole = render(tokenizer, messages[: turns[-1] + 1])
    labels = [IGNORED] * len(whole)
    for i in turns:
        upto = whole if i == turns[-1] else render(tokenizer, messages[: i + 1])
        if common_prefix(whole, upto) < len(upto):
            return [row for turn in turns for row in [_last_turn(tokenizer, messages[: turn + 1])] if row.trained]
        start = common_prefix(whole, render(tokenizer, messages[:i], prompt=True))
        labels[start : len(upto)] = whole[start : len(upto)]
    row = _ended(tokenizer, Row(whole, labels))
    return [row] if row.trained else []


def _last_turn(tokenizer: Any, messages: Sequence[Message]) -> Row:
    """A row that trains the last message alone."""
    ids = render(tokenizer, messages)
    start = common_prefix(ids, render(tokenizer, messages[:-1], prompt=True))
    return _ended(tokenizer, Row(ids, [IGNORED] * start + ids[start:]))


def _ended(tokenizer: Any, row: Row) -> Row:
    """The row with an end-of-text token where the template sets no end marker: the model has to learn to stop."""
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special} | {tokenizer.eos_token_id}
    labels = [IGNORED, *row.labels[1:]]
    # a line break may follow the marker
    if tokenizer.eos_token_id is None or special & set(labels[-2:]):
        return Row(row.ids, labels)
    return Row([*row.ids, tokenizer.eos_token_id], [*labels, tokenizer.eos_token_id])


def _shortened(example: Example, size: int) -> Example:
    """The example with about `size` characters of its passage: those around the answer, or the first ones."""
    text = example.context
    at = text.find(example.answer)
    middle = at + len(example.answer) // 2 if at >= 0 else 0
    start = min(max(middle - size // 2, 0), len(text) - size)
    part = text[start : start + size]
    if start:
        part = part.split(" ", 1)[-1]
    if start + size < len(text):
        part = part.rsplit(" ", 1)[0]
    return Example.make(example.messages, context=part, answers=example.answers)


def _fitted(encode: Encode, example: Example, system: str, with_context: bool, limit: int) -> tuple[list[Row], bool]:
    """The rows of one form of an example, none longer than `limit`, and whether its passage was cut.

    Rows that cannot be made to fit come back as they are, too long.
    """
    size, shorter = len(example.context), example
    while True:
        rows = encode(prompts.conversation(shorter, system, with_context))
        longest = max((row.longest for row in rows), default=0)
        if longest <= limit or not with_context:
            return rows, shorter is not example
        # the passage has at most all of the tokens, so this many characters are too many
        size -= max(8, (longest - limit) * size // longest)
        if size < SHORTEST_PASSAGE:
            return rows, False
        shorter = _shortened(example, size)


def encode_all(
    examples: Sequence[Example], tokenizer: Any, section: Tune, system: str, context_length: int
) -> TokenSet:
    """Tokenise a data set for a causal model. `context_length` is the most tokens that the model can read.

    Raises UserError when `max_length` is beyond it or when no row with a trained token is left.
    """
    every_turn = section.loss_on == "every_turn"
    return encode_each(
        examples, lambda messages: encode(tokenizer, messages, every_turn), section, system, context_length
    )


def limit_of(section: Tune, context_length: int) -> int:
    """The longest row that is allowed. Raises UserError for more than the model can read."""
    if section.max_length == "auto":
        return context_length
    if section.max_length > context_length:
        raise UserError(f"tune.max_length: {section.max_length} is more than the base can read: {context_length}")
    return section.max_length


def encode_each(
    examples: Sequence[Example], encode: Encode, section: Tune, system: str, context_length: int
) -> TokenSet:
    """Each example in the forms that the recipe wants, by `encode`; raises UserError as `encode_all` does."""
    limit, may_cut = limit_of(section, context_length), section.too_long == "cut"
    sides: dict[bool, list[Row]] = {False: [], True: []}
    cut = rows_cut = dropped_long = without_loss = 0
    with console.bar("tokens", total=len(examples), unit="examples") as bar:
        for example in examples:
            for with_context in section.forms(example.id, bool(example.context)):
                found, was_cut = _fitted(encode, example, system, with_context, limit)
                fitting = [part for row in found for part in _within(row, limit, may_cut)]
                sides[is_validation(example, section)] += fitting
                cut += was_cut
                rows_cut += sum(row.longest > limit for row in found) if may_cut else 0
                without_loss += not found
                dropped_long += len(fitting) < len(found)
            bar.advance()
    rows, validation = sides.values()
    if not rows:
        raise UserError(
            f"every label is masked: of {len(examples)} training examples {dropped_long} rows are longer than "
            f"{limit} tokens and {without_loss} have no assistant's answer to a user's question"
        )
    longest = max(row.longest for row in [*rows, *validation])
    most = longest if section.max_length == "auto" else section.max_length
    return TokenSet(rows, most, cut, dropped_long, without_loss, validation, rows_cut)


def _within(row: Row, limit: int, cut: bool) -> list[Row]:
    """The row if it fits; else its beginning where `cut` allows that and something of it is trained, or nothing."""
    if row.longest > limit and cut:
        row = Row(row.ids[:limit], row.labels[:limit])
    return [row] if row.longest <= limit and row.trained else []


def is_validation(example: Example, section: Tune) -> bool:
    """Whether an example is only measured on; its id is a hash, whose end `Tune.forms` does not use."""
    return int(example.id[-8:], 16) < section.validation_share * 16**8


def show(rows: Sequence[Row], tokenizer: Any, n: int = 6) -> list[list[tuple[str, bool]]]:
    """`n` rows spread over the data, each as runs of (text, trained): how a person sees what the loss counts."""
    shown = rows[:: max(1, len(rows) // n)][:n]
    return [_runs(row, tokenizer) for row in shown]


def _runs(row: Row, tokenizer: Any) -> list[tuple[str, bool]]:
    """A row's text, cut where training starts and stops."""
    trained = [label != IGNORED for label in row.labels]
    ends = [i + 1 for i in range(len(trained)) if i + 1 == len(trained) or trained[i] != trained[i + 1]]
    runs, done = [], ""
    for end in ends:
        # decoding a run alone would lose its leading space
        text = tokenizer.decode(row.ids[:end], skip_special_tokens=False)
        runs.append((text[len(done) :], trained[end - 1]))
        done = text
    return runs
