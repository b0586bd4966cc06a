"""The chat page in a real browser: what a person does, and what the browser complains about."""

import sqlite3

import pytest

from ozfig.web import render

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra: render)")
CHROMIUM = render.program()
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine (Debian: apt-get install chromium)")
HOSTILE = (
    '<img src=x onerror="window.broken=1">\n\n<script>window.broken=1</script>\n\n[go](javascript:window.broken=1)'
)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=render.switches())
        yield browser
        browser.close()


@pytest.fixture
def tab(browser, served):
    """A page that fails the test when it logs an error or asks another host."""
    context = browser.new_context(base_url=served.url, permissions=["clipboard-read", "clipboard-write"])
    page, bad = context.new_page(), []
    page.on("console", lambda said: bad.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: bad.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(served.url) else bad.append(asked.url))
    yield page
    context.close()
    assert bad == []


def expect(locator):
    return playwright.expect(locator)


def being_written(page):
    # looked for at every frame: a small model is done within a second
    page.wait_for_selector("[data-status=streaming] .body:not(:empty)")


def answered(page):
    page.wait_for_selector("#send:not(.stop)")
    return page.locator(".answer").last


def test_ask_stream_reload_copy(tab):
    tab.goto("/")
    tab.fill("#question", "What is\nwater?")
    tab.keyboard.press("Enter")
    being_written(tab)
    assert tab.locator("#send").inner_text() == "Stop"
    answer = answered(tab)
    assert answer.get_attribute("data-status") == "complete"
    assert " s" in answer.locator(".meta").inner_text()
    assert "/chat/" in tab.url
    assert tab.title().startswith("What is water?")
    tab.locator(".copy").click()
    expect(tab.locator(".copy")).to_have_text("Copied")
    assert tab.evaluate("navigator.clipboard.readText()") == answer.get_attribute("data-text")
    shown = answer.inner_html()
    tab.reload()
    assert tab.locator(".bubble").inner_text() == "What is\nwater?"
    assert tab.locator(".answer .body").inner_html() in shown
    assert tab.locator(".list [aria-current]").inner_text() == "What is water?"


def test_escape_stops_and_shift_enter_does_not_send(tab):
    tab.goto("/")
    tab.locator("#question").press_sequentially("Tell me")
    tab.keyboard.press("Shift+Enter")
    tab.locator("#question").press_sequentially("everything")
    assert tab.locator(".turn").count() == 0
    tab.keyboard.press("Enter")
    being_written(tab)
    tab.keyboard.press("Escape")
    answer = answered(tab)
    assert answer.get_attribute("data-status") == "interrupted"
    assert "interrupted" in answer.inner_text()
    assert tab.locator(".bubble").inner_text() == "Tell me\neverything"


def test_a_reload_in_the_middle_follows_on(tab):
    tab.goto("/")
    tab.fill("#question", "Tell me everything about it")
    tab.keyboard.press("Enter")
    being_written(tab)
    tab.reload()
    answer = answered(tab)
    tab.wait_for_selector("[data-status=complete]")
    assert answer.get_attribute("data-status") == "complete"
    assert tab.locator(".turn").count() == 2


def test_an_example_question_is_asked(tab):
    tab.goto("/")
    tab.locator(".example").first.click()
    tab.wait_for_selector(".bubble")
    assert tab.locator(".bubble").inner_text() == "What is water?"
    answered(tab)


def test_rename_search_delete(tab):
    tab.goto("/")
    tab.fill("#question", "Giraffes")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".bubble")
    answered(tab)
    tab.click("#rename")
    tab.fill("#rename-field", "Okapis & co")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".list a:text-is('Okapis & co')")
    assert tab.locator("#title").inner_text() == "Okapis & co"
    tab.fill("#find", "okapi")
    expect(tab.locator(".list a")).to_have_count(1)
    tab.click("#delete")
    tab.click("dialog [value=keep]")
    assert "/chat/" in tab.url
    tab.click("#delete")
    tab.click("dialog [value=delete]")
    tab.wait_for_selector("#empty")
    assert tab.locator(".list a:text-is('Okapis & co')").count() == 0


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_no_width_scrolls_sideways_and_the_drawer_opens(tab, width):
    tab.set_viewport_size({"width": width, "height": 780})
    tab.goto("/")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    if width < 820:
        assert not tab.locator("#find").is_visible()
        tab.click("#open-side")
        assert tab.locator("#find").is_visible()
        expect(tab.locator("#close-side")).to_be_focused()
        assert tab.locator("#open-side").get_attribute("aria-expanded") == "true"
        tab.keyboard.press("Escape")
        tab.wait_for_selector("#find", state="hidden")
    else:
        assert tab.locator("#find").is_visible()
        assert not tab.locator("#open-side").is_visible()


def test_hostile_answers_are_inert(tab, web, served):
    chat = web.post("/chat", json={"content": "<script>window.broken=1</script>"}).json()["id"]
    with sqlite3.connect(served.database) as raw:
        raw.execute(
            "insert into messages (conversation_id, role, content, created_at, status, model_sha256, tokens, seconds,"
            " left_out) values (?, 'assistant', ?, '2026-01-01 00:00:00', 'complete', '', 1, 1, 0)",
            [chat, HOSTILE],
        )
    tab.goto(f"/chat/{chat}")
    assert "<script>" in tab.locator(".answer .body").inner_text()
    assert tab.locator(".answer .body :is(img, script, a)").count() == 0
    assert tab.evaluate("window.broken") is None


def test_every_control_has_a_name(tab):
    tab.goto("/")
    unnamed = tab.evaluate(
        "[...document.querySelectorAll('button, input, textarea, a')].filter("
        "e => !(e.innerText.trim() || e.getAttribute('aria-label'))).map(e => e.outerHTML)"
    )
    assert [html for html in unnamed if 'value="' not in html] == []
    assert tab.locator("[role=status]").count() == 1


def test_the_documentation_opens(tab):
    tab.goto("/docs")
    tab.wait_for_selector(".opblock")
    tab.locator(".opblock-summary-control").nth(2).click()
    tab.wait_for_selector(".opblock-body")
