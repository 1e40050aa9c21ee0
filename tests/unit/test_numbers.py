"""Numbers as they stand in a row: how many bytes each takes, and that it is read as it was written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.kernel.byte_codec import get, get_fixed, put, put_fixed, width, width_of
from handlers.state.row import MINOR_LIMIT, add

LEAST, MOST = -(1 << 63), (1 << 63) - 1
whole = st.one_of(
    st.integers(LEAST, MOST), st.integers(-300, 300), st.integers(0, 63).map(lambda bits: (1 << bits) - 1)
)


def varint(value: int) -> bytes:
    """As it is written."""
    to = np.full(12, 0xEE, np.uint8)
    end = put(to, 1, np.int64(value))
    assert to[0] == 0xEE
    assert (to[end:] == 0xEE).all()
    return to[1:end].tobytes()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        # zigzag: 0, -1, 1, -2 ... are 0, 1, 2, 3 ...; seven bits a byte, the lowest first, 128 while more follow
        (0, "00"),
        (-1, "01"),
        (1, "02"),
        (63, "7e"),
        (-64, "7f"),
        (64, "8001"),
        (-65, "8101"),
        (8191, "fe7f"),
        (-8192, "ff7f"),
        (8192, "808001"),
        (300, "d804"),
        (MOST, "feffffffffffffffff01"),
        (LEAST, "ffffffffffffffffff01"),
    ],
)
def test_a_varint_takes_a_byte_for_every_seven_bits(value: int, written: str) -> None:
    assert varint(value).hex() == written
    assert get(np.frombuffer(bytes.fromhex("ee" + written), np.uint8), 1) == (value, 1 + len(written) // 2)


@given(st.lists(whole, min_size=1, max_size=6))
def test_varints_one_behind_the_other_are_read_as_they_were_written(values: list[int]) -> None:
    row, at = np.frombuffer(b"".join(map(varint, values)), np.uint8), 0
    for value in values:
        found, at = get(row, at)
        assert found == value
    assert at == len(row)


@pytest.mark.parametrize(
    ("value", "code", "written"),
    [
        # codes 0 to 3: no byte, two, three, eight; zigzag, the lowest byte first
        (0, 0, ""),
        (1, 1, "0200"),
        (-1, 1, "0100"),
        (32_767, 1, "feff"),
        (-32_768, 1, "ffff"),
        (32_768, 2, "000001"),
        (-32_769, 2, "010001"),
        (8_388_607, 2, "feffff"),
        (-8_388_608, 2, "ffffff"),
        (8_388_608, 3, "0000000100000000"),
        (-8_388_609, 3, "0100000100000000"),
        (MOST, 3, "feffffffffffffff"),
        (LEAST, 3, "ffffffffffffffff"),
    ],
)
def test_a_number_of_fixed_width_takes_as_few_bytes_as_a_code_allows(value: int, code: int, written: str) -> None:
    assert width_of(np.int64(value)) == code
    assert width(code) == len(written) // 2
    to = np.full(10, 0xEE, np.uint8)
    end = put_fixed(to, 1, np.int64(value), code)
    assert to[1:end].tobytes().hex() == written
    assert to[0] == 0xEE
    assert (to[end:] == 0xEE).all()
    assert get_fixed(to, 1, code) == value


@given(whole)
def test_a_number_of_fixed_width_is_read_as_it_was_written(value: int) -> None:
    to, code = np.zeros(8, np.uint8), width_of(np.int64(value))
    assert put_fixed(to, 0, np.int64(value), code) == width(code)
    assert get_fixed(to, 0, code) == value


@pytest.mark.parametrize(
    ("a", "b", "whole"),
    [
        (1, -3, -2),
        (MINOR_LIMIT - 5, 5, MINOR_LIMIT),
        (MINOR_LIMIT - 5, 6, MINOR_LIMIT),
        (MINOR_LIMIT, MINOR_LIMIT - 1, MINOR_LIMIT),
        (-MINOR_LIMIT + 5, -6, -MINOR_LIMIT),
        (-MINOR_LIMIT, -MINOR_LIMIT, -MINOR_LIMIT),
        (MINOR_LIMIT, -1, MINOR_LIMIT - 1),
    ],
)
def test_sums_stop_at_their_limit_instead_of_overflowing(a: int, b: int, whole: int) -> None:
    assert MINOR_LIMIT == 4_611_686_018_427_387_904  # 2^62
    assert add(a, b) == whole
