"""Settings: every mistake is reported at once, with the name to change and what to write."""

from pathlib import Path

import pytest
from redis.connection import SSLConnection

from commands.settings import SECTIONS, reference
from streams.ops.settings import SECRETS, Settings, SettingsError, load_settings, variable
from streams.store.redis_options import nodes, options_of


@pytest.fixture(autouse=True)
def _no_settings_of_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", *Settings.model_fields):
        monkeypatch.delenv(variable(name), raising=False)


def _mistakes(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value).splitlines()


def test_nothing_set_gives_the_defaults() -> None:
    settings = load_settings()
    assert (settings.partitions, settings.base_currency, settings.redis_url) == (8, "EUR", None)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "tracker.toml"
    file.write_text('partitions = 3\nbase_currency = "CZK"\n')
    monkeypatch.setenv("TRACKER_CONFIG", str(file))
    monkeypatch.setenv("TRACKER_PARTITIONS", "5")
    settings = load_settings()
    assert (settings.partitions, settings.base_currency) == (5, "CZK")


def test_every_mistake_is_reported_at_once_with_the_variable_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _mistakes(
        monkeypatch,
        TRACKER_PARTITIONS="0",
        TRACKER_CLOCK="sun",
        TRACKER_BASE_CURRENCY="XXQ",
        TRACKER_REDIS_URL="http://user:hidden@host",
        TRACKER_KAFKA_BOOTSTRAP_SERVERS="localhost",
    )
    assert [line.split(":")[0] for line in lines] == [
        "TRACKER_KAFKA_BOOTSTRAP_SERVERS",
        "TRACKER_REDIS_URL",
        "TRACKER_PARTITIONS",
        "TRACKER_BASE_CURRENCY",
        "TRACKER_CLOCK",
    ]
    assert "host:port" in lines[0]
    assert "'redis', 'rediss' or 'unix'" in lines[1]
    assert "greater than or equal to 1 (it is '0')" in lines[2]
    assert "write for example EUR" in lines[3]
    assert "'wall' or 'stream'" in lines[4]


def test_a_url_that_may_hold_a_password_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hidden" not in "\n".join(_mistakes(monkeypatch, TRACKER_REDIS_URL="http://user:hidden@host"))


