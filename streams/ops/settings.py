"""Settings: environment variables TRACKER_* over an optional TOML file, all checked at start, all errors at once.

The file is the one named in TRACKER_CONFIG, with the same names in lower case and without the prefix.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    UrlConstraints,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
)
from pydantic_core import MultiHostUrl
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from handlers.intake.inputs import SIDE_INPUTS, TRANSACTIONS, InputTopic
from schemas.money import EXPONENTS

PREFIX = "TRACKER_"
GENERAL, OWN_RHYTHM = Path("general"), Path("own-rhythm")
"""Words in the place of a model's file: the model that ships with the program, and none."""
CONFIG = f"{PREFIX}CONFIG"

RedisUrl = Annotated[MultiHostUrl, UrlConstraints(allowed_schemes=["redis", "rediss", "unix"])]
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]


LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Addresses that only programs on the same machine reach."""

SECRETS = (
    "kafka_sasl_password",
    "kafka_ssl_key_password",
    "redis_url",
    "redis_ssl_key_password",
    "redis_sentinel_password",
    "control_key",
    "serve_secret",
)
"""Settings that may hold a secret: nothing repeats what was written, and each may come from a file."""


class SettingsError(Exception):
    """One or more settings are wrong; the text has a line for each, with what to write instead."""


def load_settings() -> "Settings":
    """Settings from the environment and the file of TRACKER_CONFIG. Raises SettingsError with every mistake at once."""
    file = os.environ.get(CONFIG)
    in_file: dict[str, Any] = {}
    if file is not None:
        try:
            in_file = tomllib.loads(Path(file).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"{CONFIG}: {file} cannot be read as a TOML file: {error}") from error
    mistakes = [*_unknown_variables(os.environ), *_unknown_keys(in_file, file)]
    try:
        settings = Settings()
    except ValidationError as error:
        mistakes += [_line(mistake, os.environ, file) for mistake in error.errors() if mistake["type"] != _UNKNOWN]
        raise SettingsError("\n".join(mistakes)) from None
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    return settings


def variable(setting: str) -> str:
    """The environment variable of a setting: redis_url is TRACKER_REDIS_URL."""
    return PREFIX + setting.upper()


def _currency(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError("not an ISO 4217 code of a currency with minor units; write for example EUR")
    return code


def _servers(text: str) -> str:
    if any(not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:,\[\]]+):[0-9]{1,5}", server) for server in text.split(",")):
        raise ValueError("write host:port, several separated by commas without spaces")
    return text


def _key(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value().encode()) > 64:
        raise ValueError("longer than 64 bytes")
    return key


def _long_secret(secret: SecretStr) -> SecretStr:
    if 0 < len(secret.get_secret_value()) < 32:
        raise ValueError("shorter than 32 characters; write for example what `openssl rand -hex 32` prints")
    return secret


def _file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


def _model(path: Path) -> Path:
    return path if path in (GENERAL, OWN_RHYTHM) else _file(path)


def _key_of(certificate: str, given: Path | None, info: ValidationInfo) -> Path | None:
    """A certificate and its key come together or not at all."""
    found = info.data.get(certificate)
    if given is None and found is not None:
        raise ValueError(f"needed, because {variable(certificate)} is set")
    if given is not None and found is None and certificate in info.data:
        raise ValueError(f"would not be used: set {variable(certificate)} too")
    return given


Servers = Annotated[str, AfterValidator(_servers)]
File = Annotated[Path, AfterValidator(_file)]


def _read(topic: InputTopic) -> Any:
    """The setting of an input topic."""
    return Field(default=topic.topic, description=f"read: {topic.read_for}")


if TYPE_CHECKING:
    SideTopics = BaseSettings
else:
    SideTopics = create_model(
        "SideTopics",
        __base__=BaseSettings,
        **{topic.setting: (TopicName, _read(topic)) for topic in SIDE_INPUTS},
    )
    """The settings of the topics read beside the transactions, one for each row of the table."""


class Settings(SideTopics):
    """Everything that can be set. Times are in the unit that the name ends with."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    kafka_bootstrap_servers: Servers | None = Field(
        default=None, description="host:port of brokers, separated by commas"
    )
    kafka_security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        default="plaintext", description="whether the brokers ask for TLS (ssl), for a user (sasl), or for both"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="how the user proves to be who it is, where the brokers ask for one"
    )
    kafka_sasl_username: str | None = Field(default=None, description="user at the brokers")
    kafka_sasl_password_file: File | None = Field(default=None, description="file that holds the user's password")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="the user's password")
    kafka_ssl_ca_location: File | None = Field(
        default=None, description="PEM file with the authorities to trust; without one, the machine's own"
    )
    kafka_ssl_certificate_location: File | None = Field(
        default=None, description="PEM file with this program's certificate, where the brokers ask for one (mTLS)"
    )
    kafka_ssl_key_location: File | None = Field(
        default=None, description="PEM file with the private key of TRACKER_KAFKA_SSL_CERTIFICATE_LOCATION"
    )
    kafka_ssl_key_password_file: File | None = Field(
        default=None, description="file that holds the password of the private key"
    )
    kafka_ssl_key_password: SecretStr | None = Field(
        default=None, description="password of the private key, where the key has one"
    )
    redis_url_file: File | None = Field(
        default=None, description="file that holds TRACKER_REDIS_URL, for a URL with a password in it"
    )
    redis_url: RedisUrl | None = Field(
        default=None,
        description="redis://user:password@host:port/db, or rediss://... with TLS, or unix://path; several nodes of a "
        "Redis Cluster are redis://host:port,host:port; in a password write @ as %40, a comma as %2C and so on",
    )
    redis_ssl_ca_location: File | None = Field(
        default=None, description="PEM file with the authorities to trust for Redis; without one, the machine's own"
    )
    redis_ssl_certificate_location: File | None = Field(
        default=None, description="PEM file with this program's certificate, where Redis asks for one (mTLS)"
    )
    redis_ssl_key_location: File | None = Field(
        default=None, description="PEM file with the private key of TRACKER_REDIS_SSL_CERTIFICATE_LOCATION"
    )
    redis_ssl_key_password_file: File | None = Field(
        default=None, description="file that holds the password of Redis' private key"
    )
    redis_ssl_key_password: SecretStr | None = Field(
        default=None, description="password of the private key for Redis, where the key has one"
    )
    redis_sentinels: Servers | None = Field(
        default=None,
        description="host:port of Sentinels, separated by commas: they, not TRACKER_REDIS_URL, say where Redis is",
    )
    redis_sentinel_username: str | None = Field(
        default=None, description="user at the Sentinels, which are not Redis' own; TRACKER_REDIS_URL has Redis' user"
    )
    redis_sentinel_password_file: File | None = Field(
        default=None, description="file that holds the password at the Sentinels"
    )
    redis_sentinel_password: SecretStr | None = Field(
        default=None, description="password at the Sentinels, where they ask for one"
    )
    redis_cluster: bool = Field(
        default=False, description="whether TRACKER_REDIS_URL names nodes of a Redis Cluster; name several"
    )
    redis_sentinel_master: str = Field(default="mymaster", min_length=1, description="the master's name in Sentinel")

    group_id: str = Field(default="customer-tracker", min_length=1, description="consumer group of the loop")
    instance_id: str | None = Field(
        default=None,
        min_length=1,
        description="name of this worker in the group, of no other: started again under it, it has its partitions back "
        "at once and ends what it was killed in; one that leaves for good is missed when its session ends",
    )
    topic_transactions: TopicName = _read(TRANSACTIONS)
    topic_alerts: TopicName = Field(default="customer-alerts", description="written: alerts for marketing tools")
    topic_dead_letters: TopicName = Field(
        default="transactions-dlq", description="written: refused records of every topic, as they came"
    )
    topic_offers: TopicName = Field(default="offer-catalog", description="read: offers and the policy; compacted")
    topic_webhook_letters: TopicName = Field(
        default="webhook-dead-letters", description="written: alerts that an endpoint of webhooks did not take"
    )
    topic_audit: TopicName = Field(default="tracker-audit", description="written: who looked at whom or changed what")
    partitions: int = Field(default=8, ge=1, le=1024, description="of topics that `topics create` makes")
    replication_factor: int = Field(default=1, ge=1, le=7, description="of topics that `topics create` makes")

    base_currency: Annotated[str, AfterValidator(_currency)] = Field(
        default="EUR", description="ISO 4217 code of the currency that every figure is in"
    )
    rates_file: File | None = Field(
        default=None, description="TOML with a table [rates]: CODE = 'units of base for one unit'"
    )
    clock: Literal["wall", "stream"] = Field(default="wall", description="what tells that a silent customer is due")

    churn_model: Annotated[Path, AfterValidator(_model)] = Field(
        default=GENERAL,
        description="file of `tracker train`, the same in every worker; `general`: the one that ships with the program;"
        " `own-rhythm`: none, alerts have words and no probability",
    )
    churn_challenger: File | None = Field(
        default=None, description="file of `tracker train`: asked whatever the model is asked, decides nothing"
    )
    control_key_file: File | None = Field(default=None, description="file that holds TRACKER_CONTROL_KEY")
    control_key: Annotated[SecretStr, AfterValidator(_key)] = Field(
        default=SecretStr(""),
        description="any text of at most 64 bytes, which decides who is in the control group; the same in every worker",
    )

    poll_records_max: int = Field(default=4_000, ge=1, le=100_000, description="records in one batch")
    poll_wait_ms: int = Field(default=1, ge=1, le=1_000, description="the first record of a batch waits for others")
    fetch_queue_kib_max: int = Field(default=65_536, ge=1_024, description="fetched records held in memory")
    cache_mib_max: int = Field(default=512, ge=1, description="customer rows held in memory by one worker")
    poison_share_max: float = Field(
        default=0.5, ge=0, le=1, description="a partition stops when more of its last 1,000 records are refused"
    )
    session_timeout_ms: int = Field(
        default=6_000,
        ge=1_000,
        le=1_800_000,
        description="a worker that Kafka hears nothing of for so long loses its partitions; short is safe, because a "
        "worker that comes back is fenced by the store",
    )
    retry_seconds_max: int = Field(
        default=300, ge=1, le=86_400, description="an outage longer than this ends the worker"
    )

    web_host: str = Field(default="127.0.0.1", description="address on which a worker answers /metrics and /healthz")
    web_port: Port = Field(default=8460, description="port of the same; 0 takes any that is free")

    serve_keys_file: File | None = Field(
        default=None,
        description="access keys that `tracker keys make` makes; without it the API and console ask for none",
    )
    serve_host: str = Field(default="127.0.0.1", description="address on which `tracker serve` answers")
    serve_port: Port = Field(default=8470, description="port of the same; 0 takes any that is free")
    serve_ssl_certificate_location: File | None = Field(
        default=None, description="PEM certificate of the same, for https; with its chain, if it has one"
    )
    serve_ssl_key_location: File | None = Field(default=None, description="PEM key of that certificate, unencrypted")
    serve_secret_file: File | None = Field(default=None, description="file that holds TRACKER_SERVE_SECRET")
    serve_secret: Annotated[SecretStr, AfterValidator(_long_secret)] = Field(
        default=SecretStr(""),
        description="what sessions are sealed with, the same in every server; by default new at each start",
    )
    serve_alerts_max: int = Field(default=10_000, ge=100, le=1_000_000, description="newest alerts held in memory")
    serve_requests_per_second: int = Field(
        default=100, ge=1, le=1_000_000, description="of one caller; in a burst four times as many"
    )

    @field_validator(*SECRETS, mode="before")
    @classmethod
    def _from_a_file(cls, given: object, info: ValidationInfo) -> object:
        """The text of the setting's file, without the line's end, where one is named."""
        setting = str(info.field_name)
        file: Path | None = info.data.get(f"{setting}_file")
        if file is None:
            return given
        if given != cls.model_fields[setting].default:
            raise ValueError(f"given twice: leave out one of this and {variable(setting)}_FILE")
        try:
            return file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"the file that {variable(setting)}_FILE names cannot be read as text") from None

    @field_validator("kafka_sasl_username", "kafka_sasl_password")
    @classmethod
    def _sasl_has_both(cls, given: object, info: ValidationInfo) -> object:
        protocol = info.data.get("kafka_security_protocol")
        if given is None and protocol in ("sasl_plaintext", "sasl_ssl"):
            raise ValueError(f"needed, because TRACKER_KAFKA_SECURITY_PROTOCOL is {protocol}")
        if given is not None and protocol in ("plaintext", "ssl"):
            raise ValueError(f"would not be used: TRACKER_KAFKA_SECURITY_PROTOCOL is {protocol}; write sasl_ssl there")
        return given

    @field_validator("kafka_ssl_ca_location", "kafka_ssl_certificate_location", "kafka_ssl_key_location")
    @classmethod
    def _tls_is_used(cls, given: Path | None, info: ValidationInfo) -> Path | None:
        protocol = info.data.get("kafka_security_protocol")
        if given is not None and protocol in ("plaintext", "sasl_plaintext"):
            raise ValueError(f"would not be used: TRACKER_KAFKA_SECURITY_PROTOCOL is {protocol}; write ssl or sasl_ssl")
        return given

    @field_validator("kafka_ssl_key_location")
    @classmethod
    def _key_of_a_certificate(cls, given: Path | None, info: ValidationInfo) -> Path | None:
        return _key_of("kafka_ssl_certificate_location", given, info)

    @field_validator("kafka_ssl_key_password")
    @classmethod
    def _password_of_a_key(cls, given: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if given is not None and info.data.get("kafka_ssl_key_location", ...) is None:
            raise ValueError(f"would not be used: set {variable('kafka_ssl_key_location')} too")
        return given

    @field_validator("redis_ssl_ca_location", "redis_ssl_certificate_location", "redis_ssl_key_location")
    @classmethod
    def _redis_has_tls(cls, given: Path | None, info: ValidationInfo) -> Path | None:
        url = info.data.get("redis_url")
        if given is not None and url is not None and url.scheme != "rediss":
            raise ValueError("would not be used: TRACKER_REDIS_URL must be a rediss:// address")
        return given

    @field_validator("redis_ssl_key_location")
    @classmethod
    def _key_of_a_redis_certificate(cls, given: Path | None, info: ValidationInfo) -> Path | None:
        return _key_of("redis_ssl_certificate_location", given, info)

    @field_validator("redis_ssl_key_password")
    @classmethod
    def _password_of_a_redis_key(cls, given: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if given is not None and info.data.get("redis_ssl_key_location", ...) is None:
            raise ValueError(f"would not be used: set {variable('redis_ssl_key_location')} too")
        return given

    @field_validator("redis_sentinel_username", "redis_sentinel_password")
    @classmethod
    def _sentinels_are_asked(cls, given: object, info: ValidationInfo) -> object:
        if given is not None and info.data.get("redis_sentinels", ...) is None:
            raise ValueError(f"would not be used: set {variable('redis_sentinels')} too")
        return given

    @field_validator("redis_sentinel_password")
    @classmethod
    def _sentinels_want_both(cls, given: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if given is None and info.data.get("redis_sentinel_username") is not None:
            raise ValueError(f"needed, because {variable('redis_sentinel_username')} is set")
        return given

    @field_validator("redis_cluster")
    @classmethod
    def _several_nodes_are_a_cluster(cls, given: bool, info: ValidationInfo) -> bool:
        url = info.data.get("redis_url")
        if not given and url is not None and len(url.hosts()) > 1:
            raise ValueError("TRACKER_REDIS_URL names several servers, which must be nodes of a Redis Cluster: write 1")
        return given

    @field_validator("serve_host")
    @classmethod
    def _not_open_to_all(cls, given: str, info: ValidationInfo) -> str:
        if given not in LOOPBACK and info.data.get("serve_keys_file", ...) is None:
            raise ValueError(f"without {variable('serve_keys_file')} it must be one of {', '.join(LOOPBACK)}")
        return given

    @field_validator("serve_ssl_key_location")
    @classmethod
    def _key_of_the_servers_certificate(cls, given: Path | None, info: ValidationInfo) -> Path | None:
        return _key_of("serve_ssl_certificate_location", given, info)

    @field_validator("churn_challenger")
    @classmethod
    def _challenges_a_model(cls, given: Path | None, info: ValidationInfo) -> Path | None:
        if given is not None and info.data.get("churn_model") == OWN_RHYTHM:
            raise ValueError(f"own rhythm is no model to challenge: {variable('churn_model')} names none")
        return given

    @field_validator("redis_cluster")
    @classmethod
    def _no_sentinels_in_a_cluster(cls, given: bool, info: ValidationInfo) -> bool:
        if given and info.data.get("redis_sentinels") is not None:
            raise ValueError("a Redis Cluster has no Sentinels: leave out one of this and TRACKER_REDIS_SENTINELS")
        return given

    @field_validator(
        "topic_alerts",
        "topic_dead_letters",
        "topic_offers",
        "topic_webhook_letters",
        "topic_audit",
        *(topic.setting for topic in SIDE_INPUTS),
    )
    @classmethod
    def _topics_differ(cls, given: str, info: ValidationInfo) -> str:
        for name, other in info.data.items():
            if name.startswith("topic_") and other == given:
                raise ValueError(f"must not be the topic of {variable(name)}, {given}; write another name")
        return given

    def topic_of(self, topic: InputTopic) -> str:
        """What an input topic is called."""
        name: str = getattr(self, topic.setting)
        return name

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments over environment over file."""
        file = os.environ.get(CONFIG)
        toml = TomlConfigSettingsSource(settings_cls, toml_file=Path(file) if file else None)
        return init_settings, env_settings, toml


_UNKNOWN = "extra_forbidden"


def _line(mistake: Any, environment: Mapping[str, str], file: str | None) -> str:
    setting = str(mistake["loc"][0])
    text = str(mistake["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    given = mistake["input"]
    said = "" if given is None or setting in SECRETS else f" (it is {str(given)!r})"
    about = Settings.model_fields[setting].description
    in_environment = any(name.upper() == variable(setting) for name in environment)
    where = "" if in_environment or file is None else f", or {setting} in {file}"
    return f"{variable(setting)}{where}: {text}{said}" + (f". It means: {about}" if about else "")


def _unknown_variables(environment: Iterable[str]) -> list[str]:
    known = [CONFIG, *(variable(setting) for setting in Settings.model_fields)]
    given = sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)
    return [f"{name}: there is no such setting{_nearest(name.upper(), known)}" for name in given]


def _unknown_keys(in_file: Iterable[str], file: str | None) -> list[str]:
    known = list(Settings.model_fields)
    given = sorted(key for key in in_file if key not in known)
    return [f"{key} in {file}: there is no such setting{_nearest(key, known)}" for key in given]


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else ""
