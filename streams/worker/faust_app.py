"""The Faust app as this program uses it: where it connects, how it signs on, and in which order its parts start."""

import ssl
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.auth import Credentials
from faust.tables import TableManager
from mode import Service

from streams.broker.clients import HEARTBEAT_MS, bootstrap_servers, sasl_password
from streams.broker.topics import faust_id
from streams.ops.settings import Settings, SettingsError, variable

_FAUST_SESSION_SECONDS_MAX = 60.0


class StartOrder(BootStrategy):
    """The web server first, so that health can be asked while Kafka is waited for."""

    def __init__(self, app: faust.App, preflight: Service) -> None:
        super().__init__(app)
        self._preflight = preflight

    def server(self) -> Any:
        return self._chain(
            self.sensors(),
            self.web_server(),
            [self._preflight],
            self.kafka_producer(),
            self.kafka_consumer(),
            self.agents(),
            self.kafka_conductor(),
            self.tables(),
        )


class Tables(TableManager):
    """Faust's own waits a second for tables that are still to be declared; here they are before it starts."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Whom aiokafka trusts and, for mTLS, as whom it comes; the same files as librdkafka's. Raises SettingsError."""
    context = ssl.create_default_context(cafile=settings.kafka_ssl_ca_location)
    if settings.kafka_ssl_certificate_location is not None:
        password = settings.kafka_ssl_key_password
        try:
            context.load_cert_chain(
                settings.kafka_ssl_certificate_location,
                settings.kafka_ssl_key_location,
                # Never None: OpenSSL would ask for it at the terminal.
                "" if password is None else password.get_secret_value(),
            )
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"{variable('kafka_ssl_certificate_location')}: the certificate and its key cannot be read together "
                f"({error}); check {variable('kafka_ssl_key_location')} and {variable('kafka_ssl_key_password')}"
            ) from error
    return context


def faust_app(settings: Settings, folder: str) -> faust.App:
    """`folder` is its data directory. It keeps its tables in memory and makes no topics."""
    protocol = settings.kafka_security_protocol
    session_seconds = min(settings.session_timeout_ms / 1_000, _FAUST_SESSION_SECONDS_MAX)
    context = None
    if protocol.endswith("ssl"):
        context = tls_context(settings)
    credentials: Credentials | None = None
    if protocol.startswith("sasl"):
        credentials = faust.SASLCredentials(
            username=settings.kafka_sasl_username,
            password=sasl_password(settings),
            mechanism=settings.kafka_sasl_mechanism,
            ssl_context=context,
        )
    elif context is not None:
        credentials = faust.SSLCredentials(context)
    return faust.App(
        faust_id(settings),
        broker=[f"aiokafka://{server}" for server in bootstrap_servers(settings).split(",")],
        broker_credentials=credentials,
        store="memory://",
        TableManager=Tables,
        datadir=folder,
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=1,
        # A killed worker is missed as soon here as in the loop's group: the next one waits for both.
        broker_session_timeout=session_seconds,
        broker_heartbeat_interval=min(HEARTBEAT_MS / 1_000, session_seconds / 3),
        consumer_group_instance_id=settings.instance_id,
        web_in_thread=True,
    )
