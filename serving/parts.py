"""What one server is made of, built once at its start."""

from dataclasses import dataclass

from serving.access import Access
from serving.customers import Customers
from serving.feed import Feed
from serving.operations import Group
from serving.publishing import Publisher
from streams.ops.settings import Settings


@dataclass(frozen=True)
class Parts:
    """Reached by requests as `request.app.state.parts`."""

    settings: Settings
    access: Access
    feed: Feed
    customers: Customers
    group: Group
    publisher: Publisher

    @classmethod
    def built(cls, settings: Settings) -> "Parts":
        """Raises AccessError, FeedError, OSError, KafkaException."""
        access = Access(settings.serve_keys_file, settings.serve_secret.get_secret_value())
        feed = Feed(settings)
        customers = Customers(settings, lambda: feed.partitions)
        return cls(settings, access, feed, customers, Group(settings), Publisher(settings))

    def close(self) -> None:
        """Ends every connection."""
        self.feed.close()
        self.customers.close()
        self.group.close()
        self.publisher.close()
