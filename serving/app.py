"""The web server: API, console, health, put together."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Match, Route

from serving import alert_pages, api, bank_pages, customer_pages, session_pages
from serving.documented import document
from serving.guard import Guard
from serving.parts import Parts
from serving.problems import Problem
from serving.rendering import STATIC, error_page
from streams.ops.settings import LOOPBACK
from streams.store.port import StoreUnavailable

_PAGES = (session_pages, alert_pages, customer_pages, bank_pages)

_log = logging.getLogger("tracker.serving")


def application(parts: Parts) -> FastAPI:
    """The app over parts that `close` with it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        parts.feed.start()
        yield
        parts.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=f"{api.PREFIX}/openapi.json")
    app.state.parts = parts
    app.openapi = lambda: document(api.router.routes)  # type: ignore[method-assign]
    app.include_router(api.router)
    for pages in _PAGES:
        app.include_router(pages.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC))
    _add_health(app, parts)
    _add_errors(app)
    app.add_middleware(Guard, parts=parts)
    if parts.access.open:  # so that no site can reach it under a name of its own
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, "[::1]"])
    return app


def _add_health(app: FastAPI, parts: Parts) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        waiting = [] if parts.feed.caught_up else ["the topics have not been read yet"]
        if parts.feed.trouble:
            waiting.append(f"Kafka: {parts.feed.trouble}")
        try:
            await parts.customers.positions()
        except StoreUnavailable as error:
            waiting.append(str(error))
        body = {"status": "not ready" if waiting else "ready", "waiting_for": waiting}
        return JSONResponse(body, 503 if waiting else 200)


def _methods(request: Request) -> set[str]:
    """All that the address takes."""
    return {
        method
        for module in (api, *_PAGES)
        for route in module.router.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }


def _add_errors(app: FastAPI) -> None:
    def answer(request: Request, problem: Problem) -> Response:
        if request.url.path.startswith("/api/"):
            return problem.response()
        if problem.status == 401:
            return RedirectResponse("/login", 303)
        return error_page(request, problem)

    @app.exception_handler(Problem)
    async def expected(request: Request, problem: Problem) -> Response:
        return answer(request, problem)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [{"field": str(each["loc"][-1]), "rule": str(each["msg"])} for each in error.errors()]
        detail = "; ".join(f"{each['field']}: {each['rule']}" for each in errors)
        return answer(request, Problem(422, detail, errors=errors))

    @app.exception_handler(HTTPException)
    async def by_the_framework(request: Request, error: HTTPException) -> Response:
        details = {404: "There is nothing at this address", 405: "This address does not take that method"}
        problem = Problem(error.status_code, details.get(error.status_code, "The request is wrong"))
        problem.headers = dict(error.headers or {})
        if error.status_code == 405:  # the framework names those of the first route with this path only
            problem.headers["Allow"] = ", ".join(sorted(_methods(request)))
        return answer(request, problem)

    @app.exception_handler(StoreUnavailable)
    async def no_state(request: Request, error: StoreUnavailable) -> Response:
        return answer(request, Problem(503, f"The state can't be read at this moment: {error}", Retry_After="1"))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        # The message of an unknown error may hold what was sent; where it was raised does not.
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
        _log.error("a request failed: %s at %s", type(error).__name__, where)
        return answer(request, Problem(500, "Something is wrong with this program; its log says where"))
