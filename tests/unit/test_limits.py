"""Every limit, by its number: what is at it passes, what is one beyond is refused."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from handlers.intake.dedup import DuplicateFilter
from handlers.intake.events import Record
from handlers.intake.exchange import Exchange
from handlers.intake.stream_time import StreamTime
from handlers.intake.transactions import TransactionIntake
from handlers.offers.catalog import offer_mistakes, policy_mistakes, read_catalog
from schemas.dead_letter import DeadLetter
from streams.ops.settings import Settings, SettingsError, load_settings, variable

NOON = 1_709_208_000_000
"""2024-02-29T12:00:00Z, when every record was received."""
DAY = 86_400_000


@pytest.fixture(autouse=True)
def _no_settings_of_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


@pytest.mark.parametrize(
    ("setting", "least", "most"),
    [
        ("partitions", 1, 1_024),
        ("replication_factor", 1, 7),
        ("poll_records_max", 1, 100_000),
        ("poll_wait_ms", 1, 1_000),
        ("fetch_queue_kib_max", 1_024, None),
        ("cache_mib_max", 1, None),
        ("poison_share_max", 0, 1),
        ("session_timeout_ms", 1_000, 1_800_000),
        ("retry_seconds_max", 1, 86_400),
        ("web_port", 0, 65_535),
    ],
)
def test_a_number_that_is_set_keeps_its_limits(
    monkeypatch: pytest.MonkeyPatch, setting: str, least: int, most: int | None
) -> None:
    for given, right in ((least, True), (least - 1, False), (most, True), (None if most is None else most + 1, False)):
        if given is None:
            continue
        monkeypatch.setenv(variable(setting), str(given))
        if right:
            assert getattr(load_settings(), setting) == given
        else:
            with pytest.raises(SettingsError, match=variable(setting)):
                load_settings()


def test_the_key_of_the_control_group_has_at_most_64_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_CONTROL_KEY", "é" * 32)
    assert load_settings().control_key.get_secret_value() == "é" * 32
    monkeypatch.setenv("TRACKER_CONTROL_KEY", "é" * 32 + "x")
    with pytest.raises(SettingsError, match="longer than 64 bytes"):
        load_settings()


def refused(**fields: Any) -> DeadLetter | None:
    """What becomes of a transaction with these fields, whichever of the two readers takes it."""
    told: dict[str, Any] = {
        "event_id": "e",
        "customer_id": "c",
        "account_id": "a",
        "occurred_at": NOON,
        "amount_minor": 1,
        "currency": "EUR",
        "type": "deposit",
        "channel": "atm",
    } | fields
    key, plain = str(told["customer_id"]).encode(), msgspec.json.encode(told)
    twice = b'{"channel": "mobile", ' + plain[1:]  # is not read by the kernel for what is plain
    found = []
    for value in (plain, twice):
        batch = TransactionIntake("transactions", "EUR", {}).batch(
            0, [Record(0, NOON, key, value)], StreamTime(), DuplicateFilter()
        )
        found.append([(letter.reason, letter.field, letter.rule) for letter in batch.dead_letters])
        last = batch.dead_letters
    assert found[0] == found[1]
    return last[0] if last else None


@pytest.mark.parametrize(
    ("field", "passes", "fails"),
    [
        ("event_id", "e" * 64, "e" * 65),
        ("customer_id", "c" * 64, "c" * 65),
        ("account_id", "a" * 40, "a" * 41),
        ("event_id", "e", ""),
        ("amount_minor", 10**15, 10**15 + 1),
        ("amount_minor", -(10**15), -(10**15) - 1),
        ("balance_minor", 10**15, 10**15 + 1),
        ("balance_minor", -(10**15), -(10**15) - 1),
        ("occurred_at", 315_532_800_000, 315_532_799_999),  # 1980-01-01
    ],
)
def test_a_field_of_a_transaction_keeps_its_limits(field: str, passes: Any, fails: Any) -> None:
    assert refused(**{field: passes}) is None
    letter = refused(**{field: fails})
    assert letter is not None
    assert (letter.reason, letter.field) == ("out_of_bounds", field)


def test_an_event_may_be_a_day_ahead_of_its_record_and_no_more() -> None:
    assert refused(occurred_at=NOON + DAY) is None
    letter = refused(occurred_at=NOON + DAY + 1)
    assert letter is not None
    assert (letter.reason, letter.field) == ("in_the_future", "occurred_at")


def test_a_reversal_comes_not_before_its_original() -> None:
    for at, field in ((NOON, None), (NOON + 1, "reversal_of.occurred_at")):
        letter = refused(occurred_at=NOON, reversal_of={"event_id": "o", "occurred_at": at})
        assert (None if letter is None else letter.field) == field


def test_a_value_may_have_1048576_bytes_and_nest_64_deep() -> None:
    for size, reason in ((1_048_576, "not_json"), (1_048_577, "too_large")):
        record = Record(0, NOON, b"c", b"x" * size)
        (letter,) = (
            TransactionIntake("transactions", "EUR", {})
            .batch(0, [record], StreamTime(), DuplicateFilter())
            .dead_letters
        )
        assert letter.reason == reason
    for depth, found in ((63, None), (64, "not_json")):
        letter = refused(deep=msgspec.Raw(b"[" * depth + b"]" * depth), beside=[[]])
        assert (None if letter is None else letter.reason) == found


@pytest.mark.parametrize(
    ("field", "passes", "fails"),
    [
        ("cooldown_days", (1, 730), (0, 731)),
        ("valid_days", (1, 365), (0, 366)),
        ("weight", (0, 100), (-0.1, 100.1)),
        ("propensity", (0.001, 0.999), (0, 1)),
        ("budget", (0, 10**9), (-1, 10**9 + 1)),
        ("value_minor", (0, 10**12), (-1, 10**12 + 1)),
        ("offer_id", ("a" * 64,), ("a" * 65, "", "a b")),
        ("product", ("a" * 200,), ("a" * 201, "")),
        ("text", ("a" * 2_000,), ("a" * 2_001, "")),
        ("product_code", ("a" * 64,), ("a" * 65,)),
    ],
)
def test_a_field_of_an_offer_keeps_its_limits(field: str, passes: tuple[Any, ...], fails: tuple[Any, ...]) -> None:
    table = {"offer_id": "o", "product": "P", "text": "T", "value_minor": 1, "when": ["salary"]}
    assert [offer_mistakes(table | {field: value}) for value in passes] == [[]] * len(passes)
    for value in fails:
        (mistake,) = offer_mistakes(table | {field: value})
        assert mistake.startswith(field)


@pytest.mark.parametrize(
    ("field", "passes", "fails"),
    [
        ("decline_days", (1, 730), (0, 731)),
        ("ignored_days", (1, 730), (0, 731)),
        ("ignored_max", (1, 32), (0, 33)),
        ("control_share", (0, 0.5), (-0.1, 0.51)),
        ("churn_raise_at", (0.21, 0.99), (0, 1)),
        ("quiet_from", ("00:00", "23:59"), ("24:00", "9:00", "08:60")),
        (
            "caps",
            ([{"at_most": 0, "days": 1}] * 16, [{"at_most": 32, "days": 730}]),
            ([{"at_most": 1, "days": 1}] * 17,),
        ),
    ],
)
def test_a_field_of_the_policy_keeps_its_limits(field: str, passes: tuple[Any, ...], fails: tuple[Any, ...]) -> None:
    more = {"quiet_to": "12:00"} if field == "quiet_from" else {}
    assert [policy_mistakes({field: value} | more) for value in passes] == [[]] * len(passes)
    for value in fails:
        (mistake,) = policy_mistakes({field: value} | more)
        assert mistake.startswith(field)


def test_a_catalogue_holds_at_most_64_offers_and_an_offer_32_conditions() -> None:
    def written(count: int) -> str:
        return "\n".join(
            f'[[offer]]\noffer_id = "o{number}"\nproduct = "P"\ntext = "T"\nvalue_minor = 1\nwhen = ["salary"]'
            for number in range(count)
        )

    assert len(read_catalog(written(64)).offers) == 64
    with pytest.raises(ValueError, match="holds 65 offers, more than 64"):
        read_catalog(written(65))
    table = {"offer_id": "o", "product": "P", "text": "T", "value_minor": 1, "when": ["salary"]}
    condition = {"feature": "balance", "operator": "above", "value": 1}
    assert offer_mistakes(table | {"suitability": [condition] * 32}) == []
    assert len(offer_mistakes(table | {"suitability": [condition] * 33})) == 1


@pytest.mark.parametrize(
    ("rate", "right"),
    [
        ("1e-12", True),
        ("9.9e-13", False),
        ("1e12", True),
        ("1000000000001", False),
        ("0." + "1" * 40, True),
        ("0." + "1" * 41, False),
        ("0", False),
        ("-1", False),
        ("NaN", False),
        ("Infinity", False),
    ],
)
def test_a_rate_keeps_its_limits(rate: str, right: bool) -> None:
    if right:
        assert "USD" in Exchange("EUR", {"USD": Decimal(rate)})
    else:
        with pytest.raises(ValueError, match="USD: must be from 1E-12 to 1E\\+12 with at most 40 digits"):
            Exchange("EUR", {"USD": Decimal(rate)})


@pytest.mark.parametrize(("amount", "right"), [(10**15 // 2, True), (10**15 // 2 + 1, False)])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("field", ["amount_minor", "balance_minor"])
def test_what_is_converted_keeps_the_limit_in_the_banks_currency(
    field: str, sign: int, amount: int, right: bool
) -> None:
    told = {"event_id": "e", "customer_id": "c", "account_id": "a", "occurred_at": NOON, "amount_minor": 1}
    told |= {"currency": "USD", "type": "deposit", "channel": "atm", field: sign * amount}
    record = Record(0, NOON, b"c", msgspec.json.encode(told))
    letters = (
        TransactionIntake("transactions", "EUR", {"USD": Decimal(2)})
        .batch(0, [record], StreamTime(), DuplicateFilter())
        .dead_letters
    )
    assert [(letter.reason, letter.field) for letter in letters] == ([] if right else [("out_of_bounds", field)])


@pytest.mark.parametrize(
    ("currency", "rule"),
    [
        ("USD", "TRACKER_RATES_FILE"),
        ("XAU", "must be an ISO 4217 code"),
        ("ABC", "must be an ISO 4217 code"),
    ],
)
def test_a_currency_without_a_rate_and_one_that_there_is_not_are_told_apart(currency: str, rule: str) -> None:
    letter = refused(currency=currency)
    assert letter is not None
    assert (letter.reason, letter.field) == ("no_rate", "currency")
    assert rule in letter.rule


@pytest.mark.parametrize(("at", "right"), [(4_102_444_800_000, True), (4_102_444_800_001, False)])
def test_the_last_moment_that_can_be_told_is_the_beginning_of_2100(at: int, right: bool) -> None:
    told = {"event_id": "e", "customer_id": "c", "account_id": "a", "occurred_at": at, "amount_minor": 1}
    plain = msgspec.json.encode(told | {"currency": "EUR", "type": "deposit", "channel": "atm"})
    for value in (plain, b'{"channel": "mobile", ' + plain[1:]):
        batch = TransactionIntake("transactions", "EUR", {}).batch(
            0, [Record(0, at, b"c", value)], StreamTime(), DuplicateFilter()
        )
        assert [letter.field for letter in batch.dead_letters] == ([] if right else ["occurred_at"])
