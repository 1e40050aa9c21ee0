"""The commands that need servers, over what one worker has left."""

import json
from pathlib import Path
from time import monotonic

import msgspec
import pytest
import redis

from commands.kafka import consumer, ends, from_the_start, partitions, to_the_end
from commands.offers import SHIPPED, catalogue
from commands.state import claimed_partitions
from commands.topics import wanted_topics
from handlers.offers.catalog import catalogue_of
from handlers.profile.customer import profile
from tests.live import Bank, OpenBank, tracker

CUSTOMERS = 40


@pytest.fixture(scope="module")
def bank(open_bank: OpenBank, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """A simulated bank that a worker has processed."""
    feed = tmp_path_factory.mktemp("feed") / "feed.jsonl.gz"
    tracker("simulate", "-o", feed, "--customers", CUSTOMERS, "--days", 120, "--seed", 2)
    bank: Bank = open_bank(partitions=3, clock="stream")
    bank.command("offers", "publish", SHIPPED)
    bank.publish(feed)
    with bank.worker() as worker:
        worker.until(bank.at_rest)
    return bank


def test_topics_are_made_once(bank: Bank) -> None:
    lines = [json.loads(line) for line in bank.command("topics", "create", "--json").stdout.splitlines()]
    found = {line["topic"]: (line["created"], line["differences"]) for line in lines}
    assert found == {topic.name: (False, []) for topic in wanted_topics(bank.settings)}


def test_topics_that_differ_are_told_and_left(bank: Bank) -> None:
    said = bank.command("topics", "create", partitions=4, status=1).stdout
    assert f"differs  {bank.settings.topic_transactions}: has 3 partitions, not 4" in said
    assert bank.command("topics", "create").stdout.count("is right") == len(wanted_topics(bank.settings))


def test_a_customer_is_shown(bank: Bank) -> None:
    customer_id = bank.alerts()[0]["customer_id"]
    shown = bank.command("customer", customer_id).stdout
    for told in (f"Customer {customer_id}", "Movements", "180 d", "Habits and balances", "Accounts", "EUR"):
        assert told in shown
    told = json.loads(bank.command("customer", customer_id, "--json").stdout)
    assert told["customer_id"] == customer_id
    assert told["features"]["count_life"] > 0
    assert told["accounts"][0]["balance_minor"] is not None


def test_a_customer_that_is_not_there_is_told_so(bank: Bank) -> None:
    said = bank.command("customer", "nobody", status=1)
    assert said.stdout == ""
    assert said.stderr.strip() == "There is no customer nobody: nothing of theirs has been processed"


def test_alerts_are_sentences_or_the_json_that_was_published(bank: Bank) -> None:
    alerts = bank.alerts()
    shown = bank.command("alerts").stdout.splitlines()
    assert len(shown) == len(alerts) > 10
    assert sum(" may be leaving; act before" in line for line in shown) == sum(
        (alert["kind"], alert["status"]) == ("churn_risk", "raised") for alert in alerts
    )


def test_nothing_is_among_the_dead_letters(bank: Bank) -> None:
    assert bank.command("dead-letters", "list").stdout == ""
    assert "0 letters sent back" in bank.command("dead-letters", "replay").stdout


def test_verify_prints_each_difference_and_fails(bank: Bank) -> None:
    assert bank.verified()["differences"] == 0
    with redis.Redis.from_url(str(bank.settings.redis_url)) as client:
        number = claimed_partitions(bank.state, bank.settings)[0]
        names = bank.state.customers(number)  # in any order
        rows = dict(zip(names, bank.state.load(number, names), strict=True))
        counts = {name: int(profile(row, 0)["count_life"] or 0) for name, row in rows.items() if row}
        one, other = (f"{{{number}}}:c:{pick(counts, key=counts.__getitem__)}" for pick in (min, max))
        right = client.get(one)
        assert right is not None
        client.copy(other, one, replace=True)
        lines = bank.command("verify", "--json", status=1).stdout.splitlines()
        shown = bank.command("verify", status=1).stdout
        client.set(one, right)
    differences = [json.loads(line) for line in lines[:-1]]
    assert json.loads(lines[-1])["differences"] == len(differences) > 1
    assert {difference["customer_id"] for difference in differences} == {one.partition(":c:")[2]}
    assert {"count_life", "balance"} <= {difference["figure"] for difference in differences}
    assert "Redis has" in shown
    assert bank.verified()["differences"] == 0


def test_a_customer_missing_in_redis_is_a_difference(bank: Bank) -> None:
    with redis.Redis.from_url(str(bank.settings.redis_url)) as client:
        number = claimed_partitions(bank.state, bank.settings)[0]
        customer_id = bank.state.customers(number)[0]
        right = client.getdel(f"{{{number}}}:c:{customer_id}")
        lines = bank.command("verify", "--json", status=1).stdout.splitlines()
        client.set(f"{{{number}}}:c:{customer_id}", right or b"")
    differences = [json.loads(line) for line in lines[:-1]]
    assert {(found["customer_id"], found["served"]) for found in differences} == {(customer_id, None)}


def test_publish_keeps_to_its_rate_and_tells_what_has_no_key(open_bank: OpenBank, tmp_path: Path) -> None:
    bank: Bank = open_bank(partitions=2)
    file = tmp_path / "feed.jsonl"
    file.write_text('{"customer_id": "a"}\n' * 29 + "no JSON\n")
    started = monotonic()
    said = bank.command("publish", file, "--rate", 30).stdout
    assert monotonic() - started >= 29 / 30
    assert f"30 lines sent to {bank.settings.topic_transactions}" in said
    assert "1 of them have no customer_id" in said


def test_publish_to_a_topic_that_is_not_there_is_told_so(bank: Bank, tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    file.write_text('{"customer_id": "c"}')
    said = bank.command("publish", file, topic_transactions="nowhere", status=1).stderr
    assert said.strip() == "There is no topic nowhere; `tracker topics create` makes it"


@pytest.mark.parametrize("broken", [51, 100])
def test_of_a_file_that_holds_no_records_nothing_is_sent(open_bank: OpenBank, tmp_path: Path, broken: int) -> None:
    bank: Bank = open_bank(partitions=1)
    file = tmp_path / "feed.csv"
    file.write_text("\n" + "account;amount\n" * broken + '{"customer_id": "a"}\n' * (100 - broken))
    said = bank.command("publish", file, status=1).stderr
    assert f"{file}, line 2: must be a JSON object with a customer_id; {broken} of the first 100 lines are not" in said
    assert ends(consumer(bank.settings), bank.settings.topic_transactions, 0).high == 0


def test_offers_that_are_left_out_are_withdrawn(open_bank: OpenBank, tmp_path: Path) -> None:
    bank: Bank = open_bank(partitions=1)
    bank.command("offers", "publish", SHIPPED)
    one = tmp_path / "one.toml"
    one.write_text(SHIPPED.read_text().split("[[offer]]")[0] + "[[offer]]" + SHIPPED.read_text().split("[[offer]]")[1])
    assert "1 offers published" in (said := bank.command("offers", "publish", one).stdout)
    assert f"{len(catalogue(SHIPPED).offers) - 1} withdrawn" in said


def test_a_kind_of_alerts_is_switched_off_and_on_again_and_all_else_in_the_policy_stays(open_bank: OpenBank) -> None:
    bank: Bank = open_bank(partitions=1)
    bank.command("offers", "publish", SHIPPED)
    said = [
        bank.command("offers", "switch", *words.split()).stdout.strip()
        for words in ("next_best_offer off", "churn_risk dry-run", "next_best_offer on")
    ]
    assert said == ["next_best_offer: off", "churn_risk: dry-run", "next_best_offer: on"]
    reader = consumer(bank.settings)
    records: dict[bytes, bytes] = {}
    try:
        topic = bank.settings.topic_offers
        for message in to_the_end(reader, topic, from_the_start(partitions(reader, topic))):
            records[message.key() or b""] = message.value() or b""
    finally:
        reader.close()
    expected = msgspec.structs.replace(catalogue(SHIPPED).policy, dry_run=["churn_risk"])
    assert catalogue_of(records).policy == expected
