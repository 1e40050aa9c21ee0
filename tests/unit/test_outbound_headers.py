"""What a subscriber reads beside the value: headers, word by word."""

from schemas.alert import Alert, Cause, Model, cloud_event_headers
from schemas.dead_letter import DeadLetter, dead_letter_headers


def test_an_alert_is_a_cloud_event_in_binary_mode() -> None:
    alert = Alert(
        alert_id="0b3f6f1e-6a5c-5f0a-8d3e-2f1f2a6f9c11",
        kind="next_best_offer",
        status="retracted",
        customer_id="C-1001",
        raised_at="2024-02-29T09:30:00Z",
        expires_at="2024-03-14T09:30:00Z",
        score=0.5,
        horizon_days=14,
        reasons=[],
        cause=Cause("transactions", 3, 17, "e-1"),
        model=Model("rules", "1"),
    )
    assert cloud_event_headers(alert) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"0b3f6f1e-6a5c-5f0a-8d3e-2f1f2a6f9c11"),
        ("ce_source", b"/customer-tracker"),
        ("ce_type", b"customer-tracker.next_best_offer.retracted.v1"),
        ("ce_subject", b"C-1001"),
        ("ce_time", b"2024-02-29T09:30:00Z"),
        ("content-type", b"application/json"),
    ]


def test_a_dead_letter_says_why_and_from_where() -> None:
    letter = DeadLetter(
        reason="out_of_bounds",
        field="amount_minor",
        rule="must be a whole number",
        topic="transactions",
        partition=2,
        offset=41,
        timestamp_ms=1_709_164_800_000,
        key=b"C-1001",
        value=b"{}",
    )
    assert dead_letter_headers(letter) == [
        ("dlq_reason", b"out_of_bounds"),
        ("dlq_field", b"amount_minor"),
        ("dlq_rule", b"must be a whole number"),
        ("dlq_topic", b"transactions"),
        ("dlq_partition", b"2"),
        ("dlq_offset", b"41"),
        ("dlq_timestamp_ms", b"1709164800000"),
    ]
