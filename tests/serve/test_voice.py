"""Voice in a real browser with a microphone that beeps: record, see it written down, hear an answer."""

import pytest

from .test_page import expect
from .test_pages import chat  # noqa: F401

VOICE = """
const said = [];
window.said = said;
Object.defineProperty(window, "speechSynthesis", { value: {
  getVoices: () => [{ name: "Test", lang: "en" }], speak: (one) => said.push(one.text), cancel: () => said.push(null),
} });
"""


@pytest.fixture
def tab(open_tab, several):
    return open_tab(several)


def test_a_clip_is_written_down_and_waits_to_be_sent(tab):
    tab.goto("/")
    tab.fill("#question", "Tell me:")
    tab.click("#record")
    expect(tab.locator("#record")).to_have_attribute("aria-pressed", "true")
    tab.wait_for_timeout(600)
    tab.click("#record")
    expect(tab.locator("#question")).to_have_value("Tell me: What is a harbour?")
    expect(tab.locator("#question")).to_be_focused()
    assert not tab.locator("#recording").is_visible()
    assert tab.locator(".turn").count() == 0
    assert tab.locator("#send").is_enabled()


def test_escape_throws_a_clip_away(tab):
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto("/")
    tab.click("#record")
    tab.wait_for_selector("#recording:visible")
    tab.keyboard.press("Escape")
    tab.wait_for_selector("#recording", state="hidden")
    tab.wait_for_timeout(300)
    assert not [url for url in asked if "transcriptions" in url]
    expect(tab.locator("#question")).to_have_value("")


def test_nothing_is_offered_that_the_server_cannot_do(open_tab, served):
    tab = open_tab(served)
    tab.goto("/")
    assert tab.locator("#record, [name=documents]").count() == 0


def test_an_answer_is_read_aloud_where_there_are_voices(tab, chat):  # noqa: F811
    tab.goto(f"/chat/{chat[0]}")
    voices = tab.evaluate("speechSynthesis.getVoices().length")
    assert tab.locator(".answer .speak").first.is_visible() == (voices > 0)
    tab.add_init_script(VOICE)
    tab.reload()
    button = tab.locator(".answer .speak").first
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    [text] = tab.evaluate("said")
    assert text.startswith("A berth costs £3.20 per metre")
    assert "ahoy" not in text
    tab.keyboard.press("Escape")
    expect(button).to_have_attribute("aria-pressed", "false")
    assert tab.evaluate("said.at(-1)") is None
