"""What a person does with answers on the chat page, in a real browser: edit, ask again, judge, set, export."""

import json
import sqlite3

import httpx
import pytest

from . import stored
from .test_page import expect


@pytest.fixture
def tab(open_tab, several):
    return open_tab(several)


@pytest.fixture
def chat(several):
    with httpx.Client(base_url=several.url) as web:
        return stored.conversation(web, several.database)


def ask(tab, question):
    tab.fill("#question", question)
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".answer[data-status=complete]")
    tab.wait_for_selector("body:not(.busy)")


def rows(several, query, *values):
    with sqlite3.connect(several.database) as raw:
        return raw.execute(query, values).fetchall()


def test_settings_are_kept_and_used(tab, several):
    tab.goto("/")
    tab.check(".chip:has([name=web]) input", force=True)
    tab.select_option(".model select", "pebble-tuned")
    tab.click("#open-settings")
    tab.fill("#sheet [name=system]", "Talk like a sailor.")
    tab.fill("#sheet [name=max_tokens]", "9")
    tab.click("#sheet .primary")
    ask(tab, "Who are you?")
    kept = {"web": True, "model": "pebble-tuned", "system": "Talk like a sailor.", "max_tokens": 9}
    chat = tab.url.split("/")[-1]
    assert json.loads(rows(several, "select settings from conversations where id = ?", chat)[0][0]) == kept
    [(model, tokens)] = rows(several, "select model, tokens from messages where tokens and conversation_id = ?", chat)
    assert (model, tokens) == ("pebble-tuned", 9)
    tab.reload()
    assert tab.input_value(".model select") == "pebble-tuned"
    assert tab.is_checked(".chip [name=web]")
    tab.click("#open-settings")
    assert tab.input_value("#sheet [name=system]") == "Talk like a sailor."
    with tab.expect_response("**/settings") as told:
        tab.click("#defaults")
    assert told.value.status == 204
    kept = {"web": True, "model": "pebble-tuned"}
    assert json.loads(rows(several, "select settings from conversations where id = ?", chat)[0][0]) == kept


def test_an_answer_is_written_again_and_the_former_one_is_kept(tab, several):
    tab.goto("/")
    ask(tab, "Tell me about boats")
    former = tab.locator(".answer .body").inner_text()
    tab.click(".again")
    tab.wait_for_selector(".former")
    tab.wait_for_selector("body:not(.busy)")
    assert tab.locator(".turn").count() == 2
    tab.click(".former summary")
    assert tab.locator(".before .body").inner_text().split() == former.split()
    with tab.expect_response("**/feedback"):
        tab.click(".before .prefer")
    expect(tab.locator(".before .prefer")).to_have_attribute("aria-pressed", "true")
    chat = tab.url.split("/")[-1]
    query = "select role, superseded is null, preferred from messages left join feedback on message_id = id"
    got = rows(several, f"{query} where conversation_id = ? order by id", chat)
    assert got == [("user", 1, None), ("assistant", 0, 1), ("assistant", 1, None)]


def test_a_question_is_edited_and_asked_again(tab, several):
    tab.goto("/")
    ask(tab, "Tell me about boots")
    tab.locator("#question").press("ArrowUp")
    expect(tab.locator(".editing textarea")).to_be_focused()
    tab.keyboard.press("Escape")
    expect(tab.locator("#question")).to_be_focused()
    tab.locator(".user").hover()
    tab.click(".edit")
    tab.fill(".editing textarea", "Tell me about boats")
    tab.keyboard.press("Enter")
    expect(tab.locator(".bubble")).to_have_text("Tell me about boats")
    tab.wait_for_selector("body:not(.busy)")
    tab.reload()
    assert tab.locator(".bubble").all_inner_texts() == ["Tell me about boats"]
    assert tab.locator(".answer").count() == 1
    chat = tab.url.split("/")[-1]
    assert len(rows(several, "select 1 from messages where conversation_id = ?", chat)) == 4


def test_feedback_is_kept_and_shown_after_a_reload(tab, several, chat):
    tab.goto(f"/chat/{chat[0]}")
    answer = tab.locator(".answer").first
    for name in ("up", "down"):
        answer.get_by_role("button", name="Good answer" if name == "up" else "Bad answer").click()
    answer.get_by_role("button", name="Correct the answer").click()
    tab.fill("#correction-field", "It costs £3.20 <b>a metre</b>.")
    tab.click("#correcting .primary")
    expect(answer.locator(".correction p")).to_have_text("It costs £3.20 <b>a metre</b>.")
    tab.reload()
    expect(answer.locator(".correction p")).to_have_text("It costs £3.20 <b>a metre</b>.")
    expect(answer.locator("[data-rating='-1']")).to_have_attribute("aria-pressed", "true")
    expect(answer.locator("[data-rating='1']")).to_have_attribute("aria-pressed", "false")
    answer.locator("[data-rating='-1']").click()
    expect(answer.locator("[data-rating='-1']")).to_have_attribute("aria-pressed", "false")
    got = rows(several, "select rating, correction from feedback where message_id = ?", chat[1])
    assert got == [(0, "It costs £3.20 <b>a metre</b>.")]


