"""Pictures of a report as inline SVG: text stays text, nothing is fetched, the same figures give the same bytes."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_STYLE: dict[Any, object] = {
    "svg.hashsalt": "customer-tracker",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}
_HEAD = re.compile(r"^.*?(?=<svg)|<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACES = re.compile(r' xmlns(:\w+)?="[^"]*"')


class Picture:
    """A figure while it is drawn; `svg` once it is done."""

    def __init__(self) -> None:
        self.svg = ""


@contextmanager
def drawing(title: str, x: str, y: str) -> Iterator[tuple[Axes, Picture]]:
    """Axes to draw on."""
    picture = Picture()
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 3.6), layout="tight")
        axes = figure.subplots()
        axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        yield axes, picture
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    picture.svg = _inline(out.getvalue(), title)


def bars(axes: Axes, labels: Sequence[str], heights: Sequence[float]) -> None:
    """Upright bars."""
    axes.bar(list(labels), list(heights), color="#2166ac", width=0.7)
    axes.grid(False, axis="x")


def _inline(svg: str, title: str) -> str:
    """Inside HTML an SVG needs no namespaces; without its metadata it names no address."""
    bare = _NAMESPACES.sub("", _HEAD.sub("", svg)).replace("xlink:href", "href")
    return bare.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
