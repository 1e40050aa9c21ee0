"""Settings: environment variables TRACKER_* over an optional TOML file, all checked at start, all errors at once.

The file is the one named in TRACKER_CONFIG, with the same names in lower case and without the prefix.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

import iso4217
from pydantic import AfterValidator, AnyUrl, Field, SecretStr, UrlConstraints, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

PREFIX = "TRACKER_"

RedisUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["redis", "rediss", "unix"])]
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]


class SettingsError(Exception):
    """One or more settings are wrong; the text has a line for each, with what to write instead."""


def _currency(code: str) -> str:
    if code not in iso4217.Currency.__members__.values() and code not in {c.code for c in iso4217.Currency}:
        raise ValueError("is not an ISO 4217 currency code, write for example EUR")
    return code


class Settings(BaseSettings):
    """Everything that can be set. Times are in the unit that the name ends with."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    kafka_bootstrap_servers: str | None = Field(None, description="host:port of brokers, separated by commas")
    kafka_security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_location: Path | None = Field(None, description="PEM file with the authorities to trust")
    redis_url: RedisUrl | None = Field(None, description="redis://host:port/db, rediss://... or unix://path")

    group_id: str = Field("customer-tracker", min_length=1, description="consumer group of the loop")
    topic_transactions: TopicName = "transactions"
    topic_alerts: TopicName = "customer-alerts"
    topic_dead_letters: TopicName = "transactions-dlq"
    topic_offers: TopicName = "offer-catalog"
    partitions: int = Field(8, ge=1, le=1024, description="of topics that `topics create` makes")
    replication_factor: int = Field(1, ge=1, le=7)

    base_currency: Annotated[str, AfterValidator(_currency)] = "EUR"
    rates_file: Path | None = Field(None, description="TOML with a table [rates]: CODE = 'units of base for one unit'")
    clock: Literal["wall", "stream"] = Field("wall", description="what tells that a silent customer is due")

    poll_records_max: int = Field(1_000, ge=1, le=100_000, description="records in one batch")
    poll_wait_ms: int = Field(5, ge=1, le=1_000)
    fetch_queue_kib_max: int = Field(65_536, ge=1_024, description="fetched records held in memory")
    cache_mib_max: int = Field(512, ge=1, description="customer rows held in memory by one worker")
    session_timeout_ms: int = Field(45_000, ge=1_000, le=1_800_000)
    retry_seconds_max: int = Field(300, ge=1, le=86_400, description="an outage longer than this ends the worker")

    web_host: str = "127.0.0.1"
    web_port: Port = 8460

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
        file = os.environ.get(f"{PREFIX}CONFIG")
        toml = TomlConfigSettingsSource(settings_cls, toml_file=Path(file) if file else None)
        return init_settings, env_settings, toml
