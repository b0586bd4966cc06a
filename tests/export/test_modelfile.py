import re

import pytest

from ozfig import prompts
from ozfig.engines.loading import load_tokenizer
from ozfig.export import modelfile
from ozfig.types import Message

LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + "
    "m['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
TALK = [
    Message("system", "S"),
    Message("user", 'a "quoted" one'),
    Message("assistant", "two"),
    Message("user", "3\nlines"),
]


def rendered(template: str, messages) -> str:
    """Go's text/template for the few actions that are written: if and else if over eq, strings, variables."""
    head, _, tail = template.partition("{{ range .Messages }}")
    assert head == '{{ $before := "" }}'
    body, end, reply = tail.partition("{{ $before = .Role }}{{ end }}")
    assert end
    before, said = "", ""
    for message in messages:
        values = {"$before": before, ".Role": message.role, ".Content": message.content}
        said += go(re.findall(r"\{\{ (.+?) \}\}", body), values)
        before = message.role
    return said + go(re.findall(r"\{\{ (.+?) \}\}", reply), {})


def go(actions: list[str], values: dict[str, str]) -> str:
    """What a flat list of actions prints; each open `if` holds whether it prints and whether a branch was taken."""
    import json

    said, stack = "", []
    for action in actions:
        if test := re.fullmatch(r"(else )?if eq (\S+) (\".*\")", action):
            taken = stack.pop()[1] if test[1] else False
            holds = values[test[2]] == json.loads(test[3])
            stack.append((holds and not taken, holds or taken))
        elif action == "end":
            stack.pop()
        elif all(prints for prints, _ in stack):
            said += values[action] if action in values else json.loads(action)
    assert not stack
    return said


@pytest.mark.parametrize("name", ["question_answer", "chatml", "alpaca", "own", LLAMA3])
def test_the_go_template_frames_as_the_chat_template_does(name, pebble):
    tokenizer = load_tokenizer(pebble, "" if name == "own" else prompts.TEMPLATES.get(name, name))
    found = modelfile.go_template(tokenizer)
    assert "\n" not in found
    for talk in (TALK, TALK[1:], TALK[:2], TALK[1:2]):
        rows = [m.to_row() for m in talk]
        expected = tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=True)
        assert rendered(found, talk) == expected.removeprefix("<s>")


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ loop.index }}{{ m['content'] }}{% endfor %}",  # counts
        "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}",
        "{{ raise_exception('no system') if messages[0]['role'] == 'system' }}{{ messages[-1]['content'] }}",
        "{{ strftime_now('%d') }}{% for m in messages %}{{ m['content'] }}{% endfor %}",
    ],
)
def test_a_template_that_does_more_is_left_to_ollama(template, pebble):
    assert modelfile.go_template(load_tokenizer(pebble, template)) == ""


def test_the_file_names_the_model_the_system_text_and_the_end_marker(exported):
    text = (exported[0] / "Modelfile").read_text()
    assert text.startswith("FROM ./site.Q4_K_M.gguf\nTEMPLATE ")
    assert 'SYSTEM """Be brief."""\nPARAMETER stop "</s>"\n' in text
