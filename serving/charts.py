"""Small pictures as SVG, drawn on the server: the page's own classes colour them, and each has its words."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from markupsafe import Markup

from handlers.profile.customer import ActiveDay

WIDTH, HEIGHT = 640, 132
_TOP, _BASE = 30, 104
DAYS_SHOWN = 180


class Label(NamedTuple):
    """A text below the time line."""

    day: int
    text: str


def rhythm(
    days: Sequence[ActiveDay], last: int, today: int, usual: float | None, label: str, said: str, ticks: Sequence[Label]
) -> Markup:
    """The customer's own transactions by day up to `today`, with the silence after day `last` shaded.

    `usual` is within how many days they are back nine times in ten; `label` stands in the shaded part; `said` is the
    picture in words. Days count from 1970-01-01.
    """
    first = max(min((day.day for day in days if day.own > 0), default=today), today - DAYS_SHOWN + 1)
    first = min(first, today - 27)
    step = WIDTH / (today - first + 1)

    def x(day: float) -> float:
        return (day - first) * step

    most = max((day.own for day in days if day.day >= first), default=1) or 1
    parts = []
    if last < today:
        left = max(x(last + 1), 0.0)
        parts.append(
            f'<rect class="silence" x="{left:.1f}" y="{_TOP}" width="{WIDTH - left:.1f}" height="{_BASE - _TOP}"/>'
        )
        if usual is not None and last + usual < today:
            at = x(last + 1 + usual)
            parts.append(f'<line class="usual" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_BASE}"/>')
        middle = min(max((left + WIDTH) / 2, 4.0), WIDTH - 4.0)
        anchor = "middle" if WIDTH - left > 220 else "end"
        label_x = middle if anchor == "middle" else WIDTH - 2
        parts.append(
            f'<text class="label" x="{label_x:.1f}" y="{_TOP - 10}" text-anchor="{anchor}">{escape(label)}</text>'
        )
    bar = max(min(step * 0.7, 8.0), 1.2)
    for day in days:
        if day.own > 0 and day.day >= first:
            height = 10 + (_BASE - _TOP - 12) * min(day.own / most, 1.0)
            parts.append(
                f'<rect class="bar" x="{x(day.day) + (step - bar) / 2:.1f}" y="{_BASE - height:.1f}" width="{bar:.1f}"'
                f' height="{height:.1f}" rx="{min(bar / 2, 1.5):.1f}"/>'
            )
    return _svg(parts, ticks, x, said)


def money_by_half_month(days: Sequence[ActiveDay], today: int, said: str, ticks: Sequence[Label]) -> Markup:
    """Money in upwards and out downwards, by 15 days, over the 180 days up to `today`."""
    spans = 12
    first = today - DAYS_SHOWN + 1
    into, out = [0] * spans, [0] * spans
    for day in days:
        span = (day.day - first) // (DAYS_SHOWN // spans)
        if 0 <= span < spans:
            into[span] += day.money_in
            out[span] += day.money_out
    most_in, most_out, step = max(*into, 0), max(*out, 0), WIDTH / spans
    scale = (_BASE - 8) / max(most_in + most_out, 1)
    middle = 8 + most_in * scale if most_in + most_out else _BASE
    parts = []
    for span in range(spans):
        left, width = span * step + step * 0.15, step * 0.7
        for amounts, name in ((into, "in"), (out, "out")):
            height = max(amounts[span] * scale, 1.0 if amounts[span] > 0 else 0.0)
            top = middle - height if name == "in" else middle
            parts.append(
                f'<rect class="{name}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
            )
    parts.append(f'<line class="axis" x1="0" x2="{WIDTH}" y1="{middle:.1f}" y2="{middle:.1f}"/>')
    return _svg(parts, ticks, lambda day: (day - first) * WIDTH / DAYS_SHOWN, said, axis=False)


def _svg(parts: list[str], ticks: Sequence[Label], x: object, said: str, *, axis: bool = True) -> Markup:
    if axis:
        parts.append(f'<line class="axis" x1="0" x2="{WIDTH}" y1="{_BASE + 0.5}" y2="{_BASE + 0.5}"/>')
    for tick in ticks:
        at = x(tick.day)  # type: ignore[operator]
        if 0 <= at <= WIDTH - 30:
            parts.append(f'<text class="tick" x="{at:.1f}" y="{HEIGHT - 8}">{escape(tick.text)}</text>')
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}">'
        f"{''.join(parts)}</svg>"
    )


def concentration(curve: Sequence[tuple[float, float]], at: float, held: float, label: str, said: str) -> Markup:
    """The share of balances (upwards) that a share of customers (to the right) holds, with one point marked."""
    top, base, left, right = 8.0, 180.0, 0.0, float(WIDTH)

    def point_text(point: tuple[float, float]) -> str:
        return f"{left + point[0] * (right - left):.1f},{base - point[1] * (base - top):.1f}"

    x, y = point_text((at, held)).split(",")
    line = " ".join(point_text(point) for point in curve)
    parts = [
        f'<line class="even" x1="{left}" y1="{base}" x2="{right}" y2="{top}"/>',
        f'<line class="axis" x1="{left}" x2="{right}" y1="{base}" y2="{base}"/>',
        f'<polyline class="curve" points="{line}"/>',
        f'<line class="mark" x1="{x}" x2="{x}" y1="{y}" y2="{base}"/>',
        f'<text class="note" x="{float(x) + 8:.1f}" y="{float(y) + 18:.1f}">{escape(label)}</text>',
    ]
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} 200" role="img" aria-label="{escape(said)}">{"".join(parts)}</svg>'
    )