@pytest.mark.parametrize("code", ["eur", "XAU", "XXX", "EURO", ""])
def test_a_base_currency_must_be_a_code_with_minor_units(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    assert len(_mistakes(monkeypatch, TRACKER_BASE_CURRENCY=code)) == 1


@pytest.mark.parametrize("code", ["EUR", "CZK", "JPY", "KWD"])
def test_iso_4217_codes_are_taken(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setenv("TRACKER_BASE_CURRENCY", code)
    assert load_settings().base_currency == code


def test_an_unknown_variable_is_reported_with_the_nearest_known_name(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _mistakes(monkeypatch, TRACKER_REDIS_ULR="redis://h", TRACKER_PARTITIONS="many")
    assert lines[0] == "TRACKER_REDIS_ULR: there is no such setting; did you mean TRACKER_REDIS_URL?"
    assert lines[1].startswith("TRACKER_PARTITIONS: ")


def test_an_unknown_key_in_the_file_is_reported_with_the_nearest_known_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "tracker.toml"
    file.write_text("partitons = 3\nweb_port = 70000\n")
    lines = _mistakes(monkeypatch, TRACKER_CONFIG=str(file))
    assert lines[0] == f"partitons in {file}: there is no such setting; did you mean partitions?"
    assert lines[1].startswith(f"TRACKER_WEB_PORT, or web_port in {file}: ")


@pytest.mark.parametrize("text", [None, "partitions = = 3"])
def test_a_file_that_cannot_be_read_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "tracker.toml"
    if text is not None:
        file.write_text(text)
    (line,) = _mistakes(monkeypatch, TRACKER_CONFIG=str(file))
    assert line.startswith("TRACKER_CONFIG: ")


def test_sasl_needs_a_user_and_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _mistakes(monkeypatch, TRACKER_KAFKA_SECURITY_PROTOCOL="sasl_ssl")
    assert [line.split(":")[0] for line in lines] == ["TRACKER_KAFKA_SASL_USERNAME", "TRACKER_KAFKA_SASL_PASSWORD"]


def test_a_password_that_would_travel_nowhere_is_a_mistake_and_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = _mistakes(monkeypatch, TRACKER_KAFKA_SASL_PASSWORD="hidden")
    assert "TRACKER_KAFKA_SECURITY_PROTOCOL" in line
    assert "hidden" not in line


def test_authorities_without_tls_are_a_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_text("")
    (line,) = _mistakes(monkeypatch, TRACKER_KAFKA_SSL_CA_LOCATION=str(pem))
    assert line.startswith("TRACKER_KAFKA_SSL_CA_LOCATION: would not be used")


def test_two_settings_cannot_name_one_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = _mistakes(monkeypatch, TRACKER_TOPIC_ALERTS="transactions")
    assert line.startswith("TRACKER_TOPIC_ALERTS: must not be the topic of TRACKER_TOPIC_TRANSACTIONS")


def test_a_console_without_keys_is_for_this_machine_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (line,) = _mistakes(monkeypatch, TRACKER_SERVE_HOST="0.0.0.0")
    assert line.startswith("TRACKER_SERVE_HOST: without TRACKER_SERVE_KEYS_FILE it must be one of 127.0.0.1")
    keys = tmp_path / "keys.toml"
    keys.write_text("")
    monkeypatch.setenv("TRACKER_SERVE_KEYS_FILE", str(keys))
    assert load_settings().serve_host == "0.0.0.0"


def test_a_secret_of_sessions_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = _mistakes(monkeypatch, TRACKER_SERVE_SECRET="hidden")
    assert "shorter than 32 characters" in line
    assert "hidden" not in line


def test_a_file_of_rates_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (line,) = _mistakes(monkeypatch, TRACKER_RATES_FILE=str(tmp_path / "none.toml"))
    assert "there is no file" in line


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_comes_from_a_file_without_the_end_of_its_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    file, pem = tmp_path / "secret", tmp_path / "some.pem"
    file.write_text("redis://u:hidden@host-of-long-name:1/0\r\n")
    pem.write_text("")
    monkeypatch.setenv("TRACKER_KAFKA_SECURITY_PROTOCOL", "sasl_ssl")
    monkeypatch.setenv("TRACKER_KAFKA_SASL_USERNAME", "u")
    monkeypatch.setenv("TRACKER_KAFKA_SASL_PASSWORD", "p")
    monkeypatch.setenv("TRACKER_KAFKA_SSL_CERTIFICATE_LOCATION", str(pem))
    monkeypatch.setenv("TRACKER_KAFKA_SSL_KEY_LOCATION", str(pem))
    monkeypatch.setenv("TRACKER_REDIS_SENTINELS", "h:1")
    if name == "redis_ssl_key_password":
        monkeypatch.setenv("TRACKER_REDIS_SSL_CERTIFICATE_LOCATION", str(pem))
        monkeypatch.setenv("TRACKER_REDIS_SSL_KEY_LOCATION", str(pem))
    monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.setenv(f"{variable(name)}_FILE", str(file))
    held = getattr(load_settings(), name)
    assert (
        held.get_secret_value() if hasattr(held, "get_secret_value") else str(held)
    ) == "redis://u:hidden@host-of-long-name:1/0"


@pytest.mark.parametrize("name", ["redis_url", "control_key"])
def test_a_secret_given_twice_is_a_mistake_and_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "secret"
    file.write_text("redis://in:hidden@file/0")
    given = {variable(name): "redis://u:hidden@environment/0", f"{variable(name)}_FILE": str(file)}
    (line,) = _mistakes(monkeypatch, **given)
    assert line.startswith(f"{variable(name)}: given twice: leave out one of this and {variable(name)}_FILE")
    assert "hidden" not in line


def test_the_content_of_a_secret_file_is_checked_like_the_setting_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("http://u:hidden@h")
    (line,) = _mistakes(monkeypatch, TRACKER_REDIS_URL_FILE=str(file))
    assert line.startswith("TRACKER_REDIS_URL: URL scheme should be")
    assert "hidden" not in line


def test_a_secret_file_that_is_not_text_is_a_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xff\xfehidden")
    (line,) = _mistakes(monkeypatch, TRACKER_CONTROL_KEY_FILE=str(file))
    assert line.startswith("TRACKER_CONTROL_KEY: the file that TRACKER_CONTROL_KEY_FILE names cannot be read as text")


def test_a_certificate_and_its_key_are_needed_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pem = tmp_path / "some.pem"
    pem.write_text("")
    monkeypatch.setenv("TRACKER_KAFKA_SECURITY_PROTOCOL", "ssl")
    (line,) = _mistakes(monkeypatch, TRACKER_KAFKA_SSL_CERTIFICATE_LOCATION=str(pem))
    assert line.startswith("TRACKER_KAFKA_SSL_KEY_LOCATION: needed, because TRACKER_KAFKA_SSL_CERTIFICATE_LOCATION")
    monkeypatch.delenv("TRACKER_KAFKA_SSL_CERTIFICATE_LOCATION")
    (line,) = _mistakes(monkeypatch, TRACKER_KAFKA_SSL_KEY_LOCATION=str(pem))
    assert line.startswith("TRACKER_KAFKA_SSL_KEY_LOCATION: would not be used")


def test_a_certificate_without_tls_is_a_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pem = tmp_path / "some.pem"
    pem.write_text("")
    certificate, key = "TRACKER_KAFKA_SSL_CERTIFICATE_LOCATION", "TRACKER_KAFKA_SSL_KEY_LOCATION"
    lines = _mistakes(monkeypatch, **{certificate: str(pem), key: str(pem)})
    assert [line.split(" (")[0] for line in lines] == [
        f"{name}: would not be used: TRACKER_KAFKA_SECURITY_PROTOCOL is plaintext; write ssl or sasl_ssl"
        for name in (certificate, key)
    ]


def test_the_password_of_no_key_is_a_mistake_and_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = _mistakes(monkeypatch, TRACKER_KAFKA_SSL_KEY_PASSWORD="hidden")
    assert line.startswith("TRACKER_KAFKA_SSL_KEY_PASSWORD: would not be used: set TRACKER_KAFKA_SSL_KEY_LOCATION too")
    assert "hidden" not in line


def test_every_setting_is_in_the_reference_once_with_its_meaning() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `TRACKER_")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(map(variable, Settings.model_fields))
    assert all(field.description for field in Settings.model_fields.values())
    assert list(SECTIONS) == [line[3:] for line in reference().splitlines() if line.startswith("## ")]
    assert "| `TRACKER_SESSION_TIMEOUT_MS` | 1,000 to 1,800,000 | `6000` |" in reference()
    assert "| `TRACKER_CLOCK` | `wall`, `stream` | `wall` |" in reference()


def test_every_setting_with_a_secret_type_counts_as_a_secret() -> None:
    typed = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]
    assert set(typed) | {"redis_url"} == set(SECRETS)


def test_nodes_of_a_cluster_are_named_in_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_REDIS_CLUSTER", "1")
    monkeypatch.setenv("TRACKER_REDIS_URL", "rediss://u:p%2Cw@a:7000,[::1]:7001,c/0")
    settings = load_settings()
    assert nodes(settings) == [("a", 7000), ("::1", 7001), ("c", 6379)]
    options = options_of(settings)
    assert (options["username"], options["password"], options["host"], options["port"]) == ("u", "p,w", "a", 7000)
    assert options["connection_class"] is SSLConnection


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://h:1/3", {"host": "h", "port": 1, "db": 3}),
        ("redis://:p@h", {"host": "h", "password": "p"}),
        ("redis://u:a%40b@[::1]:2/0?health_check_interval=2", {"host": "::1", "username": "u", "password": "a@b"}),
        ("unix:///tmp/redis.sock", {"path": "/tmp/redis.sock"}),
    ],
)
def test_an_address_of_one_redis_is_read_whole(
    monkeypatch: pytest.MonkeyPatch, url: str, options: dict[str, object]
) -> None:
    monkeypatch.setenv("TRACKER_REDIS_URL", url)
    found = options_of(load_settings())
    assert {name: found[name] for name in options} == options


def test_several_servers_that_are_no_cluster_are_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = _mistakes(monkeypatch, TRACKER_REDIS_URL="redis://u:hidden@a:1,b:2")
    assert line.startswith("TRACKER_REDIS_CLUSTER: TRACKER_REDIS_URL names several servers")
    assert "hidden" not in line


def test_files_for_a_redis_without_tls_are_a_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pem = tmp_path / "some.pem"
    pem.write_text("")
    monkeypatch.setenv("TRACKER_REDIS_URL", "redis://h:1")
    ca, certificate, key = (f"TRACKER_REDIS_SSL_{name}_LOCATION" for name in ("CA", "CERTIFICATE", "KEY"))
    lines = _mistakes(monkeypatch, **{ca: str(pem), certificate: str(pem), key: str(pem)})
    assert [line.split(" (")[0] for line in lines] == [
        f"{name}: would not be used: TRACKER_REDIS_URL must be a rediss:// address" for name in (ca, certificate, key)
    ]


def test_a_certificate_for_redis_and_its_key_are_needed_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pem = tmp_path / "some.pem"
    pem.write_text("")
    monkeypatch.setenv("TRACKER_REDIS_URL", "rediss://h:1")
    (line,) = _mistakes(monkeypatch, TRACKER_REDIS_SSL_CERTIFICATE_LOCATION=str(pem))
    assert line.startswith("TRACKER_REDIS_SSL_KEY_LOCATION: needed")
    monkeypatch.delenv("TRACKER_REDIS_SSL_CERTIFICATE_LOCATION")
    (line,) = _mistakes(monkeypatch, TRACKER_REDIS_SSL_KEY_PASSWORD="hidden")
    assert line.startswith("TRACKER_REDIS_SSL_KEY_PASSWORD: would not be used")
    assert "hidden" not in line


def test_a_user_of_sentinels_needs_sentinels_and_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = _mistakes(monkeypatch, TRACKER_REDIS_SENTINEL_PASSWORD="hidden")
    assert line.startswith("TRACKER_REDIS_SENTINEL_PASSWORD: would not be used")
    assert "hidden" not in line
    monkeypatch.delenv("TRACKER_REDIS_SENTINEL_PASSWORD")
    monkeypatch.setenv("TRACKER_REDIS_SENTINELS", "h:1")
    (line,) = _mistakes(monkeypatch, TRACKER_REDIS_SENTINEL_USERNAME="u")
    assert line.startswith("TRACKER_REDIS_SENTINEL_PASSWORD: needed")
