"""The newest alerts in memory: bounded, in the order of their causes, each with what came of it."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Alert, Cause, Model, Reason
from schemas.units import DAY_MS, rfc3339
from serving.alert_log import AlertLog, Filter


def record(number: int, **changes: object) -> bytes:
    fields: dict[str, object] = {
        "alert_id": f"a-{number}",
        "kind": "churn_risk",
        "status": "raised",
        "customer_id": f"c-{number % 3}",
        "raised_at": rfc3339(number * DAY_MS),
        "expires_at": rfc3339((number + 30) * DAY_MS),
        "horizon_days": 30,
        "reasons": [Reason("silence", "No transaction.")],
        "cause": Cause("transactions", 0),
        "model": Model("own-rhythm", "1"),
    }
    return msgspec.json.encode(Alert(**(fields | changes)))  # type: ignore[arg-type]


@given(st.permutations(range(30)), st.integers(1, 40))
def test_whatever_the_order_of_arrival_the_latest_causes_are_held(order: list[int], most: int) -> None:
    log = AlertLog(most)
    for offset, number in enumerate(order):
        assert log.add(0, offset, record(number))
    found = [held.alert.alert_id for held in log.newest(Filter(), 100)]
    assert found == [f"a-{number}" for number in sorted(order, reverse=True)][:most]


def test_pages_follow_each_other_without_gap_or_repeat() -> None:
    log = AlertLog(100)
    for number in range(25):
        log.add(number % 4, number, record(number, raised_at=rfc3339(number // 5 * DAY_MS)))
    found, before = [], None
    while page := log.newest(Filter(), 7, before):
        found += [held.alert.alert_id for held in page]
        before = page[-1][:3]
    assert len(found) == len(set(found)) == 25


def test_filters_are_met() -> None:
    log = AlertLog(100)
    for number, score in enumerate((0.95, 0.8, 0.3, None)):
        log.add(0, number, record(number, score=score))
    log.add(0, 9, record(9, status="retracted", supersedes="a-0"))
    names = {band: [h.alert.alert_id for h in log.newest(Filter(band=band), 9)] for band in ("high", "medium", "low")}
    assert names == {"high": ["a-0"], "medium": ["a-1"], "low": ["a-2"]}
    assert [h.alert.alert_id for h in log.newest(Filter(status="retracted"), 9)] == ["a-9"]
    assert [h.alert.alert_id for h in log.newest(Filter(customer_id="c-1"), 9)] == ["a-1"]
    assert log.newest(Filter(offer_id="card"), 9) == []
    assert log.taken_back_by("a-0") == "a-9"


def test_an_outcome_may_come_before_its_alert() -> None:
    log = AlertLog(100)
    for outcome in ("shown", "accepted", "shown"):
        log.note_outcome(msgspec.json.encode({"alert_id": "a-1", "outcome": outcome, "customer_id": "c"}))
    log.note_outcome(b"not json")
    log.note_outcome(msgspec.json.encode({"outcome": "bought"}))
    log.add(0, 1, record(1))
    assert log.outcomes("a-1") == ["shown", "accepted"]


def test_what_is_no_alert_and_what_is_held_already_is_left_out() -> None:
    log = AlertLog(100)
    assert not log.add(0, 0, b"{}")
    assert log.add(0, 1, record(1))
    assert not log.add(0, 1, record(1))
    assert log.arrived == 1


def test_a_reader_takes_up_where_they_left() -> None:
    log = AlertLog(100)
    log.add(0, 0, record(1))
    seen = log.arrived
    log.add(1, 0, record(2))
    log.add(0, 1, record(3))
    assert [held.alert.alert_id for held in log.since(seen)] == ["a-2", "a-3"]
    assert log.since(log.arrived) == []
    assert [held.alert.alert_id for held in log.after({0: 1})] == ["a-2", "a-3"]


def test_a_reader_who_is_far_behind_is_given_what_is_held() -> None:
    log = AlertLog(10)
    for number in range(25):
        log.add(0, number, record(number))
    assert [held.offset for held in log.since(20)] == [20, 21, 22, 23, 24]
    assert [held.offset for held in log.since(0)] == list(range(25))[-len(log._arrived) :]


def test_memory_stays_bounded() -> None:
    log = AlertLog(10)
    for number in range(1_000):
        log.add(0, number, record(number))
        log.note_outcome(msgspec.json.encode({"alert_id": f"a-{number}", "outcome": "shown"}))
    assert len(log._sorted) == len(log._by_id) == 10
    assert len(log._arrived) <= 20
    assert len(log._outcomes) <= 20
