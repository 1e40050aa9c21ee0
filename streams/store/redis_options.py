"""What redis-py is told of a connection: from the settings, and what is the same for all."""

import re
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from streams.ops.settings import Settings
from streams.store.routing import Node

ANSWER_SECONDS_MAX = 5.0
SENTINEL_SECONDS_MAX = 1.0
PORT = 6379


def fixed_options(timeout_seconds: float = ANSWER_SECONDS_MAX) -> dict[str, Any]:
    """Of every connection to a Redis; no answer within `timeout_seconds` is an error."""
    return {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "client_name": "customer-tracker",
    }


def options_of(settings: Settings) -> dict[str, Any]:
    """Of a connection to the Redis of TRACKER_REDIS_URL, the first that it names, with its user, password and TLS."""
    url = str(settings.redis_url)
    if len(nodes(settings)) > 1:
        url = re.sub(r",[^/?]*", "", url, count=1)
    given: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
    return given | fixed_options() | _tls(settings)


def nodes(settings: Settings) -> list[Node]:
    """The nodes of a Redis Cluster that TRACKER_REDIS_URL names."""
    assert settings.redis_url is not None
    return [Node(str(host["host"]).strip("[]"), host["port"] or PORT) for host in settings.redis_url.hosts()]


def sentinel_options(settings: Settings) -> dict[str, Any]:
    """Of a connection to a Sentinel: with a user and password of its own, with TLS where Redis has it."""
    secret = settings.redis_sentinel_password
    options = fixed_options(SENTINEL_SECONDS_MAX) | _tls(settings)
    options["ssl"] = str(settings.redis_url).startswith("rediss:")
    if secret is not None:
        options |= {"username": settings.redis_sentinel_username, "password": secret.get_secret_value()}
    return options


def _tls(settings: Settings) -> dict[str, Any]:
    secret = settings.redis_ssl_key_password
    told = {
        "ssl_ca_certs": settings.redis_ssl_ca_location,
        "ssl_certfile": settings.redis_ssl_certificate_location,
        "ssl_keyfile": settings.redis_ssl_key_location,
        "ssl_password": None if secret is None else secret.get_secret_value(),
    }
    return {name: str(value) for name, value in told.items() if value is not None}
