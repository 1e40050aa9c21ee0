"""The laws of beliefs, over every one in the registry: the cut into batches does not show, replay equals live, a row
read and written is the same, what was due is due once."""

from collections import Counter
from typing import Any, get_args

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numba import config

from handlers.contact.history import CONTACT
from handlers.engine.beliefs import BELIEFS, KNOWN, Belief
from handlers.engine.rules import Rules
from handlers.intake.transactions import TransactionIntake
from handlers.state.codec import decode, encode
from handlers.state.row import ROW_BYTES_MAX, SECTION_NUMBERS_MAX, SECTIONS_MAX, new_open_row
from handlers.state.row_table import LEDGER
from handlers.state.section_codec import WATCHED
from handlers.state.sections import joined
from learning.replay import Replay
from learning.simulator import simulate
from schemas.alert import Alert, Kind
from tests.fast import TOPIC, Fast, settled
from tests.laws.test_decisions import OFFERS, POLICY, told_crowds
from tests.rows import parts

laws = settings(max_examples=10, phases=(Phase.generate,)) if config.DISABLE_JIT else settings(max_examples=60)
"""Interpreted, an example takes a second: then few are tried, and one that fails is not made smaller."""
every_belief = pytest.mark.parametrize("belief", BELIEFS, ids=[belief.name for belief in BELIEFS])

_sizes = st.lists(st.integers(1, 9), max_size=60)
Stream = list[dict[str, Any] | int]


def fed(stream: Stream, sizes: list[int]) -> Fast:
    """The stream as a worker takes it."""
    return Fast(offers=OFFERS, policy=POLICY, control_key=b"key").feed(stream, sizes)


def kept(belief: Belief, rows: dict[str, bytes]) -> dict[str, bytes]:
    """Its section of every customer's row."""
    return {name: parts(row)[1].get(belief.section.tag, b"") for name, row in rows.items() if name != LEDGER}


def told(belief: Belief, alerts: list[Alert]) -> list[Alert]:
    """Its alerts."""
    return [alert for alert in alerts if alert.kind in belief.kinds]


def of(belief: Belief, run: Fast) -> tuple[object, ...]:
    """What it has come to; the contact histories and due times are of all of them."""
    return told(belief, run.alerts), kept(belief, run.rows), run.due, run.suppressed, run.rows


@every_belief
@laws
@given(told_crowds(), _sizes)
def test_the_cut_into_batches_does_not_show(belief: Belief, stream: Stream, sizes: list[int]) -> None:
    whole = of(belief, fed(stream, []))
    assert of(belief, fed(stream, sizes)) == whole
    assert of(belief, fed(stream, [1] * len(stream))) == whole


@every_belief
@laws
@given(told_crowds(), _sizes)
def test_what_was_due_is_due_once(belief: Belief, stream: Stream, sizes: list[int]) -> None:
    run = fed(stream, sizes)
    clock = stream[-1]
    assert isinstance(clock, int)
    assert all(at > clock for at in run.due.values())
    before = of(belief, run)
    again = Fast(offers=OFFERS, policy=POLICY, control_key=b"key")
    again.rows, again.due, again.alerts, again.suppressed = run.rows, run.due, run.alerts, run.suppressed
    assert of(belief, again.feed([clock])) == before  # a worker that takes over, at the same moment of stream time
    raised = Counter(alert.alert_id for alert in told(belief, run.alerts))
    assert set(raised.values()) <= {1}


_numbers = st.lists(
    st.one_of(st.just(0), st.integers(-(2**63), 2**63 - 1)), min_size=SECTION_NUMBERS_MAX, max_size=SECTION_NUMBERS_MAX
)


@every_belief
@laws
@given(_numbers, st.booleans(), st.dictionaries(st.integers(SECTIONS_MAX, 255), st.binary(min_size=1, max_size=99)))
def test_a_row_read_and_written_is_the_same(
    belief: Belief, numbers: list[int], beside_others: bool, unknown: dict[int, bytes]
) -> None:
    s, buffer = new_open_row(), np.zeros(ROW_BYTES_MAX, np.uint8)
    for other in BELIEFS if beside_others else [belief]:
        s.sections[other.section.tag] = numbers[::-1]
    s.sections[belief.section.tag] = numbers
    row = buffer[: encode(s, buffer, 0, KNOWN)].tobytes()
    found = new_open_row()
    found.sections[:] = 77  # of another customer
    assert decode(found, np.frombuffer(row + joined(unknown), np.uint8), 0, len(row + joined(unknown)), KNOWN) > 0
    assert found.sections.tolist() == s.sections.tolist()
    assert buffer[: encode(found, buffer, 0, KNOWN)].tobytes() == row
    assert (belief.section.tag in parts(row)[1]) == any(numbers)


def a_bank() -> list[dict[str, Any]]:
    """Half a year of some customers, with products and consents between."""
    stream: list[dict[str, Any]] = []
    for number, transaction in enumerate(simulate(customers=12, days=200, seed=11)):
        if number % 40 == 7:
            event: dict[str, Any] = {"record": "customer-events", "event_id": f"n{number}", "kind": "product_taken"}
            event |= {"customer_id": transaction["customer_id"], "occurred_at": transaction["occurred_at"]}
            event |= {"product": "term", "product_kind": "deposit", "account_id": transaction["account_id"]}
            stream.append(event | {"matures_at": "2030-01-01T00:00:00Z"})
        stream.append(transaction)
    return stream


BANK = a_bank()


@pytest.fixture(scope="module")
def live() -> Fast:
    """The bank as a worker sees it."""
    return fed(list(BANK), [1, 30, 7] * len(BANK))


def placeless(alerts: list[Alert]) -> list[Alert]:
    """Without the offsets: a file has no others than its lines."""
    return [msgspec.structs.replace(alert, cause=msgspec.structs.replace(alert.cause, offset=None)) for alert in alerts]


@every_belief
def test_replay_equals_live(belief: Belief, live: Fast) -> None:
    rules = Rules(OFFERS, settled(POLICY, 0), control_key=b"key")
    run = Replay(TransactionIntake(TOPIC, "EUR", {}, keyed=False), rules, TOPIC, 64)
    alerts = list(run.alerts(orjson.dumps(each) for each in BANK))
    assert run.dead_letters == []
    assert placeless(told(belief, alerts)) == placeless(told(belief, live.alerts))
    assert kept(belief, dict(run.rows)) == kept(belief, live.rows)
    assert dict(run.rows) == live.rows


@every_belief
def test_every_belief_is_at_work_in_what_the_laws_are_tried_on(belief: Belief, live: Fast) -> None:
    """Else they would hold of nothing."""
    assert {alert.kind for alert in told(belief, live.alerts)} == set(belief.kinds)
    assert any(kept(belief, live.rows).values())


def test_entries_of_the_registry_share_nothing() -> None:
    tags = [belief.section.tag for belief in BELIEFS]
    assert len({*tags, WATCHED, CONTACT}) == len(tags) + 2
    assert all(0 < tag < SECTIONS_MAX for tag in tags)
    assert all(0 < len(belief.section.fields) <= SECTION_NUMBERS_MAX for belief in BELIEFS)
    assert Counter(kind for belief in BELIEFS for kind in belief.kinds) == Counter(get_args(Kind))
    assert len({belief.name for belief in BELIEFS}) == len(BELIEFS)
