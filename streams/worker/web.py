"""The worker's web server: /metrics, /healthz and /readyz, in a thread of its own so that it answers when the rest
does not."""

from collections.abc import Callable
from typing import Any

import faust
import orjson
from aiohttp.web import BaseSite, TCPSite
from faust.web.drivers.aiohttp import Web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from streams.ops.health import Health


class WorkerWeb(Web):
    """Faust's own, without its pages, on any free port if that is 0; says where it listens."""

    default_blueprints = ()
    production_blueprints = ()
    debug_blueprints = ()
    optional_blueprints = ()

    def __init__(self, app: faust.App, host: str, port: int, listening: Callable[[str], None]) -> None:
        super().__init__(app)
        self._host = host
        self._port = port
        self._listening = listening

    async def start_server(self) -> None:
        await super().start_server()
        host, port = self._runner.addresses[0][:2]
        self._listening(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")

    def _create_site(self) -> BaseSite:
        return TCPSite(self._runner, self._host, self._port)


def add_pages(app: faust.App, health: Health, registry: CollectorRegistry, observe: Callable[[], None]) -> None:
    """Healthy is 200 and unhealthy 503, with the reasons. `observe` sets the gauges that are read off at a scrape."""

    async def metrics(web: Web, _: Any) -> Any:
        observe()
        return web.bytes(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(web: Web, _: Any) -> Any:
        problems = health.problems()
        return _answer(
            web,
            not problems,
            {"status": "unhealthy" if problems else "ok", "problems": problems, "notices": health.notices()},
        )

    async def readyz(web: Web, _: Any) -> Any:
        waiting = health.waiting_for()
        return _answer(web, not waiting, {"status": "not ready" if waiting else "ready", "waiting_for": waiting})

    pages: list[tuple[str, Any]] = [("/metrics", metrics), ("/healthz", healthz), ("/readyz", readyz)]
    for path, page in pages:
        app.page(path)(page)


def _answer(web: Web, good: bool, said: dict[str, object]) -> Any:
    headers = {"Content-Type": "application/json"}
    return web.bytes(orjson.dumps(said), status=200 if good else 503, headers=headers)
