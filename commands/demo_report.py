"""What a demo has found: kept in files that can be compared, and told in words."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import orjson
from rich.table import Table

from commands.console import out
from commands.customer import show
from handlers.profile.customer import profile
from learning.noticed import fates, noticed
from learning.simulator import Truth
from schemas.alert import Alert
from schemas.units import DAY_MS, parse_rfc3339
from serving.words import sentence

PRODUCT_OFFERS = {"loan": "personal-loan", "savings": "savings-account", "insurance": "travel-insurance"}
"""The offer of commands/offers.toml that each product of the simulated bank answers to."""

TIMELY_DAYS = 45


@dataclass
class Findings:
    """What has been found so far."""

    currency: str
    truth: list[Truth]
    embedded: bool
    """Whether the servers end with the demo."""
    sent: int = 0
    events: int = 0
    """How many of those sent are processed."""
    started: float = 0.0
    seconds: float | None = None
    """For all events; None if stopped before the end."""
    alerts: list[bytes] = field(default_factory=list)
    """As published."""
    rows: dict[str, bytes] = field(default_factory=dict)
    clock: int = 0
    """The newest stream time of any partition, epoch ms."""


def save(findings: Findings, directory: Path) -> None:
    """alerts.jsonl by alert_id and profiles.jsonl by customer, the same for every run over the same transactions."""
    by_id = sorted(findings.alerts, key=lambda value: msgspec.json.decode(value, type=_Identified).alert_id)
    directory.joinpath("alerts.jsonl").write_bytes(b"".join(value + b"\n" for value in by_id))
    with directory.joinpath("profiles.jsonl").open("wb") as lines:
        for customer_id in sorted(findings.rows):
            figures = {"customer_id": customer_id, **profile(findings.rows[customer_id], findings.clock)}
            lines.write(orjson.dumps(figures, option=orjson.OPT_APPEND_NEWLINE))


def report(findings: Findings, directory: Path) -> None:
    """Tells it all."""
    alerts = sorted((msgspec.json.decode(value, type=Alert) for value in findings.alerts), key=lambda a: a.alert_id)
    out.print()
    out.print(_counts(findings, alerts))
    examples = _examples(alerts)
    if examples:
        out.print("\n[bold]Three of the alerts[/]" if len(examples) == 3 else "\n[bold]For example[/]")
    for alert in examples:
        out.print(f"  {alert.raised_at[:10]}  {sentence(alert)}", markup=False)
    customers = [alert.customer_id for alert in examples if alert.customer_id in findings.rows] or sorted(findings.rows)
    if customers:
        out.print()
        show(customers[0], findings.rows[customers[0]], findings.clock, findings.currency)
    if findings.truth and findings.seconds is not None:
        out.print("\n[bold]Against what really happened[/] (the simulator knows)")
        for line in [*_churn_score(findings, alerts), *_offer_score(findings, alerts)]:
            out.print(f"  {line}")
    out.print("\n[bold]Where to look next[/]")
    out.print(f"  {directory / 'alerts.jsonl'}, {directory / 'profiles.jsonl'}: all of it; worker.log beside them")
    if findings.embedded:
        out.print("  tracker simulate -o bank.jsonl, then tracker replay bank.jsonl ...: the same without servers")
        out.print("  docs/operating.md: the same on a Kafka and a Redis of your own")
    else:
        out.print("  tracker alerts, tracker customer ID, tracker verify: the topics and Redis still hold all this")


class _Identified(msgspec.Struct):
    alert_id: str


def _counts(findings: Findings, alerts: list[Alert]) -> Table:
    table = Table(title="What was found", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("Transactions processed", f"{findings.events:,}")
    table.add_row("Customers", f"{len(findings.rows):,}")
    for (kind, status), count in sorted(Counter((alert.kind, alert.status) for alert in alerts).items()):
        table.add_row(f"Alerts: {kind.replace('_', ' ')}, {status}", f"{count:,}")
    for offer_id, count in sorted(Counter(alert.offer.offer_id for alert in alerts if alert.offer).items()):
        table.add_row(f"  of {offer_id}", f"{count:,}", style="dim")
    if findings.seconds is not None:
        through = "Kafka, worker and Redis"
        table.add_row(f"Through {through}", f"{findings.events / findings.seconds:,.0f} transactions/s")
    return table


def _examples(alerts: list[Alert]) -> list[Alert]:
    """One of each sort."""
    firsts: dict[tuple[str, str], Alert] = {}
    for alert in alerts:
        firsts.setdefault((alert.kind, alert.status), alert)
    return [firsts[sort] for sort in sorted(firsts)][:3]


def _churn_score(findings: Findings, alerts: list[Alert]) -> list[str]:
    """What the churn alerts were worth."""
    score = noticed(alerts, fates(findings.truth), findings.clock // DAY_MS)
    lines = []
    if score.alerts:
        lines.append(
            f"{score.right:,} of the {score.alerts:,} churn alerts ({score.right / score.alerts:.0%}) came true: those"
            f" customers had left or were drifting away; {score.taken_back:,} were taken back"
        )
    summary = f"{score.noticed:,} of the {score.left:,} customers who have left were noticed"
    if score.days is not None:
        summary += f", half of all within {max(score.days, 0):.0f} days of their first day away"
    lines.append(summary)
    if score.stayed:
        lines.append(
            f"{score.bothered:,} of the {score.stayed:,} who stayed ({score.bothered / score.stayed:.1%}) were bothered"
        )
    return lines


def _offer_score(findings: Findings, alerts: list[Alert]) -> list[str]:
    """How many of those who took a product had been offered it shortly before."""
    offered: dict[tuple[str, str], list[int]] = {}
    for alert in alerts:
        if alert.offer is not None:
            offered.setdefault((alert.customer_id, alert.offer.offer_id), []).append(_day(alert.raised_at))
    end = findings.clock // DAY_MS
    taken = [t for t in findings.truth if t.product and t.product_on and _day(t.product_on.isoformat()) <= end]
    lines = []
    for product, offer_id in PRODUCT_OFFERS.items():
        days = {t.customer_id: _day(t.product_on.isoformat()) for t in taken if t.product == product and t.product_on}
        in_time = sum(
            any(0 <= day - at <= TIMELY_DAYS for at in offered.get((customer, offer_id), ()))
            for customer, day in days.items()
        )
        lines.append(
            f"{in_time:,} of the {len(days):,} who took a {product} had been offered it within {TIMELY_DAYS} days"
        )
    return lines


def _day(moment: str) -> int:
    """The UTC day (since 1970) of a date or an RFC 3339 moment."""
    return parse_rfc3339(moment if "T" in moment else moment + "T00:00:00Z") // DAY_MS