def test_an_answer_with_everything(tab, chat):
    tab.goto(f"/chat/{chat[0]}")
    answer = tab.locator(".answer").first
    tab.wait_for_selector("math")
    assert answer.locator("math").count() == 3
    assert answer.locator("mfrac").count() == 1
    assert answer.locator(".cite").all_inner_texts() == ["1", "2"]
    assert "[9] is no source" in answer.inner_text()
    assert "between $5 and $6" in answer.inner_text()
    answer.locator(".cite").nth(1).click()
    expect(answer.locator(".source").nth(1)).to_be_focused()
    expect(answer.locator(".source a")).to_have_attribute("href", "https://www.example.org/berths")
    assert answer.locator(".from").all_inner_texts() == ["example.org", "document"]
    answer.get_by_role("button", name="Copy the code").click()
    expect(tab.locator("#status")).to_have_text("Copied")
    assert tab.evaluate("navigator.clipboard.readText()") == 'print("ahoy")\n'
    notices = tab.locator(".notice").all_inner_texts()
    assert [text.split()[0:2] for text in notices] == [["2", "earlier"], ["1", "of"], ["The", "answer"]]
    answer.get_by_text("Before it was polished").click()
    assert answer.locator(".raw").inner_text() == "A berth cost 3.20 [1]."


def test_a_conversation_is_exported(tab, chat):
    tab.goto(f"/chat/{chat[0]}")
    files = {}
    for kind in ("markdown", "json"):
        tab.click("#manage")
        with tab.expect_download() as got:
            tab.click(f"[data-do={kind}]")
        files[got.value.suggested_filename] = got.value.path().read_text(encoding="utf-8")
    text = files["what-does-a-berth-cost.md"]
    assert text.startswith("# What does a berth cost?\n\n## What does a berth cost?\n\nA berth costs **£3.20")
    assert "1. Visitor berths https://www.example.org/berths\n2. Handbook\n" in text
    assert "It depends." not in text
    exported = json.loads(files["what-does-a-berth-cost.json"])
    assert [m["content"][:11] for m in exported["messages"]][1:3] == ["It depends.", "A berth cos"]
    assert exported["messages"][2]["sources"] == stored.SOURCES


def test_a_lost_connection_is_taken_up_again(tab):
    def lose(route):
        asked = {"json": route.request.post_data_json, "timeout": 60}
        with httpx.stream("POST", route.request.url, **asked) as reply:
            lines = reply.iter_lines()
            beginning = "\n".join([next(lines) for _ in range(6)])
        route.fulfill(content_type="text/event-stream", body=beginning + "\n\n")

    tab.route("**/messages", lose)
    tab.goto("/")
    tab.fill("#question", "Tell me everything")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("[data-status=complete]")
    assert tab.locator(".turn").count() == 2
    expect(tab.locator("#problem")).to_be_hidden()
    tab.reload()
    assert tab.locator(".turn").count() == 2


def test_the_page_says_that_it_searches(tab):
    tab.goto("/")
    tab.evaluate("""() => {
        window.seen = [];
        const note = () => document.querySelectorAll(".looking").forEach((line) => window.seen.push(line.innerText));
        new MutationObserver(note).observe(document.getElementById("turns"), { childList: true, subtree: true });
    }""")
    tab.check(".chip:has([name=web]) input", force=True)
    ask(tab, "Is the harbour open?")
    assert set(tab.evaluate("window.seen")) == {"Searching the web …"}
    assert tab.locator(".looking").count() == 0
    assert tab.locator("a[aria-current=page]").all_inner_texts() == ["Is the harbour open?"]


def test_a_screen_reader_hears_the_answer_once(tab):
    tab.goto("/")
    ask(tab, "Tell me about tides")
    heard = " ".join(tab.locator("#log p").all_text_contents()).split()
    assert heard == tab.locator(".answer .body").text_content().split()
    expect(tab.locator("#status")).to_have_text("The answer is complete.")


def test_the_colours_can_be_chosen(tab):
    tab.goto("/")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = tab.evaluate(paper)
    tab.click("#theme")
    assert tab.evaluate(paper) == light
    tab.click("#theme")
    assert tab.evaluate(paper) != light
    tab.reload()
    assert tab.evaluate(paper) != light
    expect(tab.locator("#theme")).to_have_accessible_name("Colours: dark")


def test_the_keyboard_reaches_what_it_says(tab, chat):
    tab.goto(f"/chat/{chat[0]}")
    tab.locator("#thread").focus()
    tab.keyboard.press("?")
    assert tab.locator("#shortcuts").is_visible()
    tab.keyboard.press("Escape")
    tab.keyboard.press("/")
    expect(tab.locator("#question")).to_be_focused()
    tab.keyboard.press("Control+Shift+O")
    tab.wait_for_url("**/")


@pytest.mark.parametrize(
    "body", [{"since": 999_999}, {"content": "x", "since": 999_999}, {}, {"content": " ", "since": 0}]
)
def test_what_cannot_be_asked_is_refused(several, chat, body):
    reply = httpx.post(f"{several.url}/chat/{chat[0]}/messages", json=body)
    assert reply.status_code in {400, 404}
    assert reply.json()["error"]["message"]


def test_a_verdict_needs_an_answer(several, chat):
    asked = rows(several, "select min(id) from messages where conversation_id = ?", chat[0])[0][0]
    assert httpx.post(f"{several.url}/messages/{asked}/feedback", json={"rating": 1}).status_code == 404
    assert httpx.post(f"{several.url}/messages/{chat[1]}/feedback", json={"rating": 5}).status_code == 400
    assert httpx.put(f"{several.url}/chat/{chat[0]}/settings", json={"temperature": 9}).status_code == 400
    assert httpx.put(f"{several.url}/chat/none/settings", json={}).status_code == 404
