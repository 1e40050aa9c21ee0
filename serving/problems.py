"""Errors as RFC 9457 says: application/problem+json, with the field and the rule, never the value."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An expected failure of a request. `detail` is for the reader: what is wrong and what to do."""

    def __init__(self, status: int, detail: str, *, errors: Sequence[dict[str, str]] = (), **headers: str) -> None:
        """Headers are written with _ for -."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase

    def body(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        return document | ({"errors": self.errors} if self.errors else {})

    def response(self) -> Response:
        return Response(orjson.dumps(self.body()), self.status, self.headers, MEDIA_TYPE)


def field_problem(field: str, rule: str) -> Problem:
    """One field breaks one rule."""
    return Problem(422, f"{field}: {rule}", errors=[{"field": field, "rule": rule}])
