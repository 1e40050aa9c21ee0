"""Who may do what: access keys with roles, sessions of the console, and the tokens that keep other sites out.

An access key is 256 random bits, so its SHA-256 is as good as a slow hash: nobody finds one by trying. The file of
keys holds hashes only, and is read anew when it has changed.
"""

import hashlib
import hmac
import logging
import secrets
import tomllib
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal, get_args

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from msgspec import Meta

from serving.toml_tables import mistake, tables

Role = Literal["viewer", "marketer", "operator", "privacy"]
ROLES: tuple[Role, ...] = get_args(Role)

Permission = Literal["alerts", "customers", "export", "outcomes", "portfolio", "running", "switches"]

MAY: dict[Role, frozenset[Permission]] = {
    "viewer": frozenset({"alerts", "customers", "portfolio", "running"}),
    "marketer": frozenset({"alerts", "customers", "portfolio", "running", "outcomes"}),
    "operator": frozenset({"portfolio", "running", "switches"}),
    "privacy": frozenset({"alerts", "customers", "export"}),
}
"""An operator keeps the program running and has no need to know whose figures they are."""

SESSION_SECONDS = 12 * 3600
KEY_PREFIX = "tracker_"
_HASH = r"^[0-9a-f]{64}$"


_log = logging.getLogger("tracker.serving")


class AccessError(ValueError):
    """The file of keys is wrong; the text has a line for each mistake."""


class Person(msgspec.Struct, frozen=True):
    """Who asks."""

    name: str
    roles: tuple[Role, ...]

    def may(self, permission: Permission) -> bool:
        return any(permission in MAY[role] for role in self.roles)


ANYONE = Person("local", ROLES)
"""Whoever reaches a server that listens on loopback only and has no file of keys."""


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[key]]` of the file."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9._@-]+$")]
    sha256: Annotated[str, Meta(pattern=_HASH)]
    roles: Annotated[tuple[Role, ...], Meta(min_length=1)]
    expires: date


def new_key() -> str:
    """A key nobody has."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def read_keys(text: str) -> list[Key]:
    """The keys of a file. Raises AccessError with every mistake."""
    try:
        listed, mistakes = tables(text, "key")
    except tomllib.TOMLDecodeError as error:
        raise AccessError(f"is not TOML: {error}") from None
    keys: list[Key] = []
    for number, table in enumerate(listed, 1):
        try:
            keys.append(msgspec.convert(table, Key))
        except msgspec.ValidationError as error:
            mistakes.append(f"key {number}: {mistake(error)}")
    mistakes += [f"key {name}: another has the same name" for name in _twice(key.name for key in keys)]
    if mistakes:
        raise AccessError("\n".join(mistakes))
    return keys


def _twice(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


class Access:
    """Asked by every request."""

    def __init__(self, file: Path | None, secret: str) -> None:
        """Without a file everybody is ANYONE. Raises AccessError, OSError."""
        self._file = file
        self._lock = Lock()
        self._stamp: tuple[int, int] | None = None
        self._keys: dict[str, Key] = {}
        material = secret.encode() if secret else secrets.token_bytes(32)
        self._seal = Fernet(urlsafe_b64encode(hashlib.sha256(b"seal" + material).digest()))
        self._tokens = hashlib.sha256(b"tokens" + material).digest()
        if file is not None:
            self._read(file)

    @property
    def open(self) -> bool:
        """Whether no key is asked for."""
        return self._file is None

    def person(self, key: str) -> Person | None:
        """Whose key it is; None for none and for one that has expired."""
        return self._known(hash_of(key))

    def session(self, key: str) -> str | None:
        """A cookie for the holder of a key."""
        known = self.person(key)
        return None if known is None else self._seal.encrypt(hash_of(key).encode()).decode()

    def of_session(self, cookie: str) -> Person | None:
        """Whose cookie it is. Roles are those that the key has now; a key that is gone has no session."""
        try:
            key_hash = self._seal.decrypt(cookie.encode(), ttl=SESSION_SECONDS).decode()
        except InvalidToken:
            return None
        return self._known(key_hash)

    def token(self, session: str) -> str:
        """What every form of a session carries, so that no other site can send it."""
        return hmac.digest(self._tokens, session.encode(), "sha256").hex()

    def is_token(self, session: str, token: str) -> bool:
        return hmac.compare_digest(self.token(session), token)

    def sealed(self, identity: str) -> str:
        """An identity as it may stand in an address: nobody but this server can read it."""
        return self._seal.encrypt(identity.encode()).decode().rstrip("=")

    def unsealed(self, text: str) -> str | None:
        """None for what this server has not sealed."""
        try:
            return self._seal.decrypt((text + "=" * (-len(text) % 4)).encode()).decode()
        except InvalidToken:
            return None

    def _known(self, key_hash: str) -> Person | None:
        if self._file is None:
            return None
        self._read(self._file)
        key = self._keys.get(key_hash)
        if key is None or key.expires <= datetime.now(UTC).date():
            return None
        return Person(key.name, key.roles)

    def _read(self, file: Path) -> None:
        with self._lock:
            try:
                stat = file.stat()
                stamp = (stat.st_mtime_ns, stat.st_size)
                if stamp == self._stamp:
                    return
                self._stamp = stamp
                self._keys = {key.sha256: key for key in read_keys(file.read_text("utf-8"))}
            except (OSError, ValueError):
                if not self._keys:  # at the start
                    raise
                _log.exception("the file of access keys can't be read; the last good one holds")
