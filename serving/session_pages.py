"""Logging in and out, language and theme."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from serving.access import SESSION_SECONDS
from serving.guard import SESSION_COOKIE, ThePerson, Tokened, parts_of
from serving.problems import Problem
from serving.publishing import NotTaken
from serving.rendering import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, page
from serving.speech import LANGUAGES

YEAR_SECONDS = 365 * 86_400

router = APIRouter()


@router.get("/")
async def home(person: ThePerson) -> Response:
    """To where this person works."""
    if person is None:
        return _to("/login")
    return _to("/alerts" if person.may("alerts") else "/running")


@router.get("/login")
async def login(request: Request, person: ThePerson) -> Response:
    """The form that asks for the access key."""
    return _to("/") if person is not None else page(request, "login.html", wrong=False)


@router.post("/login")
async def log_in(request: Request, key: Annotated[str, Form(max_length=200)]) -> Response:
    """Begins a session. It carries no token, for there is no session yet; what it needs is the key."""
    parts = parts_of(request)
    person, session = parts.access.person(key.strip()), parts.access.session(key.strip())
    if person is None or session is None:
        return page(request, "login.html", 403, wrong=True)
    try:
        await parts.publisher.audit(person.name, "log_in")
    except NotTaken as error:
        raise Problem(503, f"Who logs in must be written down, and can't be: {error}") from error
    answer = _to("/")
    secure = parts.settings.serve_ssl_certificate_location is not None
    answer.set_cookie(SESSION_COOKIE, session, max_age=SESSION_SECONDS, httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/logout", dependencies=[Tokened])
async def log_out() -> Response:
    """Ends the session in this browser."""
    answer = _to("/login")
    answer.delete_cookie(SESSION_COOKIE)
    return answer


@router.post("/preferences", dependencies=[Tokened])
async def preferences(
    language: Annotated[str | None, Form()] = None,
    theme: Annotated[str | None, Form()] = None,
    back: Annotated[str, Form(max_length=2_000)] = "/",
) -> Response:
    """Keeps language or theme, and goes back to the page."""
    local = back.startswith("/") and not back.startswith(("//", "/\\"))
    answer = _to(back if local else "/")
    for cookie, value, known in ((LANGUAGE_COOKIE, language, LANGUAGES), (THEME_COOKIE, theme, THEMES)):
        if value in known:
            answer.set_cookie(cookie, str(value), max_age=YEAR_SECONDS, samesite="strict")
    return answer


def _to(address: str) -> RedirectResponse:
    return RedirectResponse(address, 303)
