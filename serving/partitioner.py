"""Which partition of a topic a key falls on, as Kafka's own producers choose it."""

_MULTIPLIER, _SHIFT, _SEED, _MASK = 0x5BD1E995, 24, 0x9747B28C, 0xFFFFFFFF


def partition_of(customer_id: str, partitions: int) -> int:
    """The partition of a customer's records among `partitions`: murmur2 of the key's bytes, as Java's clients do."""
    return partition_of_key(customer_id.encode(), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    """The same for the bytes of a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """The 32-bit hash of org.apache.kafka.common.utils.Utils.murmur2, as an unsigned number."""
    h = (_SEED ^ len(data)) & _MASK
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _MULTIPLIER & _MASK
        k = (k ^ k >> _SHIFT) * _MULTIPLIER & _MASK
        h = h * _MULTIPLIER & _MASK ^ k
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * _MULTIPLIER & _MASK
    h = (h ^ h >> 13) * _MULTIPLIER & _MASK
    return h ^ h >> 15
