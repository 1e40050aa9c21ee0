"""A backtest as one HTML file: tables and pictures, nothing fetched from anywhere."""

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from learning.backtest import Backtest, Method
from learning.charts import bars, drawing
from learning.detection import FALSE_ALARMS
from learning.metrics import Difference, lift, money_share, reliability
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


def page(result: Backtest) -> str:
    """The whole file. Customer ids are not in it."""
    split, training = rfc3339(result.split)[:10], result.model.training
    leavers = f"{result.left.mean():.1%} of them" if result.methods else "nobody knows how many"
    parts = [
        f"<h1>Who leaves: backtest at {split}, horizon {result.horizon_days} days</h1>",
        f"<p>{len(result.customers):,} customers were seen before the split; {leavers} left in the "
        f"{result.horizon_days} days after it. Model {escape(result.model.name)} {escape(result.model.version)},"
        f" trained on {training.events:,} events before {training.until[:10]}: {training.rows:,} rows at"
        f" {len(training.cutoffs)} cut-offs. Leaving means: {escape(result.model.leaving)}.</p>",
        *(f'<p class="remark">{escape(remark)}</p>' for remark in result.remarks),
    ]
    if result.methods:
        parts += [*_quality(result), *_differences(result), *_calibration(result), *_lift(result), *_money(result)]
        parts += _detection(result)
    parts += _drivers(result)
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


def _quality(result: Backtest) -> list[str]:
    heading = ("method", "AUC", "average precision", "top-decile lift", "Brier", "log-loss", "calibration error")

    def rows(active: bool) -> Iterable[Sequence[str]]:
        for method in result.methods:
            q = method.active if active else method.everybody
            if q is not None:
                figures = (q.auc, q.average_precision, q.top_decile_lift, q.brier, q.log_loss, q.calibration_error)
                yield (method.name, *("–" if figure is None else f"{figure:.4f}" for figure in figures))

    active = int(result.active.sum())
    return [
        "<h2>Against baselines</h2>",
        f"<h3>All {len(result.customers):,} customers</h3>",
        table(heading, rows(active=False)),
        f"<h3>The {active:,} customers active in the {result.horizon_days} days before the split</h3>",
        table(heading, rows(active=True)),
        "<p>1 - P(alive) and recency rank; only the former is a probability, and not of this.</p>",
    ]


def _differences(result: Backtest) -> list[str]:
    rows = [
        (method.name, *_difference(method.auc_gain), *_difference(method.log_loss_gain))
        for method in result.methods[1:]
    ]
    heading = ("model less ...", "AUC", "95 % interval", "better in", "log-loss", "95 % interval", "better in")
    return ["<h2>Could it be chance? Paired bootstrap over customers</h2>", table(heading, rows)]


def _difference(difference: Difference | None) -> tuple[str, str, str]:
    if difference is None:
        return "–", "–", "–"
    interval = f"{difference.low:+.4f} to {difference.high:+.4f}"
    return f"{difference.value:+.4f}", interval, f"{difference.better:.1%} of resamples"


def _calibration(result: Backtest) -> list[str]:
    bins = reliability(result.left, result.score)
    with drawing("Calibration", "mean score", "share who left") as (axes, picture):
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle="--", label="perfect")
        for method, shade in zip(result.methods[:4], _SHADES, strict=False):
            points = reliability(result.left, method.score)
            axes.plot([b.score for b in points], [b.left for b in points], "o-", color=shade, label=method.name, ms=3)
        axes.legend(fontsize=7)
    rows = [(f"{b.score:.3f}", f"{b.left:.3f}", f"{b.customers:,}") for b in bins]
    return [
        "<h2>Calibration</h2>",
        table(("mean score", "share who left", "customers"), rows),
        f'<div class="pictures">{picture.svg}</div>',
    ]


def _lift(result: Backtest) -> list[str]:
    lifts = [lift(result.left, method.score) for method in result.methods]
    with drawing("Lift of the model", "tenth of the customers, highest scores first", "lift") as (axes, picture):
        bars(axes, [str(k) for k in range(1, 11)], lifts[0])
        axes.axhline(1.0, color="#999999", linewidth=1)
    rows = [
        (method.name, *(f"{value:.2f}" for value in values))
        for method, values in zip(result.methods, lifts, strict=True)
    ]
    heading = ("tenth", *(str(k) for k in range(1, 11)))
    return ["<h2>Lift by decile</h2>", table(heading, rows), f'<div class="pictures">{picture.svg}</div>']


def _money(result: Backtest) -> list[str]:
    shares = np.arange(1, len(result.left) + 1) / len(result.left)
    parts = (0.05, 0.1, 0.2, 0.3, 0.5)
    places = [max(math.ceil(part * len(shares)) - 1, 0) for part in parts]
    by_money = Method("model's score x money moved", result.score * result.money, False, result.methods[0].everybody,
                      None, None, None)  # fmt: skip
    methods = [by_money, *result.methods]
    curves = [money_share(result.left, method.score, result.money) for method in methods]
    with drawing("Gains in money", "share of customers contacted", "share of leavers' money found") as (axes, picture):
        thin = np.unique(np.linspace(0, len(shares) - 1, 200).astype(int))
        for curve, method, shade in zip(curves, methods, _SHADES, strict=False):
            axes.plot(shares[thin], curve[thin], color=shade, linewidth=1.3, label=method.name)
        axes.legend(fontsize=7)
    at_stake = money(float((result.left * result.money).sum()), result.currency)
    rows = [
        (method.name, *(f"{curve[index]:.1%}" for index in places))
        for method, curve in zip(methods, curves, strict=True)
    ]
    return [
        "<h2>Gains in money</h2>",
        f"<p>Those who left had moved {at_stake} before the split. Of that, so much"
        " belongs to the customers contacted first:</p>",
        table(("contacted", *(f"{part:.0%}" for part in parts)), rows),
        f'<div class="pictures">{picture.svg}</div>',
    ]


def _detection(result: Backtest) -> list[str]:
    detection = result.detection
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


def _drivers(result: Backtest) -> list[str]:
    trained = result.model.training
    rows = [
        ("members' weights", ", ".join(f"{weight:.2f}" for weight in result.model.blend[1:])),
        ("AUC, log-loss of customers and days not seen", f"{trained.auc:.4f}, {trained.log_loss:.4f}"),
        ("horizons of the labels, days", ", ".join(map(str, trained.horizons_days)) or "none"),
        ("cut-offs", ", ".join(cutoff[:10] for cutoff in trained.cutoffs) or "none"),
    ]
    return ["<h2>How it was trained</h2>", table(("", ""), rows)]
