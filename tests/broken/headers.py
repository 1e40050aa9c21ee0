"""The headers of alerts and dead letters."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "letter-offset",
        "A dead letter names the offset after its record's.",
        "handlers/intake/validation.py",
        "offset=record.offset,",
        "offset=record.offset + 1,",
        "tests/unit/test_outbox_records.py::"
        "test_a_dead_letter_is_the_record_as_it_came_with_reason_field_rule_and_place",
    ),
    Mistake(
        "letter-timestamp",
        "A dead letter does not say when its record was received.",
        "handlers/intake/validation.py",
        "timestamp_ms=record.timestamp_ms,",
        "timestamp_ms=0,",
        "tests/unit/test_outbox_records.py::"
        "test_a_dead_letter_is_the_record_as_it_came_with_reason_field_rule_and_place",
    ),
    Mistake(
        "letter-cut",
        "A long dead letter is cut short.",
        "handlers/intake/validation.py",
        "value=record.value,",
        "value=record.value and record.value[:1_000],",
        "tests/unit/test_outbox_records.py::"
        "test_a_dead_letter_is_the_record_as_it_came_with_reason_field_rule_and_place",
    ),
    Mistake(
        "letter-header",
        "The headers of a dead letter have other names.",
        "schemas/dead_letter.py",
        'f"dlq_{name}"',
        'f"dl_{name}"',
        "tests/unit/test_outbox_records.py::"
        "test_a_dead_letter_is_the_record_as_it_came_with_reason_field_rule_and_place",
    ),
    Mistake(
        "letter-key",
        "A dead letter has lost its record's key.",
        "streams/partition/partition.py",
        "Outgoing(self._dead_letters_topic, letter.key,",
        "Outgoing(self._dead_letters_topic, None,",
        "tests/unit/test_outbox_records.py::"
        "test_a_dead_letter_is_the_record_as_it_came_with_reason_field_rule_and_place",
    ),
    Mistake(
        "ce-time",
        "ce_time is when the alert expires.",
        "schemas/alert.py",
        '"ce_time": alert.raised_at,',
        '"ce_time": alert.expires_at,',
        "tests/unit/test_outbox_records.py::test_an_alert_is_a_cloud_event_in_binary_mode_keyed_by_its_customer",
    ),
    Mistake(
        "ce-type",
        "ce_type does not tell a retraction.",
        "schemas/alert.py",
        'f"customer-tracker.{alert.kind}.{alert.status}.v1"',
        'f"customer-tracker.{alert.kind}.v1"',
        "tests/unit/test_outbox_records.py::test_an_alert_is_a_cloud_event_in_binary_mode_keyed_by_its_customer",
    ),
    Mistake(
        "ce-subject",
        "ce_subject is not the customer.",
        "schemas/alert.py",
        '"ce_subject": alert.customer_id,',
        '"ce_subject": alert.alert_id,',
        "tests/unit/test_outbox_records.py::test_an_alert_is_a_cloud_event_in_binary_mode_keyed_by_its_customer",
    ),
    Mistake(
        "ce-id",
        "A retraction's ce_id is that of the alert that it takes back.",
        "schemas/alert.py",
        '"ce_id": alert.alert_id,',
        '"ce_id": alert.supersedes or alert.alert_id,',
        "tests/unit/test_outbox_records.py::test_an_alert_is_a_cloud_event_in_binary_mode_keyed_by_its_customer",
    ),
    Mistake(
        "ce-content",
        "The content type stands in an attribute of structured mode.",
        "schemas/alert.py",
        '"content-type": "application/json",',
        '"ce_datacontenttype": "application/json",',
        "tests/unit/test_outbox_records.py::test_an_alert_is_a_cloud_event_in_binary_mode_keyed_by_its_customer",
    ),
    Mistake(
        "key-of-alert",
        "Alerts have no key.",
        "streams/partition/partition.py",
        "Outgoing(self._alerts_topic, alert.customer_id.encode(), value,",
        "Outgoing(self._alerts_topic, None, value,",
        "tests/unit/test_outbox_records.py::test_an_alert_is_a_cloud_event_in_binary_mode_keyed_by_its_customer",
    ),
    Mistake(
        "letter-rule",
        "A dead letter names the reason where its rule belongs.",
        "handlers/intake/validation.py",
        "            rule=self.rule,",
        "            rule=self.reason,",
        "tests/unit/test_outbox_records.py::"
        "test_a_dead_letter_is_the_record_as_it_came_with_reason_field_rule_and_place",
    ),
)
