"""How a question, a passage and a system text become messages: once, for tuning, evaluation and chat."""

from __future__ import annotations

from ozfig.types import Example, Message

WITH_PASSAGE = "{passage}\n\n{question}"
# for a model whose tokenizer brings no chat template
PLAIN_TEMPLATE = (
    "{{ bos_token or '' }}"
    "{% for message in messages %}"
    "{% if not loop.first %}{{ '\\n' }}{% endif %}"
    "{% if message['role'] == 'user' %}question: {% elif message['role'] == 'assistant' %}answer: {% endif %}"
    "{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token or '' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\nanswer:' }}{% endif %}"
)


def ask(question: str, system: str = "", passage: str = "") -> list[Message]:
    """The messages that put a question to a model, with the passage before it where there is one."""
    content = WITH_PASSAGE.format(passage=passage.strip(), question=question) if passage else question
    return [*([Message("system", system)] if system else []), Message("user", content)]


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
