"""One question to several models, in a real browser and by its endpoints."""

import sqlite3

import httpx
import pytest

from .test_conversations import events
from .test_page import expect


def test_two_models_answer_side_by_side_and_one_is_preferred(open_tab, several):
    tab = open_tab(several)
    tab.goto("/compare")
    tab.locator("#contenders input").nth(1).uncheck(force=True)
    tab.fill("#question", "What is a boat?")
    assert tab.locator("#send").is_disabled()
    tab.locator("#contenders input").nth(1).check(force=True)
    tab.locator("#question").press("Enter")
    expect(tab.locator(".answer[data-status=complete]")).to_have_count(2)
    tab.wait_for_selector("body:not(.busy)")
    assert tab.locator(".answer .by").all_inner_texts() == ["pebble", "pebble-tuned"]
    boxes = [tab.locator(".answer").nth(i).bounding_box() for i in range(2)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] < boxes[1]["x"]
    for i in (0, 1):  # the second takes the place of the first
        with tab.expect_response("**/feedback"):
            tab.locator(".prefer").nth(i).click()
    tab.reload()
    expect(tab.locator(".prefer").nth(0)).to_have_attribute("aria-pressed", "false")
    expect(tab.locator(".prefer").nth(1)).to_have_attribute("aria-pressed", "true")
    tab.fill("#question", "And a ship?")
    tab.keyboard.press("Enter")
    expect(tab.locator(".answer")).to_have_count(4)
    tab.keyboard.press("Escape")
    tab.wait_for_selector("body:not(.busy)")
    chat = tab.url.split("/")[-1]
    with sqlite3.connect(several.database) as raw:
        query = "select role, messages.model, preferred from messages left join feedback on message_id = id"
        got = raw.execute(f"{query} where conversation_id = ? order by id limit 3", [chat]).fetchall()
        [(kind, settings)] = raw.execute("select kind, settings from conversations where id = ?", [chat]).fetchall()
    assert got == [("user", "", None), ("assistant", "pebble", 0), ("assistant", "pebble-tuned", 1)]
    assert (kind, settings) == ("compare", '{"models": ["pebble", "pebble-tuned"]}')
    listed = httpx.get(f"{several.url}/chat", params={"kind": "compare"}).text
    assert f'href="/compare/{chat}"' in listed
    assert chat not in httpx.get(f"{several.url}/chat").text
    assert httpx.get(f"{several.url}/chat/{chat}").status_code == 404
    assert "### pebble-tuned" in httpx.get(f"{several.url}/chat/{chat}/export").text


def test_the_answers_come_at_the_same_time(several):
    with httpx.Client(base_url=several.url, timeout=60) as web:
        chat = web.post("/compare", json={"content": "Hm?", "models": ["pebble", "pebble-tuned"]}).json()["id"]
        got = list(events(web.post(f"/chat/{chat}/messages", json={"content": "Tell me everything."})))
    names = [name for name, _ in got]
    assert set(names) == {"turns", "blocks", "done"}
    assert names[-1] == "done"
    begun = {data["message"] for name, data in got[: names.index("done")] if name == "blocks"}
    assert len(begun) == names.count("done") == 2


def test_settings_do_not_forget_who_is_compared(several):
    body = {"content": "Hm?", "models": ["pebble", "pebble-tuned"], "settings": {"max_tokens": 5}}
    with httpx.Client(base_url=several.url) as web:
        chat = web.post("/compare", json=body).json()["id"]
        assert web.put(f"/chat/{chat}/settings", json={"temperature": 0.5}).status_code == 204
        stored = web.get(f"/chat/{chat}/export", params={"format": "json"}).json()
    assert stored["settings"] == {"temperature": 0.5, "models": ["pebble", "pebble-tuned"]}


@pytest.mark.parametrize(("models", "status"), [(["pebble"], 400), (["pebble"] * 2, 400), (["pebble", "x"], 404)])
def test_wrong_contenders_are_refused(several, models, status):
    assert httpx.post(f"{several.url}/compare", json={"content": "Hm?", "models": models}).status_code == status


def test_one_model_cannot_be_compared(open_tab, served):
    tab = open_tab(served)
    tab.goto("/compare")
    assert "needs a second model" in tab.locator("#empty").inner_text()
    tab.fill("#question", "What?")
    assert tab.locator("#send").is_disabled()
