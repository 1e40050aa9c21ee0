"""Templates filled for one person: their language, their rights, the tokens of their forms."""

from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, Response

from serving.guard import parts_of, person_of, session_of
from serving.problems import Problem
from serving.speech import LANGUAGES, Speech, language_of

LANGUAGE_COOKIE, THEME_COOKIE = "tracker_language", "tracker_theme"
THEMES = ("auto", "light", "dark")

HERE = Path(__file__).parent
STATIC = HERE / "static"

_templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def speech_of(request: Request) -> Speech:
    """How to speak to whoever asks."""
    language = language_of(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))
    return Speech(language, parts_of(request).settings.base_currency)


def filled(request: Request, template: str, **context: Any) -> str:
    """A template's text."""
    parts, speech = parts_of(request), speech_of(request)
    theme = request.cookies.get(THEME_COOKIE, "auto")
    given = {
        "s": speech,
        "_": speech.say,
        "me": person_of(request),
        "open": parts.access.open,
        "token": parts.access.token(session_of(request)),
        "sealed": parts.access.sealed,
        "theme": theme if theme in THEMES else "auto",
        "languages": LANGUAGES,
        "path": request.url.path,
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    }
    return _templates.get_template(template).render(given | context)


def page(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    """A page."""
    return HTMLResponse(filled(request, template, **context), status)


def error_page(request: Request, problem: Problem) -> Response:
    """A page that says what is wrong and what to do, and nothing of what was sent."""
    answer = page(request, "error.html", problem.status, problem=problem)
    answer.headers.update(problem.headers)
    return answer
