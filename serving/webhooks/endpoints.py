"""Who receives webhooks: a TOML file of `[[endpoint]]`s, read once at start, all mistakes told at once."""

import tomllib
from base64 import b64decode
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta
from standardwebhooks import Webhook

from schemas.alert import Kind
from serving.toml_tables import mistake, tables

SECRET_PREFIX = "whsec_"
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
SECRETS_MAX = 2
ENDPOINTS_MAX = 20


class EndpointError(ValueError):
    """The file is wrong; the text has a line for each mistake."""


class Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[endpoint]]` as it is written."""

    name: Annotated[str, Meta(pattern="^[a-z0-9-]{1,40}$")]
    """Stands in the consumer group, in metrics and in dead letters: another name starts anew."""
    url: Annotated[str, Meta(min_length=1, max_length=2_000)]
    secret_file: Annotated[str, Meta(min_length=1)]
    """From the folder of this file on. A secret a line, the newest first; two while it is changed, and both sign."""
    kinds: Annotated[tuple[Kind, ...], Meta(min_length=1)] = ("churn_risk", "next_best_offer")
    begin: Literal["now", "start"] = "now"
    """Where a new endpoint begins in the topic of alerts."""
    timeout_seconds: Annotated[float, Meta(gt=0, le=60)] = 10.0
    give_up_hours: Annotated[float, Meta(gt=0, le=168)] = 24.0
    """For how long one alert is tried before it goes to the dead letters."""


class Endpoint(NamedTuple):
    """One that can be delivered to."""

    described: Described
    signers: tuple[Webhook, ...]

    @property
    def name(self) -> str:
        return self.described.name


def read_endpoints(file: Path) -> list[Endpoint]:
    """The endpoints of a file, with their secrets. Raises EndpointError with every mistake, OSError."""
    try:
        listed, mistakes = tables(file.read_text("utf-8"), "endpoint")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EndpointError(f"is not TOML: {error}") from None
    endpoints: list[Endpoint] = []
    if len(listed) > ENDPOINTS_MAX:
        mistakes.append(f"holds {len(listed)} endpoints; there may be {ENDPOINTS_MAX}")
    for number, table in enumerate(listed, 1):
        try:
            endpoints.append(_endpoint(table, file.parent))
        except EndpointError as error:
            mistakes.append(f"endpoint {number}: {error}")
    names = [each.name for each in endpoints]
    mistakes += [
        f"endpoint {name}: another has the same name" for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if mistakes:
        raise EndpointError("\n".join(mistakes))
    return endpoints


def _endpoint(table: Any, folder: Path) -> Endpoint:
    try:
        described = msgspec.convert(table, Described)
    except msgspec.ValidationError as error:
        raise EndpointError(mistake(error)) from None
    if (wrong := _url_mistake(described.url)) is not None:
        raise EndpointError(f"{wrong}, at `url`")
    try:
        lines = folder.joinpath(described.secret_file).read_text("utf-8").split()
    except OSError as error:
        raise EndpointError(f"can't be read: {error.strerror}, at `secret_file`") from None
    except UnicodeDecodeError:
        raise EndpointError("is not text, at `secret_file`") from None
    if not 1 <= len(lines) <= SECRETS_MAX:
        raise EndpointError(
            f"holds {len(lines)} secrets; it may hold 1 or {SECRETS_MAX}, a line each, at `secret_file`"
        )
    return Endpoint(described, tuple(_signer(line) for line in lines))


def _url_mistake(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL"
    if not host or parts.scheme not in ("http", "https"):
        return "must begin with https:// and a host"
    if parts.username is not None or parts.fragment:
        return "must have no user, password or fragment"
    if parts.scheme == "http" and not _is_loopback(host):
        return "must begin with https://: http:// is for receivers on the same machine"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _signer(secret: str) -> Webhook:
    """Raises EndpointError, which does not repeat it."""
    wrong = EndpointError(
        f"a secret is {SECRET_PREFIX} and {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes in base64"
        " (`tracker webhooks secret` makes one), at `secret_file`"
    )
    if not secret.startswith(SECRET_PREFIX):
        raise wrong
    try:
        size = len(b64decode(secret.removeprefix(SECRET_PREFIX), validate=True))
    except ValueError:
        raise wrong from None
    if not SECRET_BYTES_MIN <= size <= SECRET_BYTES_MAX:
        raise wrong
    return Webhook(secret)
