"""What the commands say when something is wrong: never a secret, and of a broken file never what stands in it."""

import shlex
from pathlib import Path

import orjson
import pytest

from commands.embedded import EmbeddedRedis, free_port
from streams.ops.settings import SECRETS, variable
from tests.live import outside, tracker
from tests.river.test_metrics_day import booked

CUSTOMER, ACCOUNT, EVENT, AMOUNT = "zq-customer-41", "zq-account-42", "zq-event-43", 7_700_777_044
PASSWORD, KEY = "zq-password-45", "zq-control-key-46"
NEVER = (CUSTOMER, ACCOUNT, EVENT, str(AMOUNT), PASSWORD, KEY, "zq-")

GOOD = booked(CUSTOMER, 1_700_000_000_000, event_id=EVENT, account_id=ACCOUNT, amount_minor=AMOUNT)

BROKEN: dict[str, bytes] = {
    "cut off": orjson.dumps(GOOD)[:-5],
    "text as amount": orjson.dumps(GOOD | {"amount_minor": f"{AMOUNT}"}),
    "no such moment": orjson.dumps(GOOD | {"occurred_at": "zq-yesterday"}),
    "no such currency": orjson.dumps(GOOD | {"currency": "zq-"}),
    "no such topic": orjson.dumps(GOOD | {"record": "zq-topic"}),
    "an outcome that isn't one": orjson.dumps(GOOD | {"record": "alert-outcomes", "outcome": "zq-liked"}),
    "a letter that isn't one": orjson.dumps({"partition": 0, "offset": 0, "value": "zq-", "from": {"topic": 1}}),
    "not UTF-8": b'{"customer_id": "zq-\xff"}',
}

COMMANDS = (
    "replay {file} --alerts {out}/a --profiles {out}/p",
    "backtest-offers {file} --taken {file} --split 2026-01-01 --horizon 30",
    "backtest {file} --split 2026-01-01 --horizon 30 --predictions {out}/s --report {out}/r --model {file}",
    "offers check {file}",
    "models list --models {file}",
)


def held(text: str) -> list[str]:
    """Lines that hold what must never be said."""
    return [line for line in text.splitlines() if any(word in line for word in NEVER)]


def said(words: str, environment: dict[str, str]) -> str:
    """What the command says, whatever its status; it must be one that it knows how to end with."""
    for status in (1, 2, 0):
        try:
            return tracker(*shlex.split(words), status=status, environment=outside() | environment).output
        except AssertionError as error:
            other = error
    raise other


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.partition(" {")[0])
def test_a_broken_file_is_not_repeated(command: str, broken: str, tmp_path: Path) -> None:
    file = tmp_path / "broken"
    file.write_bytes(BROKEN[broken] + b"\n")
    found = said(command.format(file=file, out=tmp_path), {})
    assert held(found) == []


UNREACHABLE = (
    "topics create",
    "customer somebody",
)


@pytest.mark.parametrize("command", UNREACHABLE)
def test_a_server_that_is_away_makes_no_command_tell_a_password(command: str) -> None:
    words = said(
        command,
        {
            "TRACKER_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
            "TRACKER_KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
            "TRACKER_KAFKA_SASL_USERNAME": "tracker",
            "TRACKER_KAFKA_SASL_PASSWORD": PASSWORD,
            "TRACKER_REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0",
            "TRACKER_CONTROL_KEY": KEY,
            "TRACKER_RETRY_SECONDS_MAX": "1",
        },
    )
    assert held(words) == []
    assert "Kafka" in words or "Redis" in words


def test_a_wrong_password_is_not_repeated(embedded_redis: EmbeddedRedis) -> None:
    wrong = embedded_redis.url.replace("redis://", f"redis://somebody:{PASSWORD}@")
    words = said("customer somebody", {"TRACKER_REDIS_URL": wrong, "TRACKER_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert "Redis" in words
    assert held(words) == []


WRONG = {
    "kafka_sasl_password": PASSWORD,  # which no protocol asks for
    "kafka_ssl_key_password": PASSWORD,
    "redis_url": f"http://somebody:{PASSWORD}@zq-host/0",
    "redis_ssl_key_password": PASSWORD,
    "redis_sentinel_password": PASSWORD,
    "control_key": KEY * 10,
    "serve_secret": PASSWORD,
}
"""By setting, what it refuses."""


@pytest.mark.parametrize("setting", SECRETS)
@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_mistake_in_a_secret_names_the_setting_and_not_the_secret(setting: str, place: str, tmp_path: Path) -> None:
    file = tmp_path / "tracker.toml"
    file.write_text(f'{setting} = "{WRONG[setting]}"\n')
    given = {variable(setting): WRONG[setting]} if place == "environment" else {"TRACKER_CONFIG": str(file)}
    words = said("verify", given)
    assert variable(setting) in words
    assert held(words) == []


def test_a_configuration_that_is_no_toml_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "tracker.toml"
    for text in (f"control_key = {KEY}", f'redis_url = "{PASSWORD}', f"zq- {PASSWORD} = 1"):
        file.write_text(text)
        assert held(said("verify", {"TRACKER_CONFIG": str(file)})) == []
