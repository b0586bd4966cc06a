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
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ozfig.serve.problems import ApiError
from ozfig.serve.settings import LOOPBACK, Settings, ip_address

OPEN_PATHS = {"/health", "/ready"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}


class Guard:
    """ASGI middleware: Host, Origin, key, and security headers on every reply.

    It is plain ASGI because Starlette's base class hides a client's hanging up from streams.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope["path"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, path: str, headers: Headers) -> Response | None:
        if not self.is_ours(headers.get("host", "")):
            text = f"the host {headers.get('host', '')!r} is not this server; allow it with OZFIG_ALLOWED_HOSTS"
            return _refuse(path, 403, text)
        if self.is_foreign(headers):
            return _refuse(path, 403, "pages of other sites may not call this server")
        if self._settings.api_key and path not in OPEN_PATHS and not self.has_key(headers):
            # a browser asks for the key in its own dialog: any name, the key as password
            scheme = 'Basic realm="ozfig"' if _is_page(path) else "Bearer"
            refusal = _refuse(path, 401, "this server needs its key: Authorization: Bearer KEY")
            refusal.headers["WWW-Authenticate"] = scheme
            return refusal
        return None

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
        return headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate"

    def has_key(self, headers: Headers) -> bool:
        """Whether the request brings the key, as a bearer token or as the password of Basic."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode(), self._settings.api_key.encode())


def hostname(host: str) -> str:
    """The name of a Host header without port and brackets; empty when it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_page(path: str) -> bool:
    return not path.startswith(("/v1/", "/prompt/"))


def _refuse(path: str, status: int, text: str) -> Response:
    if path.startswith("/v1/"):
        return ApiError(status, text, "forbidden" if status == 403 else "invalid_api_key").response()
    return PlainTextResponse(text + "\n", status)
