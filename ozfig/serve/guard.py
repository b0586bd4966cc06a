"""The door: whose requests are answered, and what a browser may do with our pages.

A server on loopback is reachable from every web page that its user opens. So the Host has to be this
server (else a name that was re-pointed at 127.0.0.1 could read it), and no other site's page may call it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ozfig.serve.login import Sessions
from ozfig.serve.problems import ApiError
from ozfig.serve.settings import LOOPBACK, Settings, ip_address
from ozfig.serve.turnstile import Window, busy

OPEN_PATHS = {"/health", "/ready", "/login"}
LIMITED = ("/v1/", "/prompt/")  # what a key may ask only so often
API = (*LIMITED, "/metrics", "/openapi.json")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers send "Origin: null" with the login form
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}


class Guard:
    """ASGI middleware: Host, Origin, key, and security headers on every reply.

    It is plain ASGI because Starlette's base class hides a client's hanging up from streams.
    """

    def __init__(self, app: ASGIApp, settings: Settings, sessions: Sessions) -> None:
        self._app, self._settings, self._sessions = app, settings, sessions
        self._keys = Window(settings.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)  # a page may bring a policy of its own
            await send(message)

        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> Response | None:
        if not self.is_ours(headers.get("host", "")):
            text = f"the host {headers.get('host', '')!r} is not this server; allow it with OZFIG_ALLOWED_HOSTS"
            return _refuse(path, 403, text)
        if self.is_foreign(headers):
            return _refuse(path, 403, "pages of other sites may not call this server")
        if path in OPEN_PATHS or path.startswith("/static/"):
            return None
        key = self.key_of(headers)
        if self._is_locked(path) and not self._is_let_in(path, key, headers):
            return self._ask_in(method, path, headers)
        if path.startswith(LIMITED):
            if wait := self._keys.wait(key or ""):
                limit = self._settings.requests_per_minute
                return busy(f"{limit} requests a minute are allowed; ask again in {wait:.0f} s", wait).response()
            self._keys.note(key or "")
        return None

    def _is_locked(self, path: str) -> bool:
        """Whether a path needs a key or a session; pages without a password take the key."""
        if path.startswith(API):
            return bool(self._settings.api_keys)
        return bool(self._settings.password or self._settings.api_keys)

    def _is_let_in(self, path: str, key: str | None, headers: Headers) -> bool:
        """A session opens everything; a key the API, and the pages where there is no password."""
        opens = path.startswith(API) or not self._settings.password
        return (opens and key is not None) or self._sessions.has(headers.get("cookie", ""))

    def _ask_in(self, method: str, path: str, headers: Headers) -> Response:
        """What somebody without a key or a session gets: the login page, the browser's dialog, or a 401."""
        if self._settings.password and not path.startswith(API):
            if method == "GET" and "text/html" in headers.get("accept", ""):
                return RedirectResponse("/login", 303)
            return _refuse(path, 401, "log in at /login")
        refusal = _refuse(path, 401, "this server needs its key: Authorization: Bearer KEY")
        # a browser asks for the key in its own dialog: any name, the key as password
        refusal.headers["WWW-Authenticate"] = "Bearer" if path.startswith(API) else 'Basic realm="ozfig"'
        return refusal

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names this server.

        Bound to every address, any literal address is ours: only names can be re-pointed.
        """
        name = hostname(host)
        if name in LOOPBACK or name == self._settings.host.lower():
            return True
        if {name, host.lower()} & self._settings.allowed_hosts:
            return True
        bound = ip_address(self._settings.host)
        return bound is not None and bound.is_unspecified and ip_address(name) is not None

    def is_foreign(self, headers: Headers) -> bool:
        """Whether a page of another site sent this; links that lead here are fine."""
        origin = headers.get("origin")
        if origin is not None:
            netloc = urlsplit(origin).netloc.lower()
            allowed = {netloc, hostname(netloc)} & self._settings.allowed_hosts
            return netloc != headers.get("host", "").lower() and not allowed
        opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest", "document") == "document"
        return headers.get("sec-fetch-site") in {"cross-site", "same-site"} and not opened

    def key_of(self, headers: Headers) -> str | None:
        """The key that a request brings, as a bearer token or as the password of Basic; None for none that is right."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return None
        elif scheme.lower() != "bearer":
            return None
        sent = given.strip().encode()
        # every key is compared, so that the time tells nothing
        right = [key for key in self._settings.api_keys if hmac.compare_digest(sent, key.encode())]
        return right[0] if right else None


def hostname(host: str) -> str:
    """The name of a Host header without port and brackets; empty when it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _refuse(path: str, status: int, text: str) -> Response:
    if path.startswith("/v1/"):
        return ApiError(status, text, "forbidden" if status == 403 else "invalid_api_key").response()
    return PlainTextResponse(text + "\n", status)
