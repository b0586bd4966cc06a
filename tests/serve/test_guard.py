"""The door: hosts, origins, keys, headers."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ozfig.errors import UserError
from ozfig.recipe import Serve
from ozfig.serve.guard import Guard
from ozfig.serve.login import Sessions
from ozfig.serve.settings import Settings, is_loopback


def ask(settings, path="/", host="127.0.0.1:8080", **headers):
    async def page(request):
        return PlainTextResponse("in")

    app = Guard(Starlette(routes=[Route("/{rest:path}", page)]), settings, Sessions(settings.password))

    async def send():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ignored") as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.get(path, headers={"Host": host, **named})

    return asyncio.run(send())


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"])
def test_loopback_names_are_this_server(host):
    assert ask(Settings(), host=host).text == "in"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "192.168.1.5", "localhost@evil.example", "[::1"]
)
def test_other_hosts_are_refused_in_one_line(host):
    reply = ask(Settings(), host=host)
    assert reply.status_code == 403
    assert reply.text.count("\n") == 1


def test_hosts_that_are_allowed():
    assert ask(Settings(allowed_hosts=frozenset({"chat.example"})), host="chat.example:443").text == "in"
    assert ask(Settings(host="192.168.1.5"), host="192.168.1.5:8080").text == "in"
    everywhere = Settings(host="0.0.0.0")
    assert ask(everywhere, host="192.168.1.5:8080").text == "in"
    assert ask(everywhere, host="evil.example").status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:3000", "http://localhost:8080"])
def test_pages_of_other_sites_are_refused(origin):
    assert ask(Settings(), Origin=origin).status_code == 403


def test_our_own_pages_and_links_from_elsewhere():
    assert ask(Settings(), Origin="http://127.0.0.1:8080").text == "in"
    assert ask(Settings(allowed_hosts=frozenset({"127.0.0.1:3000"})), Origin="http://127.0.0.1:3000").text == "in"
    assert ask(Settings(), Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").text == "in"
    assert ask(Settings(), Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status_code == 403


def test_a_key_guards_everything_but_health():
    settings = Settings(api_keys=("other", "secret"))
    assert ask(settings, "/health").text == "in"
    for path in ("/", "/chat/1", "/v1/models", "/prompt/a", "/openapi.json", "/metrics"):
        assert ask(settings, path).status_code == 401
        assert ask(settings, path, Authorization="Bearer wrong").status_code == 401
        assert ask(settings, path, Authorization="Bearer secret").text == "in"
    assert ask(settings, "/", Authorization="Basic " + "YW55OnNlY3JldA==").text == "in"
    assert ask(settings, "/", Authorization="Basic %%%").status_code == 401
    assert ask(settings, "/").headers["www-authenticate"].startswith("Basic")
    error = ask(settings, "/v1/models").json()["error"]
    assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "evil.example"])
def test_every_reply_has_the_security_headers(host):
    headers = ask(Settings(), host=host).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_a_password_guards_the_pages_and_a_session_opens_all():
    settings = Settings(api_keys=("secret",), password="open sesame")
    page = ask(settings, "/", Accept="text/html")
    assert (page.status_code, page.headers["location"]) == (303, "/login")
    assert ask(settings, "/chat", Accept="application/json").status_code == 401
    assert ask(settings, "/login").text == "in"
    assert ask(settings, "/metrics").status_code == 401
    cookie = f"ozfig_session={Sessions('open sesame').make()}"
    for path in ("/", "/chat", "/v1/models"):
        assert ask(settings, path, Cookie=cookie).text == "in"
    stale = f"ozfig_session={Sessions('another').make()}"
    for wrong in (stale, "ozfig_session=", "ozfig_session=9999999999.", "ozfig_session=9999999999.ab", "x"):
        assert ask(settings, "/chat", Cookie=wrong).status_code == 401


def test_a_key_may_ask_so_often():
    async def page(request):
        return PlainTextResponse("in")

    settings = Settings(api_keys=("a", "b"), requests_per_minute=3)
    app = Guard(Starlette(routes=[Route("/{rest:path}", page)]), settings, Sessions(""))

    async def statuses(key, times, path="/v1/models"):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.get(path, headers={"Authorization": f"Bearer {key}"}) for _ in range(times)]

    replies = asyncio.run(statuses("a", 5))
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429, 429]
    assert 0 < int(replies[-1].headers["retry-after"]) <= 60
    assert replies[-1].json()["error"]["code"] == "rate_limit_exceeded"
    assert [reply.status_code for reply in asyncio.run(statuses("b", 2))] == [200, 200]
    assert [reply.status_code for reply in asyncio.run(statuses("a", 2, "/metrics"))] == [200, 200]


def test_other_machines_need_a_key_and_a_password(monkeypatch):
    section = Serve.model_validate({})
    for name in ("OZFIG_API_KEY", "OZFIG_PASSWORD", "OZFIG_OPEN"):
        monkeypatch.delenv(name, raising=False)
    for host in ("0.0.0.0", "::", "192.168.1.5", "my-machine"):
        with pytest.raises(UserError, match="set OZFIG_API_KEY and OZFIG_PASSWORD"):
            Settings.make(section, "", [], host)
    assert Settings.make(section, "", [], "127.0.0.1").api_keys == ()
    monkeypatch.setenv("OZFIG_OPEN", "1")
    assert Settings.make(section, "", [], "0.0.0.0").api_keys == ()
    monkeypatch.delenv("OZFIG_OPEN")
    monkeypatch.setenv("OZFIG_API_KEY", "secret, second")
    with pytest.raises(UserError, match="set OZFIG_PASSWORD,"):
        Settings.make(section, "", [], "0.0.0.0")
    monkeypatch.setenv("OZFIG_PASSWORD", "open sesame")
    monkeypatch.setenv("OZFIG_ALLOWED_HOSTS", "Chat.Example, other.example")
    made = Settings.make(section, "", [], "0.0.0.0")
    assert made.api_keys == ("secret", "second")
    assert made.allowed_hosts == {"chat.example", "other.example"}
    assert "sesame" not in repr(made)


def test_what_is_loopback():
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.9.9.9", "::1"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "10.0.0.1", "localhost.example"]))


def test_a_key_does_not_open_pages_that_have_a_password():
    settings, key = Settings(api_keys=("secret",), password="open sesame"), "Bearer secret"
    for path in ("/", "/chat/1", "/runs", "/compare"):
        assert ask(settings, path, Authorization=key).status_code == 401
    for path in ("/v1/models", "/prompt/a", "/metrics", "/openapi.json"):
        assert ask(settings, path, Authorization=key).text == "in"
        assert ask(settings, path).status_code == 401


@pytest.mark.parametrize(
    ("site", "mode", "to", "status"),
    [
        ("cross-site", "navigate", "document", 200),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "no-cors", "image", 403),
        ("same-site", "navigate", "document", 200),
        ("same-site", "navigate", "iframe", 403),
        ("same-site", "cors", "empty", 403),
        ("same-origin", "navigate", "iframe", 200),
        ("none", "navigate", "document", 200),
    ],
)
def test_what_a_browser_says_of_where_a_request_comes_from(site, mode, to, status):
    reply = ask(Settings(), Sec_Fetch_Site=site, Sec_Fetch_Mode=mode, Sec_Fetch_Dest=to)
    assert reply.status_code == status
