"""The pages' password: one for all, remembered by a signed cookie.

A session is `expiry.signature`; its key comes from the password by scrypt (RFC 7914), so that it outlives a restart and
ends when the password changes.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.requests import cookie_parser

from ozfig.serve.depends import ThePages
from ozfig.serve.turnstile import Window

router = APIRouter(include_in_schema=False)
COOKIE = "ozfig_session"
SECONDS = 30 * 24 * 3600
TRIES = 5  # wrong passwords a minute from one address, and ten times as many from all
LONGEST = 4096  # bytes of a form
HEADERS = {"Cache-Control": "no-store"}


class Sessions:
    """Who is logged in. Without a password nobody is."""

    def __init__(self, password: str) -> None:
        self.password = password
        self._key = hashlib.scrypt(password.encode(), salt=b"ozfig session", n=2**14, r=8, p=1) if password else b""
        self._tries, self._all_tries = Window(TRIES), Window(10 * TRIES)

    def has(self, cookies: str) -> bool:
        """Whether a Cookie header holds a session that is valid still."""
        if not self._key:
            return False
        # not http.cookies: it gives up at the first cookie of another program that it cannot read
        expiry, _, signature = cookie_parser(cookies).get(COOKIE, "").partition(".")
        sound = hmac.compare_digest(signature.encode(), self._signature(expiry).encode())
        return sound and expiry.isdigit() and int(expiry) > time.time()

    def make(self) -> str:
        """The cookie's value for a new session."""
        expiry = str(int(time.time()) + SECONDS)
        return f"{expiry}.{self._signature(expiry)}"

    def wait(self, address: str) -> float:
        """Seconds until an address may try again; 0 is now."""
        return max(self._tries.wait(address), self._all_tries.wait(""))

    def check(self, given: str, address: str) -> bool:
        """Whether a password is right; a wrong one is counted."""
        right = bool(self.password) and hmac.compare_digest(given.encode(), self.password.encode())
        if not right:
            self._tries.note(address)
            self._all_tries.note("")
        return right

    def _signature(self, expiry: str) -> str:
        return hmac.new(self._key, expiry.encode(), hashlib.sha256).hexdigest()


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


TheSessions = Annotated[Sessions, Depends(_sessions)]


@router.get("/login")
def form(pages: ThePages) -> HTMLResponse:
    """The page that asks for the password."""
    return HTMLResponse(pages.login(), headers=HEADERS)


@router.post("/login")
async def login(request: Request, pages: ThePages, sessions: TheSessions) -> Response:
    """Check the password of a form and begin a session."""
    address = request.client.host if request.client else ""
    body = await _limited(request)
    # no await from here on: bodies that are held back and sent at once must not all pass
    if wait := sessions.wait(address):
        again = {**HEADERS, "Retry-After": str(int(wait) + 1)}
        return HTMLResponse(pages.login(f"Too many tries. Wait {wait:.0f} seconds."), 429, again)
    given = parse_qs(body.decode("utf-8", "replace")).get("password", [""])[0]
    if not sessions.check(given, address):
        return HTMLResponse(pages.login("This is not the password."), 401, HEADERS)
    reply = RedirectResponse("/", 303, HEADERS)
    secure = request.url.scheme == "https"
    reply.set_cookie(COOKIE, sessions.make(), SECONDS, httponly=True, samesite="strict", secure=secure)
    return reply


@router.post("/logout")
def logout() -> Response:
    """End this browser's session."""
    reply = RedirectResponse("/login", 303, HEADERS)
    reply.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return reply


async def _limited(request: Request) -> bytes:
    """The beginning of a body, so that nobody can fill the memory."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            break
    return body[:LONGEST]
