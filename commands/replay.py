"""`tracker replay`: what a live run over a file would decide and leave behind, with no broker and no Redis."""

import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import orjson
import typer

from commands.console import Failure, out, progress, settings_with
from commands.lines import STANDARD, Lines, reading, writing
from commands.offers import SHIPPED, catalogue
from commands.remarks import remark, remark_refused
from commands.state import intake, rules
from handlers.churn.challenger import Bands, Comparison
from handlers.intake.inputs import SIDE_INPUTS
from learning.came_true import TENTHS, CameTrue
from learning.order import by_time
from learning.refusals import Refusals
from learning.replay import Replay
from schemas.units import rfc3339
from streams.ops.settings import OWN_RHYTHM, Settings

SHOW_EVERY = 1_000


def replay(
    file: Annotated[
        Path,
        typer.Argument(
            help="JSON Lines (compressed too) or Parquet: a transaction in each line, or a record of the topic that its"
            f" field `record` names ({', '.join(topic.topic for topic in SIDE_INPUTS)}); - is standard input."
        ),
    ],
    alerts: Annotated[Path, typer.Option(help="File for the alerts, JSON Lines.")],
    profiles: Annotated[Path, typer.Option(help="File for every customer's figures at the end, JSON Lines.")],
    looks: Annotated[
        Path | None,
        typer.Option(
            help="File for what model and challenger (TRACKER_CHURN_CHALLENGER) said at each silence, JSON Lines."
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Events folded at once; the output does not depend on it.")] = 8_000,
    offers: Annotated[Path, typer.Option(help="Catalogue of offers.")] = SHIPPED,
) -> None:
    """Send a file through the same decisions as a live run. The output is the same, byte for byte, on every run."""
    settings = settings_with()
    if looks is not None and settings.churn_challenger is None:
        raise Failure("--looks: there are none to write down; set TRACKER_CHURN_MODEL and TRACKER_CHURN_CHALLENGER")
    decided = rules(settings, catalogue(offers))
    started = time.monotonic()
    stood = None

    def new() -> Replay:
        return Replay(intake(settings, keyed=False), decided, settings.topic_transactions, batch)

    with reading(file) as source:
        done = _replayed(new(), source, alerts, looks, settings)
    if not done.run.order.is_stream:
        if STANDARD in (file, alerts, looks):
            raise Failure("the lines are not in the order of time: give names instead of -, to have them sorted")
        with reading(file) as source:
            lines, stood = by_time(source.lines)
            done = _replayed(new(), source._replace(lines=iter(lines)), alerts, looks, settings)
        out.print(f"[yellow]{file} was not in the order of time[/] and has been sorted")
    run, raised, came_true, met = done
    seconds = max(time.monotonic() - started, 1e-9)
    customers = 0
    with writing(profiles) as figures:
        for customer_id, values in run.profiles():
            customers += 1
            figures.write(line({"customer_id": customer_id, **values}))
    out.print(f"{run.events:,} events of {customers:,} customers in {seconds:.1f} s ({run.events / seconds:,.0f}/s)")
    out.print(f"{raised:,} alerts in {alerts}, figures in {profiles}", markup=False)
    for band in [] if came_true is None else came_true.bands(run.clock):
        out.print(
            f"score {band.tenth / TENTHS:.1f} to {(band.tenth + 1) / TENTHS:.1f}: {band.raised:,} alerts at a silence, "
            f"{band.came_true:,} came true of {band.known:,} whose horizon is over"
        )
    if met:
        both = met["high", "high"]
        one = sum(count for (champion, _), count in met.items() if champion == "high") - both
        other = sum(count for (_, challenger), count in met.items() if challenger == "high") - both
        out.print(
            f"{met.total():,} silences judged by two models: {both:,} high by both, {one:,} by the model only, "
            f"{other:,} by the challenger only"
        )
    if run.suppressed:
        counts = ", ".join(f"{rule} {count:,}" for rule, count in sorted(run.suppressed.items()))
        out.print(f"{run.suppressed.total():,} alerts were not sent: {counts}")
    if run.unfitting:
        out.print(f"{run.unfitting:,} moments had no fitting offer")
    if run.untimely:
        out.print(f"{run.untimely:,} transactions came a day late or more: they count, and bring no offer")

    def where(offset: int) -> str:
        return f"line {(offset if stood is None else int(stood[offset])) + 1:,}"

    if far := run.order.far(run.clock):
        out.print(
            f"[yellow]{len(far):,} transactions lie far in the future[/] of all the others and move no time but their"
            f" customer's; the first is {where(far[0].offset)}, of {rfc3339(far[0].at)[:10]}"
        )
    if run.unmatched:
        out.print(f"{run.unmatched:,} outcomes name an alert that is not known, or no longer: they teach nothing")
    refusals = Refusals()
    for letter in run.dead_letters:
        refusals.add(letter, where(letter.offset))
    remark(out, run.duplicates, run.early_reversals, run.unknown_types, run.unknown_channels)
    remark_refused(out, refusals, run.events + run.duplicates, settings)


class _Replayed(NamedTuple):
    """One run over a file."""

    run: Replay
    raised: int
    """Alerts, retractions included."""
    came_true: CameTrue | None
    met: Counter[Bands]


def _replayed(run: Replay, source: Lines, alerts: Path, looks: Path | None, settings: Settings) -> _Replayed:
    """Runs to the end of the lines and writes what comes of them."""
    came_true = None if settings.churn_model == OWN_RHYTHM else CameTrue()
    raised = 0
    met: Counter[Bands] = Counter()
    with ExitStack() as files:
        alert_file = files.enter_context(writing(alerts))
        shadow = None if looks is None else files.enter_context(writing(looks))
        bar = files.enter_context(progress("replaying", source.total, "bytes"))

        def looked(look: Comparison) -> None:
            met[look.bands] += 1
            if shadow is not None:
                shadow.write(line(look._asdict() | {"at": rfc3339(look.at)}))

        for alert in run.alerts(source.lines, looked, None if came_true is None else came_true.folded):
            alert_file.write(line(msgspec.to_builtins(alert)))
            if came_true is not None:
                came_true.raised(alert)
            raised += 1
            if raised % SHOW_EVERY == 0:
                bar.at(source.at())
    return _Replayed(run, raised, came_true, met)


def line(value: object) -> bytes:
    """A line of JSON."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
