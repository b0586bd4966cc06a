"""How a question, a passage and a system text become messages: once, for tuning, evaluation and chat."""

from __future__ import annotations

import difflib
import re

from jinja2 import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ozfig.errors import UserError
from ozfig.types import Example, Message

WITH_PASSAGE = "{passage}\n\n{question}"
# for a model whose tokenizer brings no chat template, and for those who want another one
QUESTION_ANSWER = (
    "{{ bos_token or '' }}"
    "{% for message in messages %}"
    "{% if not loop.first %}{{ '\\n' }}{% endif %}"
    "{% if message['role'] == 'user' %}question: {% elif message['role'] == 'assistant' %}answer: {% endif %}"
    "{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token or '' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\nanswer:' }}{% endif %}"
)
# a reply ends with the model's own end marker: one that it does not know would be text that it writes out
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] }}"
    "{{ (eos_token or '<|im_end|>') if message['role'] == 'assistant' else '<|im_end|>' }}{{ '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
ALPACA = (
    "{{ bos_token or '' }}"
    "{% for message in messages %}"
    "{% if not loop.first %}{{ '\\n\\n' }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '### Instruction:\\n' + message['content'] }}"
    "{% elif message['role'] == 'assistant' %}{{ '### Response:\\n' + message['content'] + (eos_token or '') }}"
    "{% else %}{{ message['content'] }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\n\\n### Response:\\n' }}{% endif %}"
)
TEMPLATES = {"question_answer": QUESTION_ANSWER, "chatml": CHATML, "alpaca": ALPACA}
# what an encoder reads; the decoder writes the reply alone
PLAIN = "{% for message in messages %}{{ '' if loop.first else '\n' }}{{ message['content'] }}{% endfor %}"


def template(name: str) -> str:
    """The chat template of a name, or the Jinja text itself. Raises UserError for one that is neither."""
    if name in TEMPLATES:
        return TEMPLATES[name]
    if "{%" not in name and "{{" not in name:
        near = difflib.get_close_matches(name, TEMPLATES, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(TEMPLATES)}, or a Jinja text"
        raise UserError(f"tune.template: {name!r}: unknown; {hint}")
    try:
        ImmutableSandboxedEnvironment().parse(name)
    except TemplateSyntaxError as error:
        raise UserError(f"tune.template: line {error.lineno}: {error.message}") from None
    return name


def ask(question: str, system: str = "", passage: str = "") -> list[Message]:
    """The messages that put a question to a model, with the passage before it where there is one."""
    content = WITH_PASSAGE.format(passage=passage.strip(), question=question) if passage else question
    return [*([Message("system", system)] if system else []), Message("user", content)]


def filled(template: str, **values: str) -> str:
    """A template with its `{name}` places filled in; braces within the values are text."""
    places = "|".join(map(re.escape, values))
    return re.sub(rf"\{{({places})\}}", lambda place: values[place[1]], template)


def taken_apart(content: str) -> tuple[str, str]:
    """The passage and the question of a user's turn that `ask` made; no passage where no empty line parts the two."""
    passage, _, question = content.rpartition("\n\n")
    return passage.strip(), question.strip()


def conversation(example: Example, system: str = "", with_context: bool = False) -> list[Message]:
    """An example's messages as a model sees them; the passage, if wanted, stands before the last question.

    A system text of the example's own wins over the recipe's.
    """
    own = [m for m in example.messages if m.role == "system"]
    turns = [m for m in example.messages if m.role != "system"]
    last = max((i for i, m in enumerate(turns) if m.role == "user"), default=-1)
    if with_context and example.context and last >= 0:
        turns[last] = ask(turns[last].content, passage=example.context)[0]
    return [*(own or ([Message("system", system)] if system else [])), *turns]
