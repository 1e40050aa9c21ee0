"""What every librdkafka client of the program shares: addresses, security, and how large a record may be."""

from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError

from streams.ops.settings import Settings, SettingsError

HEARTBEAT_MS = 500
"""It is by the answer to a heartbeat that a worker hears of another that comes or goes."""

RECORD_BYTES_MAX = 12 * 1024 * 1024
"""Room for a dead letter of 10 MB with its headers."""


class LastWord(Exception):
    """librdkafka has given a client up for good and will do nothing with it any more; the text says what to do."""


def is_fatal(error: KafkaError) -> bool:
    """Whether its client does nothing any more. The `fatal()` of an error that comes as a message, or out of a call,
    says False all the same."""
    return bool(error.fatal()) or error.code() == KafkaError._FATAL


def kafka_client(settings: Settings, on_error: Callable[[KafkaError], None]) -> dict[str, Any]:
    """A librdkafka configuration to be added to. Raises SettingsError if there is no address."""
    config: dict[str, Any] = {
        "bootstrap.servers": bootstrap_servers(settings),
        "client.id": "customer-tracker",
        "security.protocol": settings.kafka_security_protocol,
        "error_cb": on_error,
        "log_level": 0,  # what matters comes as an error; a logger of Python's would be called from inside the library
    }
    if settings.kafka_security_protocol.startswith("sasl"):
        config["sasl.mechanism"] = settings.kafka_sasl_mechanism
        config["sasl.username"] = settings.kafka_sasl_username or ""
        config["sasl.password"] = sasl_password(settings)
    if settings.kafka_ssl_ca_location is not None:
        config["ssl.ca.location"] = str(settings.kafka_ssl_ca_location)
    if settings.kafka_ssl_certificate_location is not None:
        config["ssl.certificate.location"] = str(settings.kafka_ssl_certificate_location)
        config["ssl.key.location"] = str(settings.kafka_ssl_key_location)
    if settings.kafka_ssl_key_password is not None:
        config["ssl.key.password"] = settings.kafka_ssl_key_password.get_secret_value()
    return config


def bootstrap_servers(settings: Settings) -> str:
    """host:port of brokers, separated by commas. Raises SettingsError if not set."""
    if settings.kafka_bootstrap_servers is None:
        raise SettingsError("TRACKER_KAFKA_BOOTSTRAP_SERVERS is not set; write for example 127.0.0.1:9092")
    return settings.kafka_bootstrap_servers


def sasl_password(settings: Settings) -> str:
    return "" if settings.kafka_sasl_password is None else settings.kafka_sasl_password.get_secret_value()
