from streams.cache import ENTRY_BYTES, RowCache


def test_a_row_that_was_put_is_held_by_partition_and_the_last_one_counts() -> None:
    cache = RowCache(1 << 20)
    cache.put(1, {"a": b"1", "b": b"2"})
    cache.put(1, {"a": b"333"})
    cache.put(2, {"a": b"4"})
    assert cache.get(1, ["b", "c", "a"]) == [b"2", None, b"333"]
    assert cache.get(2, ["a", "b"]) == [b"4", None]
    assert (len(cache), cache.size) == (3, 3 * ENTRY_BYTES + 5)


def test_a_partition_that_is_dropped_leaves_nothing() -> None:
    cache = RowCache(1 << 20)
    cache.put(1, {"a": b"1"})
    cache.put(2, {"a": b"2"})
    cache.drop(1)
    assert cache.get(1, ["a"]) == [None]
    assert cache.get(2, ["a"]) == [b"2"]
    cache.drop(2)
    assert cache.size == 0


def test_memory_is_bounded_and_what_was_used_lately_stays() -> None:
    bound = 100 * (ENTRY_BYTES + 100)
    cache = RowCache(bound)
    for number in range(1_000):
        cache.put(0, {f"c{number}": bytes(100)})
        assert cache.get(0, ["c0"]) != [None]
        assert cache.size <= bound + ENTRY_BYTES + 100
    assert cache.get(0, ["c1"]) == [None]
