"""A backtest as one HTML file: tables and pictures, nothing fetched from anywhere."""

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from learning.backtest import Backtest, Method
from learning.charts import bars, drawing
from learning.detection import FALSE_ALARMS
from learning.metrics import Difference, lift, money_found, reliability
from schemas.money import money
from schemas.units import rfc3339

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;margin:.5rem 0}
th,td{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:right}th:first-child,td:first-child{text-align:left}
thead th{border-bottom:2px solid #888}.pictures{display:flex;flex-wrap:wrap;gap:1rem}svg{max-width:100%;height:auto}
.remark{background:#fff5d6;padding:.5rem .8rem;border-left:4px solid #d9a400}.scroll{overflow-x:auto}
"""
_SHADES = ("#b2182b", "#2166ac", "#4d9221", "#b35806", "#762a83", "#666666")


def page(found: Backtest) -> str:
    """The whole file. Customer ids are not in it."""
    split, training = rfc3339(found.split)[:10], found.model.training
    leavers = f"{found.left.mean():.1%} of them" if found.methods else "nobody knows how many"
    parts = [
        f"<h1>Who leaves: backtest at {split}, horizon {found.horizon_days} days</h1>",
        f"<p>{len(found.customers):,} customers were seen before the split; {leavers} left in the "
        f"{found.horizon_days} days after it. Model {escape(found.model.name)} {escape(found.model.version)}, trained"
        f" on {training.events:,} events before {training.until[:10]}: {training.rows:,} rows at"
        f" {len(training.cutoffs)} cut-offs. Leaving means: {escape(found.model.leaving)}.</p>",
        *(f'<p class="remark">{escape(remark)}</p>' for remark in found.remarks),
    ]
    if found.methods:
        parts += [*_quality(found), *_differences(found), *_calibration(found), *_lift(found), *_money(found)]
        parts += _detection(found)
    parts += _drivers(found)
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>Backtest at {split}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table; the first cell of each row names it."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heading)
    lines = (
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _quality(found: Backtest) -> list[str]:
    heading = ("method", "AUC", "average precision", "top-decile lift", "Brier", "log-loss", "calibration error")

    def rows(active: bool) -> Iterable[Sequence[str]]:
        for method in found.methods:
            q = method.active if active else method.everybody
            if q is not None:
                figures = (q.auc, q.average_precision, q.top_decile_lift, q.brier, q.log_loss, q.calibration_error)
                yield (method.name, *("–" if figure is None else f"{figure:.4f}" for figure in figures))

    active = int(found.active.sum())
    return [
        "<h2>Against baselines</h2>",
        f"<h3>All {len(found.customers):,} customers</h3>",
        table(heading, rows(active=False)),
        f"<h3>The {active:,} customers active in the {found.horizon_days} days before the split</h3>",
        table(heading, rows(active=True)),
        "<p>1 - P(alive) and recency rank; only the former is a probability, and not of this.</p>",
    ]


def _differences(found: Backtest) -> list[str]:
    rows = [
        (method.name, *_difference(method.auc_gain), *_difference(method.log_loss_gain)) for method in found.methods[1:]
    ]
    heading = ("model less ...", "AUC", "95 % interval", "better in", "log-loss", "95 % interval", "better in")
    return ["<h2>Could it be chance? Paired bootstrap over customers</h2>", table(heading, rows)]


def _difference(difference: Difference | None) -> tuple[str, str, str]:
    if difference is None:
        return "–", "–", "–"
    interval = f"{difference.low:+.4f} to {difference.high:+.4f}"
    return f"{difference.value:+.4f}", interval, f"{difference.better:.1%} of resamples"


def _calibration(found: Backtest) -> list[str]:
    bins = reliability(found.left, found.score)
    with drawing("Calibration", "mean score", "share who left") as (axes, picture):
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle="--", label="perfect")
        for method, shade in zip(found.methods[:4], _SHADES, strict=False):
            points = reliability(found.left, method.score)
            axes.plot([b.score for b in points], [b.left for b in points], "o-", color=shade, label=method.name, ms=3)
        axes.legend(fontsize=7)
    rows = [(f"{b.score:.3f}", f"{b.left:.3f}", f"{b.customers:,}") for b in bins]
    return [
        "<h2>Calibration</h2>",
        table(("mean score", "share who left", "customers"), rows),
        f'<div class="pictures">{picture.svg}</div>',
    ]


def _lift(found: Backtest) -> list[str]:
    lifts = [lift(found.left, method.score) for method in found.methods]
    with drawing("Lift of the model", "tenth of the customers, highest scores first", "lift") as (axes, picture):
        bars(axes, [str(k) for k in range(1, 11)], lifts[0])
        axes.axhline(1.0, color="#999999", linewidth=1)
    rows = [
        (method.name, *(f"{value:.2f}" for value in values))
        for method, values in zip(found.methods, lifts, strict=True)
    ]
    heading = ("tenth", *(str(k) for k in range(1, 11)))
    return ["<h2>Lift by decile</h2>", table(heading, rows), f'<div class="pictures">{picture.svg}</div>']


def _money(found: Backtest) -> list[str]:
    shares = np.arange(1, len(found.left) + 1) / len(found.left)
    parts = (0.05, 0.1, 0.2, 0.3, 0.5)
    places = [max(math.ceil(part * len(shares)) - 1, 0) for part in parts]
    by_money = Method("model's score x money moved", found.score * found.money, False, found.methods[0].everybody,
                      None, None, None)  # fmt: skip
    methods = [by_money, *found.methods]
    curves = [money_found(found.left, method.score, found.money) for method in methods]
    with drawing("Gains in money", "share of customers contacted", "share of leavers' money found") as (axes, picture):
        thin = np.unique(np.linspace(0, len(shares) - 1, 200).astype(int))
        for curve, method, shade in zip(curves, methods, _SHADES, strict=False):
            axes.plot(shares[thin], curve[thin], color=shade, linewidth=1.3, label=method.name)
        axes.legend(fontsize=7)
    at_stake = money(float((found.left * found.money).sum()), found.currency)
    rows = [
        (method.name, *(f"{curve[place]:.1%}" for place in places))
        for method, curve in zip(methods, curves, strict=True)
    ]
    return [
        "<h2>Gains in money</h2>",
        f"<p>Those who left had moved {at_stake} before the split. Of that, so much"
        " belongs to the customers contacted first:</p>",
        table(("contacted", *(f"{part:.0%}" for part in parts)), rows),
        f'<div class="pictures">{picture.svg}</div>',
    ]


def _detection(found: Backtest) -> list[str]:
    detection = found.detection
    if detection is None:
        return []
    both = (("model: will this gap reach G?", detection.model), ("recency", detection.recency))
    with drawing("Time to detect", "false alarms among those who stayed", "median days") as (axes, picture):
        for (name, delay), shade in zip(both, _SHADES, strict=False):
            points = [(rate, days) for rate, days in delay.curve if math.isfinite(days)]
            axes.plot([rate for rate, _ in points], [days for _, days in points], "o-", color=shade, label=name, ms=3)
        axes.legend(fontsize=8)
    rows = [(name, f"{d.median_days:.1f}", f"{d.false_alarms:.1%}", f"{d.at_equal_alarms:.1f}") for name, d in both]
    hindsight = f"days at {FALSE_ALARMS:.0%} false alarms, with hindsight"
    return [
        "<h2>Time to detect</h2>",
        f"<p>{detection.leavers:,} customers fell silent for G = {detection.gap_days} days after the split,"
        f" {detection.stayers:,} did not. Thresholds were set before the split, so that {FALSE_ALARMS:.0%} of those who"
        " stayed then were alarmed.</p>",
        table(
            ("method", "median days from last transaction to alarm", "false alarms after the split", hindsight), rows
        ),
        f'<div class="pictures">{picture.svg}</div>',
    ]


def _drivers(found: Backtest) -> list[str]:
    trained = found.model.training
    rows = [
        ("members' weights", ", ".join(f"{weight:.2f}" for weight in found.model.blend[1:])),
        ("AUC, log-loss of customers and days not seen", f"{trained.auc:.4f}, {trained.log_loss:.4f}"),
        ("horizons of the labels, days", ", ".join(map(str, trained.horizons_days)) or "none"),
        ("cut-offs", ", ".join(cutoff[:10] for cutoff in trained.cutoffs) or "none"),
    ]
    return ["<h2>How it was trained</h2>", table(("", ""), rows)]
