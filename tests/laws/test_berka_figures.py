"""A real bank's customers, folded, have the figures that pandas finds in the bank's own file.

Nothing but the events' way in is shared: pandas reads trans.asc and disp.asc itself and aggregates by its own means.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest

from handlers.aggregates.features import FEATURES
from handlers.profile.customer import profile
from handlers.state.row_table import LEDGER
from learning.berka import transactions
from schemas.transaction import CHANNELS, TYPES
from tests.fast import Fast
from tests.oracle import differences

BERKA = Path(__file__).resolve().parents[3] / "shared" / "data" / "berka"
MOMENTS = tuple(
    pd.Timestamp(text, tz="UTC") for text in ("1993-12-31T08:03:20", "1994-12-31T08:04:00", "1996-05-17T13:07:00")
)
"""While much is booked, at the end of the data, and more than a year after it."""

pytestmark = pytest.mark.skipif(not (BERKA / "trans.asc").exists(), reason="the Berka data is not beside the project")


@pytest.fixture(scope="module")
def bank() -> pd.DataFrame:
    """Every booking: at, day, client, minor (signed), balance, own, type and channel."""
    raw = pd.read_csv(BERKA / "trans.asc", sep=";", dtype=str, keep_default_na=False)
    disposers = pd.read_csv(BERKA / "disp.asc", sep=";", dtype=str)
    frame = raw.merge(disposers[disposers["type"] == "OWNER"][["account_id", "client_id"]], on="account_id", how="left")
    symbol, operation = frame["k_symbol"].str.strip(), frame["operation"]
    frame["day"] = pd.to_datetime("19" + frame["date"], format="%Y%m%d", utc=True)
    in_the_day = frame.groupby("date").cumcount()
    frame["at"] = frame["day"] + pd.Timedelta(hours=8) + pd.to_timedelta(in_the_day, unit="s")
    frame["minor"] = (frame["amount"].astype(float) * 100).round().astype("int64")
    frame["minor"] *= np.where(frame["type"] == "PRIJEM", 1, -1)
    frame["balance"] = (frame["balance"].astype(float) * 100).round().astype("int64")
    frame["own"] = ~symbol.isin(["UROK", "SLUZBY", "SANKC. UROK"])
    by_symbol = {
        "UROK": "interest",
        "SLUZBY": "fee",
        "SANKC. UROK": "fee",
        "DUCHOD": "pension",
        "SIPO": "bill_payment",
        "POJISTNE": "insurance_premium",
        "UVER": "loan_payment",
    }
    by_operation = {
        "VKLAD": "deposit",
        "VYBER": "withdrawal",
        "VYBER KARTOU": "withdrawal",
        "PREVOD Z UCTU": "transfer_in",
        "PREVOD NA UCET": "transfer_out",
    }
    frame["type"] = symbol.map(by_symbol).fillna(operation.map(by_operation))
    frame["channel"] = "automatic"
    frame.loc[operation.isin(["VKLAD", "VYBER"]) & frame["own"], "channel"] = "counter"
    frame.loc[operation == "VYBER KARTOU", "channel"] = "atm"
    return frame[["at", "day", "client_id", "account_id", "minor", "balance", "own", "type", "channel"]]


@pytest.fixture(scope="module")
def clients(bank: pd.DataFrame) -> list[str]:
    """Ten owners, from the one with most bookings to one with few."""
    by_bookings = bank[bank["day"] < "1994-06-01"]["client_id"].value_counts(sort=True).sort_index().sort_values()
    return [str(by_bookings.index[place]) for place in np.linspace(0, len(by_bookings) - 1, 10).astype(int)]


@pytest.fixture(scope="module")
def folded(clients: list[str]) -> list[dict[str, dict[str, Any]]]:
    """For each moment, what the rows of the ten say at it: features by name, by client."""
    wanted = {f"berka-c-{client}" for client in clients}
    stream = [event for event in transactions(BERKA) if event["customer_id"] in wanted]
    fast = Fast(base_currency="CZK")
    answers = []
    for moment in MOMENTS:
        now = int(moment.timestamp() * 1000)
        until = moment.strftime("%Y-%m-%dT%H:%M:%S")
        seen = [event for event in stream if str(event["occurred_at"])[:19] <= until]
        stream = stream[len(seen) :]
        fast.feed(seen)
        rows = fast.rows
        answers.append(
            {name.removeprefix("berka-c-"): profile(row, now) for name, row in rows.items() if name != LEDGER}
        )
    return answers


@pytest.mark.parametrize("place", range(len(MOMENTS)), ids=[str(moment) for moment in MOMENTS])
def test_ten_customers_have_the_figures_that_pandas_finds(
    place: int, bank: pd.DataFrame, clients: list[str], folded: list[dict[str, dict[str, Any]]]
) -> None:
    now = MOMENTS[place]
    for client in clients:
        seen = bank[(bank["client_id"] == client) & (bank["at"] <= now)]
        if seen.empty:
            assert client not in folded[place]
            continue
        assert differences(folded[place][client], _figures(seen, now)) == {}, f"client {client} at {now}"


def test_the_three_moments_show_every_feature(folded: list[dict[str, dict[str, Any]]]) -> None:
    known = {name for answer in folded for row in answer.values() for name, value in row.items() if value is not None}
    assert known == {feature.name for feature in FEATURES}


def _figures(seen: pd.DataFrame, now: pd.Timestamp) -> dict[str, Any]:
    today = now.normalize()
    windows = {
        "1h": seen[seen["at"].dt.floor("5min") >= now.floor("5min") - pd.Timedelta(minutes=55)],
        "24h": seen[seen["at"].dt.floor("h") >= now.floor("h") - pd.Timedelta(hours=23)],
        "7d": seen[seen["at"].dt.floor("h") >= now.floor("h") - pd.Timedelta(hours=167)],
        **{f"{days}d": seen[seen["day"] > today - pd.Timedelta(days=days)] for days in (30, 90, 180)},
        "life": seen,
    }
    figures: dict[str, Any] = {}
    for name, window in windows.items():
        figures[f"count_{name}"] = len(window)
        figures[f"in_{name}"] = int(window["minor"].clip(lower=0).sum())
        figures[f"out_{name}"] = int(-window["minor"].clip(upper=0).sum())
        figures[f"net_{name}"] = int(window["minor"].sum())
    month, quarter = windows["30d"], windows["90d"]
    own = seen[seen["own"]]
    day = pd.Timedelta(days=1)
    tenure = (now - seen["at"].min()) / day
    latest = seen.sort_values("at").groupby("account_id")["balance"].last()
    figures |= {
        "recency_days": None if own.empty else (now - own["at"].max()) / day,
        "silence_days": None if own.empty else (today - own["day"].max()).days,
        "tenure_days": tenure,
        "frequency": len(seen) / max(tenure, 30) * 30,
        "active_days_30d": month[month["own"]]["day"].nunique(),
        "active_days_90d": quarter[quarter["own"]]["day"].nunique(),
        "balance": int(latest.clip(lower=0).sum()),
        "debt": int(-latest.clip(upper=0).sum()),
        "accounts": seen["account_id"].nunique(),
        "balance_low_30d": None if month.empty else int(month["balance"].min()),
        "balance_high_30d": None if month.empty else int(month["balance"].max()),
    }
    newest = seen["day"].max()
    days = own[(own["day"] > newest - 180 * day)]["day"].drop_duplicates().sort_values()
    gaps = days.diff().dropna().dt.days
    figures["gap_mean_days"] = None if gaps.empty else gaps.mean()
    figures["gap_sd_days"] = None if gaps.empty else gaps.std(ddof=0)
    figures["gap_q90_days"] = None if gaps.empty else int(np.quantile(gaps, 0.9, method="inverted_cdf"))
    booked = [name for name in TYPES if name != "balance"]  # which is a report
    for column, names in (("channel", CHANNELS), ("type", booked)):
        shares = quarter[column].value_counts(normalize=True)
        for name in names:
            figures[f"share_{column}_{name}_90d"] = None if quarter.empty else shares.get(name, 0.0)
    for name, window in (("30d", month), ("90d", quarter)):
        credits_ = window[window["minor"] > 0]["minor"]
        figures[f"largest_credit_{name}"] = None if credits_.empty else int(credits_.max())
    for name in ("count", "in", "out"):
        before = figures[f"{name}_90d"] - figures[f"{name}_30d"]
        figures[f"trend_{name}"] = (figures[f"{name}_30d"] / 30) / (before / 60) if before else None
    return figures
