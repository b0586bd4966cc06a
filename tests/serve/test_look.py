"""Every page in light and dark, on a desk and in a hand: axe finds no serious fault, and nothing scrolls sideways.

axe-core 4.14.1 (Mozilla Public License 2.0, `vendor/axe-core`) is run as it is.
"""

from pathlib import Path

import httpx
import pytest

from . import stored

AXE = Path(__file__).with_name("vendor") / "axe-core" / "axe.min.js"
CHECK = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.map((node) => node.html + " " + node.failureSummary).join(" | ")}`);
}"""


@pytest.fixture(scope="module")
def addresses(several):
    """The pages by what is on them."""
    with httpx.Client(base_url=several.url) as web:
        chat, answer = stored.conversation(web, several.database)
        web.post(f"/messages/{answer}/feedback", json={"rating": 1, "correction": "It is £3.20."})
        body = {"content": "Which one?", "models": ["pebble", "pebble-tuned"]}
        compared = web.post("/compare", json=body).json()["id"]
        stored.write(several.database, compared, "user", "Which one?")
        for model in body["models"]:
            last = stored.write(several.database, compared, "assistant", stored.ANSWER, model=model)
        web.post(f"/messages/{last}/feedback", json={"preferred": True, "rating": -1})
    return {"empty": "/", "chat": f"/chat/{chat}", "ask": "/compare", "compare": f"/compare/{compared}"}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit(open_tab, several, addresses, scheme, width):
    tab = open_tab(several, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce")
    opened = {"#open-settings": "settings", "#manage": "menu", "#open-side": "drawer"}

    def check(where):
        assert tab.evaluate(CHECK) == [], (where, scheme, width)
        assert tab.evaluate("document.documentElement.scrollWidth") == width, where

    for name, address in addresses.items():
        tab.goto(address)
        if name in {"chat", "compare"}:
            tab.wait_for_selector("math")
        tab.evaluate(AXE.read_text(encoding="utf-8"))
        check(name)
        if name == "chat":
            tab.locator(".aside summary").first.click()
            for button, what in opened.items():
                if tab.locator(button).is_visible():
                    tab.click(button)
                    check(what)
                    tab.keyboard.press("Escape")
