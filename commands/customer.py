"""`tracker customer`: everything that is known of one customer, at this moment."""

import time
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.table import Table

from commands.console import Failure, out, print_json, settings_with
from commands.state import claimed_partitions, store
from handlers.aggregates.features import FEATURES, INDEX
from handlers.contact.history import SUPPRESSION_REASONS, ContactHistory
from handlers.profile.customer import accounts, churn_raised_at, contact_history, profile
from schemas.money import money
from schemas.offer import CONTACT_CHANNELS
from schemas.units import rfc3339
from serving.picture import dealings_picture, picture, state_of
from serving.words import MISSING, figure

FLOWS = {"count": "Transactions", "in": "Money in", "out": "Money out", "net": "Net"}
WINDOWS = {"1h": "1 h", "24h": "24 h", "7d": "7 d", "30d": "30 d", "90d": "90 d", "180d": "180 d", "life": "ever"}


def customer(
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="The customer_id in the transactions.")],
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON; a missing figure is null.")] = False,
) -> None:
    """Show a customer's figures, accounts and risk, as they are at this moment."""
    settings = settings_with("redis_url")
    state = store(settings)
    for number in claimed_partitions(state, settings):
        (row,) = state.load(number, [customer_id])
        position = state.read(number)
        if row is not None and position is not None:
            now = position.clock if settings.clock == "stream" else int(time.time() * 1000)
            break
    else:
        raise Failure(f"There is no customer {customer_id}: nothing of theirs has been processed")
    if as_json:
        print_json(picture(customer_id, row, now))
    else:
        show(customer_id, row, now, settings.base_currency)


def show(customer_id: str, row: bytes, now: int, currency: str) -> None:
    """The same, for people."""
    values = profile(row, now)
    out.print(f"[bold]Customer {customer_id}[/] at {rfc3339(now)[:16].replace('T', ' ')} UTC")
    raised = churn_raised_at(row)
    if raised is None:
        out.print("[green]No churn risk stands[/]")
    else:
        out.print(f"[red]May be leaving[/]: silent beyond their own rhythm since {rfc3339(raised)[:10]}")
    out.print(_flows(values, currency))
    out.print(_others(values, currency))
    held = Table("Account", "Balance", "Since", title="Accounts", title_justify="left")
    for account, balance, at in accounts(row):
        held.add_row(account, money(balance, currency), rfc3339(at)[:16].replace("T", " "))
    if held.row_count:
        out.print(held)
    _show_dealings(contact_history(row), now)


def _show_dealings(dealings: ContactHistory, now: int) -> None:
    made = Table("Offer", "Since", "Until", "By", "State", title="Offers", title_justify="left")
    for contact in dealings.contacts:
        if contact.offer_id:
            dates = rfc3339(contact.at)[:10], rfc3339(contact.expires_at)[:10]
            made.add_row(contact.offer_id, *dates, CONTACT_CHANNELS[contact.channel], state_of(contact, now))
    suppressed = Table("Alert", "At", "Rule", title="Lately not sent", title_justify="left")
    for one in dealings.suppressions:
        when = rfc3339(one.at)[:16].replace("T", " ")
        suppressed.add_row(one.offer_id or "churn_risk", when, SUPPRESSION_REASONS[one.rule].replace("_", " "))
    for table in (made, suppressed):
        if table.row_count:
            out.print(table)
    known = dealings_picture(dealings, now)
    for what in ("consents", "time_zone", "products"):
        if known[what]:
            out.print(f"{what.replace('_', ' ')}: {known[what]}", markup=False)


def _flows(values: Mapping[str, float | None], currency: str) -> Table:
    table = Table("Window", *FLOWS.values(), title="Movements", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for window, words in WINDOWS.items():
        names = [f"{flow}_{window}" for flow in FLOWS]
        table.add_row(words, *(figure(name, values[name], currency) for name in names))
    return table


def _others(values: Mapping[str, float | None], currency: str) -> Table:
    """What is no movement; shares only where there are any."""
    in_flows = {f"{flow}_{window}" for flow in FLOWS for window in WINDOWS}
    table = Table("Figure", "Value", title="Habits and balances", title_justify="left")
    for name, value in values.items():
        if name in in_flows or (name.startswith("share_") and not value):
            continue
        text = figure(name, value, currency)
        table.add_row(FEATURES[INDEX[name]].meaning, text, style="dim" if text == MISSING else "")
    return table
