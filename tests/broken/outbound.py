"""What is published, and what is committed beside the rows: only the audit of `make faults` looks at all of it."""

from tests.broken.mistake import Mistake

_ROW = "--row duplicates --seed 1"

MISTAKES = (
    Mistake(
        "alerts-without-a-key",
        "Alerts and dead letters are published without a key.",
        "streams/broker/transactions.py",
        "producer.produce(outgoing.topic, outgoing.value, outgoing.key, headers=headers)",
        "producer.produce(outgoing.topic, outgoing.value, None, headers=headers)",
        _ROW,
        servers=True,
    ),
    Mistake(
        "entries-in-reverse-order",
        "The entries of a transaction are published in reverse order.",
        "streams/broker/publisher.py",
        "for _, outgoing in entries:",
        "for _, outgoing in reversed(entries):",
        _ROW,
        servers=True,
    ),
    Mistake(
        "letter-cut-short",
        "A dead letter holds only the first bytes of the refused record.",
        "streams/partition/partition.py",
        "letter.key, letter.value, dead_letter_headers(letter)",
        "letter.key, letter.value and letter.value[:8], dead_letter_headers(letter)",
        _ROW,
        servers=True,
    ),
    Mistake(
        "letter-with-another-rule",
        "A dead letter names the field where the rule should be.",
        "schemas/dead_letter.py",
        "str(getattr(letter, name))",
        'str(getattr(letter, name.replace("rule", "field")))',
        "tests/unit/test_outbound_headers.py::test_a_dead_letter_says_why_and_from_where",
    ),
    Mistake(
        "alert-type-without-version",
        "The type of an alert's CloudEvent has no version.",
        "schemas/alert.py",
        ".{alert.status}.v1",
        ".{alert.status}",
        "tests/unit/test_outbound_headers.py::test_an_alert_is_a_cloud_event_in_binary_mode",
    ),
    Mistake(
        "ledger-count-lost",
        "What the partition's ledger has counted is not written.",
        "streams/store/commands.py",
        "RowTable.of(changes.rows), DueTable",
        'RowTable.of({name: row for name, row in changes.rows.items() if name != "\\0ledger"}), DueTable',
        _ROW,
        servers=True,
    ),
    Mistake(
        "event-ids-not-stored",
        "Which events were seen is remembered in memory only.",
        "streams/store/commands.py",
        "pieces, forgotten = changes.seen.pieces, changes.seen.forgotten",
        "pieces, forgotten = [], changes.seen.forgotten",
        _ROW,
        servers=True,
    ),
)
