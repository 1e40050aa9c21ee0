"""What is refused, why, and what a dead letter says."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "rate-digits",
        "A rate of more than 40 digits is taken.",
        "handlers/currency.py",
        '_DIGITS_MAX = Decimal("1e-12"), Decimal("1e12"), 40',
        '_DIGITS_MAX = Decimal("1e-12"), Decimal("1e12"), 400',
        "tests/unit/test_limits.py::test_a_rate_keeps_its_limits",
    ),
    Mistake(
        "earliest-bound",
        "A transaction of the first moment of 1980 is refused.",
        "handlers/refusal.py",
        "EARLIEST <= at <= LATEST",
        "EARLIEST < at <= LATEST",
        "tests/unit/test_limits.py::test_a_field_of_a_transaction_keeps_its_limits",
    ),
    Mistake(
        "ahead",
        "An event exactly a day ahead of its record is refused.",
        "handlers/refusal.py",
        "if at > timestamp_ms + AHEAD_MS_MAX:",
        "if at >= timestamp_ms + AHEAD_MS_MAX:",
        "tests/unit/test_limits.py::test_an_event_may_be_a_day_ahead_of_its_record_and_no_more",
    ),
    Mistake(
        "original-later",
        "A reversal before its original is taken.",
        "handlers/refusal.py",
        "        if original_at > at:\n",
        "        if False:\n",
        "tests/unit/test_limits.py::test_a_reversal_comes_not_before_its_original",
    ),
    Mistake(
        "balance-limit",
        "A balance beyond the limit once it is converted is taken.",
        "handlers/refusal.py",
        'for name in ("amount_minor", "balance_minor"):',
        'for name in ("amount_minor",):',
        "tests/unit/test_limits.py::test_what_is_converted_keeps_the_limit_in_the_banks_currency",
    ),
    Mistake(
        "value-max",
        "A value of exactly the largest size is refused as too large.",
        "handlers/decode.py",
        "if len(value) > VALUE_BYTES_MAX:",
        "if len(value) >= VALUE_BYTES_MAX:",
        "tests/unit/test_limits.py::test_a_value_may_have_1048576_bytes_and_nest_64_deep",
    ),
    Mistake(
        "depth",
        "A value that nests exactly 64 deep is refused.",
        "handlers/decode.py",
        "if depth > DEPTH_MAX:",
        "if depth >= DEPTH_MAX:",
        "tests/unit/test_limits.py::test_a_value_may_have_1048576_bytes_and_nest_64_deep",
    ),
    Mistake(
        "amount-limit",
        "A payment beyond the limit once it is converted is taken.",
        "handlers/refusal.py",
        "abs(exchange.minor(amount, currency)) > AMOUNT_LIMIT",
        "exchange.minor(amount, currency) > AMOUNT_LIMIT",
        "tests/unit/test_limits.py::test_what_is_converted_keeps_the_limit_in_the_banks_currency",
    ),
)
