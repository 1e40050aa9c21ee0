"""What every request passes: who asks, how often, from which site; and what every answer carries."""

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access import ANYONE, MAY, Access, Permission, Person
from serving.limits import RateLimit
from serving.parts import Parts
from serving.problems import Problem

SESSION_COOKIE = "tracker_session"
BODY_BYTES_MAX = 65_536
LOG_INS_PER_SECOND = 0.2
LOG_INS_BURST = 10.0

_SAFE = ("GET", "HEAD", "OPTIONS")
_OPEN_PATHS = ("/static/", "/healthz", "/readyz")

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""No inline script or style, nothing from elsewhere."""


def parts_of(request: Request) -> Parts:
    """The server's parts."""
    parts: Parts = request.app.state.parts
    return parts


def person_of(request: Request) -> Person | None:
    """Who asks: by the key in the header, else by the session; None for nobody known."""
    access: Access = parts_of(request).access
    if access.open:
        return ANYONE
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return access.person(key.strip())
    cookie = request.cookies.get(SESSION_COOKIE)
    return None if cookie is None else access.of_session(cookie)


def session_of(request: Request) -> str:
    """What the tokens of this session's forms are made of."""
    return request.cookies.get(SESSION_COOKIE, "") if not parts_of(request).access.open else "open"


def allowed(permission: Permission) -> Callable[[Request], Person]:
    """A dependency: the person, who may do that. Raises Problem 401 or 403."""

    def person(request: Request) -> Person:
        asking = person_of(request)
        if asking is None:
            raise Problem(401, "Give an access key: Authorization: Bearer tracker_...", WWW_Authenticate="Bearer")
        if not asking.may(permission):
            roles = ", ".join(role for role, may in MAY.items() if permission in may)
            raise Problem(403, f"This needs one of the roles {roles}")
        return asking

    person.permission = permission  # type: ignore[attr-defined]
    return person


async def with_token(request: Request) -> None:
    """A dependency of every form: it carries the session's token. Raises Problem 403."""
    token = (await request.form()).get("token")
    if not isinstance(token, str) or not parts_of(request).access.is_token(session_of(request), token):
        raise Problem(403, "The form is out of date: load the page again, and send it once more")


Tokened = Depends(with_token)
ThePerson = Annotated[Person | None, Depends(person_of)]


class Guard:
    """ASGI middleware for what needs no route: how large, how often, from where; and the headers of every answer."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts
        self._limit = RateLimit(parts.settings.serve_requests_per_second, time.monotonic)
        self._log_ins = RateLimit(LOG_INS_PER_SECOND, time.monotonic, LOG_INS_BURST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(scope["path"], MutableHeaders(scope=message))
            await send(message)

        try:
            self._check(Request(scope, receive))
        except Problem as problem:
            await problem.response()(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def _add_headers(self, path: str, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if not path.startswith("/static/"):
            headers.setdefault("Cache-Control", "no-store")
        if self._parts.settings.serve_ssl_certificate_location is not None:
            headers["Strict-Transport-Security"] = "max-age=31536000"

    def _check(self, request: Request) -> None:
        path = request.url.path
        if not path.startswith(_OPEN_PATHS):
            self._check_rate(request, path)
        if request.method in _SAFE:
            return
        try:
            length = int(request.headers.get("content-length", "0"))
        except ValueError:
            raise Problem(400, "Content-Length: is no number") from None
        if length > BODY_BYTES_MAX or "transfer-encoding" in request.headers:
            raise Problem(413, f"At most {BODY_BYTES_MAX:,} bytes, with a Content-Length")
        if not _same_site(request):
            raise Problem(403, "This request comes from a page of another site")

    def _check_rate(self, request: Request, path: str) -> None:
        address = request.client.host if request.client else ""
        if path == "/login" and request.method == "POST" and (wait := self._log_ins.wait_seconds(address)):
            raise _too_many(wait)
        person = person_of(request)
        caller = f"{address} {person.name}" if person else address
        if wait := self._limit.wait_seconds(caller):
            raise _too_many(wait)


def _too_many(wait: float) -> Problem:
    return Problem(429, "Too many requests; wait as long as Retry-After says", Retry_After=str(int(wait) + 1))


def _same_site(request: Request) -> bool:
    """Whether a browser says that a page of this server sent it, or it is no browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")
