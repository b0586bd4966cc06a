"""The chat page in a real browser: what a person does, and what the browser complains about."""

import sqlite3

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra: render)")
HOSTILE = (
    '<img src=x onerror="window.broken=1">\n\n<script>window.broken=1</script>\n\n[go](javascript:window.broken=1)\n\n'
    r"$\href{javascript:window.broken=1}{x}$ $\class{a}{b}$ $</span><img src=x onerror=window.broken=1>$"
)
SOURCES = (
    '[{"number": 1, "title": "<b onclick=broken=1>", "url": "javascript:window.broken=1", "text": "<script>",'
    ' "kind": "web"}]'
)


@pytest.fixture
def tab(open_tab, served):
    return open_tab(served)


# what was seen of an answer that grows: a mutation is told even where no frame was drawn between it and the next
WATCH = """
window.seen = new Set();
new MutationObserver(() => {
  const growing = document.querySelector("[data-status=streaming] .body:not(:empty)");
  if (growing) seen.add(document.getElementById("send").getAttribute("aria-label"));
}).observe(document, { subtree: true, childList: true });
"""


def expect(locator):
    return playwright.expect(locator)


def being_written(page):
    # looked for at every frame: a small model is done within a second
    page.wait_for_selector("[data-status=streaming] .body:not(:empty)")


def answered(page):
    page.wait_for_selector("body:not(.busy)")
    return page.locator(".answer").last


def test_ask_stream_reload_copy(tab):
    tab.add_init_script(WATCH)
    tab.goto("/")
    tab.fill("#question", "What is\nwater?")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".answer[data-status=complete]")
    answer = answered(tab)
    assert tab.evaluate("[...seen]") == ["Stop"]
    assert answer.get_attribute("data-status") == "complete"
    assert " s" in answer.locator(".meta").inner_text()
    assert "/chat/" in tab.url
    assert tab.title().startswith("What is water?")
    answer.locator(".copy").first.click()
    expect(tab.locator("#status")).to_have_text("Copied")
    assert tab.evaluate("navigator.clipboard.readText()") == answer.get_attribute("data-text")
    shown = answer.inner_text()
    tab.reload()
    assert tab.locator(".bubble").inner_text() == "What is\nwater?"
    assert tab.locator(".answer .body").inner_text() in shown
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
    tab.click("#manage")
    expect(tab.locator("[data-do=rename]")).to_be_focused()
    tab.keyboard.press("Enter")
    tab.fill("#rename-field", "Okapis & co")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".list a:text-is('Okapis & co')")
    assert tab.locator("#title").inner_text() == "Okapis & co"
    tab.keyboard.press("Control+k")
    tab.keyboard.type("okapi")
    expect(tab.locator(".list a")).to_have_count(1)
    tab.click("#manage")
    tab.click("[data-do=delete]")
    tab.click("#confirm [value=keep]")
    assert "/chat/" in tab.url
    tab.locator(".list .more").click()
    tab.click("[data-do=delete]")
    tab.click("#confirm [value=delete]")
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
            " left_out) values (?, 'user', '<img src=x onerror=b=1>', '2026-01-01 00:00:00', 'complete', '', 1, 1, 0)",
            [chat],
        )
        raw.execute(
            "insert into messages (conversation_id, role, content, created_at, status, model_sha256, tokens, seconds,"
            " left_out, sources, raw) values (?, 'assistant', ?, '2026-01-01 00:00:00', 'complete', '', 1, 1, 0, ?, ?)",
            [chat, HOSTILE, SOURCES, HOSTILE],
        )
    tab.goto(f"/chat/{chat}")
    assert "<script>" in tab.locator(".answer .body").inner_text()
    tab.wait_for_selector("math, .math.plain")
    assert tab.locator("main :is(img, script, [onclick], [href^=javascript])").count() == 0
    assert tab.locator(".answer .body a").count() == 0
    assert tab.evaluate("window.broken") is None


def test_the_documentation_opens(tab):
    tab.goto("/docs")
    tab.wait_for_selector(".opblock")
    tab.locator(".opblock-summary-control").nth(2).click()
    tab.wait_for_selector(".opblock-body")
