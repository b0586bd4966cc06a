"""The pages' password."""

import asyncio

import httpx
import pytest
from starlette.testclient import TestClient

from ozfig.serve.app import create_app
from ozfig.serve.backend import Backend
from ozfig.serve.login import Sessions
from ozfig.serve.models import Models
from ozfig.serve.settings import Settings
from ozfig.store.database import Store
from ozfig.types import ModelRef

from .conftest import launch


@pytest.fixture
def door(tmp_path):
    """A client of an app with a password, whose model never loads: nobody asks it here."""
    store = Store.open(str(tmp_path / "chat.db"))
    backend = Backend(ModelRef("gguf", str(tmp_path / "a.gguf"), "a"), lambda told: None)
    app = create_app(Models([backend]), Settings(password="open sesame"), store)
    yield TestClient(app, base_url="http://localhost", headers={"Accept": "text/html"})
    store.close()


def test_the_right_password_opens_the_pages(door):
    assert door.get("/").url.path == "/login"
    wrong = door.post("/login", data={"password": "sesame"})
    assert wrong.status_code == 401
    assert 'role="alert"' in wrong.text
    assert not wrong.cookies
    right = door.post("/login", data={"password": "open sesame"}, follow_redirects=False)
    assert (right.status_code, right.headers["location"]) == (303, "/")
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert door.get("/").url.path == "/"
    assert door.post("/logout").url.path == "/login"
    assert door.get("/").url.path == "/login"


def test_guessing_is_throttled(door):
    replies = [door.post("/login", data={"password": str(i)}).status_code for i in range(7)]
    assert replies == [401] * 5 + [429] * 2
    last = door.post("/login", data={"password": "open sesame"})
    assert last.status_code == 429
    assert 0 < int(last.headers["retry-after"]) <= 61


def test_another_site_cannot_log_in(door):
    assert (
        door.post("/login", data={"password": "open sesame"}, headers={"Origin": "http://evil.example"}).status_code
        == 403
    )


def test_forms_that_are_held_back_and_sent_at_once_are_counted(door):
    async def run():
        gate = asyncio.Event()

        async def held():
            await gate.wait()
            yield b"password=wrong"

        async with httpx.AsyncClient(transport=httpx.ASGITransport(door.app), base_url="http://localhost") as client:
            tries = [asyncio.create_task(client.post("/login", content=held())) for _ in range(20)]
            await asyncio.sleep(0.1)
            gate.set()
            return [(await one).status_code for one in tries]

    statuses = asyncio.run(run())
    assert (statuses.count(401), statuses.count(429)) == (5, 15)


def test_a_cookie_of_another_program_does_not_log_out(door):
    session = f"ozfig_session={Sessions('open sesame').make()}"
    for other in ('prefs={"theme": "dark", "n": [1]}', "a[]=b", "x"):
        assert door.get("/", headers={"Cookie": f"{other}; {session}"}).url.path == "/"


def test_a_person_logs_in_with_a_browser(browser, gguf, tmp_path):
    """Browsers send headers with a form that other clients do not."""
    server = launch(gguf, tmp_path / "chat.db", tmp_path / "log", OZFIG_PASSWORD="open sesame")
    context = browser.new_context(base_url=server.url)
    try:
        page = context.new_page()
        page.goto("/")
        page.fill("#password", "sesame")
        page.click("button[type=submit]")
        assert page.locator("[role=alert]").is_visible()
        page.fill("#password", "open sesame")
        page.click("button[type=submit]")
        page.wait_for_selector("#question")
        assert page.goto("/nope").status == 404
        assert page.locator("h1").inner_text() == "There is nothing here"
    finally:
        context.close()
        server.kill()
