"""The runs' pages in a real browser: keys, the live curve, the report in its frame, and what the browser says."""

import threading
import time

import pytest
import uvicorn

from ozfig import files
from ozfig.runs import Run
from ozfig.serve.app import listen
from ozfig.serve.settings import Settings
from ozfig.serve.studio.app import create_app
from ozfig.types import Example
from ozfig.web import render

from .conftest import log, manifest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra: render)")
CHROMIUM = render.program()
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine (Debian: apt-get install chromium)")
HOSTILE = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=render.switches())
        yield browser
        browser.close()


@pytest.fixture
def url(runs):
    """The address of a server that shows the runs."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(runs, Settings()), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listener.close()


@pytest.fixture
def open_tab(browser, url):
    """Opens pages that fail the test when they log an error or ask another host; `expected` is let pass."""
    contexts, bad, expected = [], [], []

    def open_tab(path, width=1280, scheme="light", expect=""):
        context = browser.new_context(
            base_url=url, viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        expected.append(expect)
        page = context.new_page()
        page.on("console", lambda said: bad.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: bad.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(url) else bad.append(asked.url))
        page.goto(path)
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert [text for text in bad if not any(part and part in text for part in expected)] == []


def expect(locator):
    return playwright.expect(locator)


def layer(runs):
    return [(row["action"], row["id"]) for row in files.read_jsonl(runs / "yard" / "edits.jsonl")]


def test_pairs_by_keyboard(open_tab, runs, pairs):
    ids = [row["id"] for row in pairs("train")]
    page = open_tab("/runs/yard/review?fate=train")
    current = page.locator(".entry.current")
    page.keyboard.press("j")
    expect(current).to_have_attribute("data-id", ids[0])
    expect(current.locator(".head")).to_be_focused()
    expect(current.locator(".head")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("d")
    expect(current).to_have_attribute("data-id", ids[1])
    expect(page.locator("#waiting")).to_contain_text("1 change waits")
    expect(page.locator("#said")).to_have_text("Dropped.")
    expect(page.locator(f"[data-id='{ids[0]}']")).to_contain_text("will be dropped")
    expect(page.locator("[data-fate=dropped] .num").first).to_have_text(str(len(pairs("dropped")) + 1))
    page.keyboard.press("k")
    page.keyboard.press("r")
    expect(current).to_have_attribute("data-fate", "train")
    page.keyboard.press("j")
    page.keyboard.press("e")
    expect(page.locator(".editor [name=question]")).to_be_focused()
    page.fill(".editor [name=answer]", "We djk: typing is no command? / e.")
    page.keyboard.press("Escape")
    expect(page.locator(".editor")).to_have_count(0)
    page.keyboard.press("e")
    page.fill(".editor [name=answer]", f"Mended. {HOSTILE}")
    page.keyboard.press("Control+Enter")
    expect(current.locator(".answer")).to_have_text(f"Mended. {HOSTILE}")
    expect(current.locator("del")).to_have_text(pairs("train")[1]["messages"][-1]["content"])
    assert page.evaluate("window.broken") is None
    assert layer(runs) == [("drop", ids[0]), ("restore", ids[0]), ("edit", ids[1])]
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("mended")
    page.keyboard.press("Enter")
    expect(page.locator(".entry")).to_have_count(1)
    assert page.url.endswith("?fate=train&text=mended")


def test_keys_work_on_a_pair_that_was_closed(open_tab, runs, pairs):
    ids = [row["id"] for row in pairs("train")]
    page = open_tab("/runs/yard/review?fate=train")
    current = page.locator(".entry.current")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(current).to_have_count(0)
    page.keyboard.press("d")
    expect(current).to_have_attribute("data-id", ids[1])
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    expect(current).to_have_attribute("data-id", ids[2])
    assert layer(runs) == [("drop", ids[0])]


def test_mouse_filters_and_pages(open_tab, runs):
    rows = [Example.pair(f"Berth {n}?", "A place.", maker="hand", origin="b").to_row() for n in range(120)]
    files.write_jsonl(runs / "yard" / "prepare" / "train.jsonl", rows)
    page = open_tab("/runs/yard/review?fate=train")
    expect(page.locator("#range")).to_have_text("1–50 of 120")
    page.locator(".head").nth(49).click()
    page.keyboard.press("j")
    expect(page.locator("#range")).to_have_text("51–100 of 120")
    expect(page.locator(".entry.current .q")).to_have_text("Berth 50?")
    page.keyboard.press("k")
    expect(page.locator(".entry.current .q")).to_have_text("Berth 49?")
    page.locator(".entry.current [data-act=drop]").click()
    expect(page.locator("#waiting")).to_be_visible()
    page.locator(".fates a", has_text="Changed").click()
    expect(page.locator(".entry .q")).to_have_text(["Berth 49?"])
    page.locator(".head").click()
    page.locator("[data-act=restore]").click()
    expect(page.locator(".entry")).to_have_attribute("data-fate", "train")
    page.goto("/runs/yard/review")
    page.select_option("[name=maker]", "hand")
    expect(page.locator("#range")).to_have_text("1–50 of 120")
    assert page.url.endswith("?maker=hand")
    page.get_by_text("Clear the filters").click()
    assert page.url.endswith("/review?")


def test_a_refused_change_is_told(open_tab, runs):
    page = open_tab("/runs/yard/review", expect="409")
    page.keyboard.press("j")
    with Run(runs / "yard").lock():
        page.keyboard.press("d")
        expect(page.locator("#toast")).to_contain_text("This run is under way")
    page.keyboard.press("d")
    expect(page.locator("#toast")).to_be_hidden()
    expect(page.locator("#waiting")).to_be_visible()


def test_a_run_is_watched_until_it_ends(open_tab, runs):
    begun = Run(runs / "begun")
    begun.write_manifest(manifest("prepare", train=7, held_out=2))
    files.write_text(begun.stage("tune") / "key.txt", "k")
    files.write_json(begun.stage("tune") / "plan.json", {"steps": 20, "tokens": 40000})
    with begun.lock():
        log(begun, 5)
        page = open_tab("/runs/begun")
        expect(page.locator("progress")).to_have_attribute("value", "5")
        before = page.locator(".curve .line").get_attribute("d")
        log(begun, 15, start=6)
        expect(page.locator("progress")).to_have_attribute("value", "15")
        assert page.locator(".curve .line").get_attribute("d") != before
        expect(page.locator(".stages .running")).to_contain_text("step 15 of 20")
    files.write_text(begun.stage("evaluate") / "report.html", "<h1>Measured</h1>")
    expect(page.frame_locator("iframe").locator("h1")).to_have_text("Measured")


def test_the_report_cannot_reach_the_server(open_tab, url):
    page = open_tab("/runs/yard", expect="Content Security Policy")
    frame = page.frame_locator("iframe")
    expect(frame.locator("#shown")).to_have_text("counted")
    inside = page.frames[1]
    assert inside.evaluate("document.title") == "Report"
    assert inside.evaluate("self.origin") == "null"
    post = "fetch('/runs/yard/review/1', {method: 'POST', body: '{}'}).then(r => r.status, () => 'blocked')"
    assert inside.evaluate(post) == "blocked"
    reach = "(() => { try { return parent.document.title } catch (e) { return e.name } })()"
    assert inside.evaluate(reach) == "SecurityError"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_width_and_scheme(open_tab, width, scheme):
    for path in ("/runs", "/runs/yard", "/runs/yard/review"):
        page = open_tab(path, width, scheme, expect="Content Security Policy")
        if path.endswith("review"):
            page.locator(".head").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button, input:not([type=hidden]), select, textarea, a, iframe, progress')]"
            ".filter(e => !(e.innerText?.trim() || e.title || e.ariaLabel || e.labels?.length)).map(e => e.outerHTML)"
        )
        assert unnamed == []
        assert page.locator("h1").count() == 1
        assert page.locator("main, nav, header").count() >= 3
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids))
