"""A report: one HTML file that needs no network, and its tables as Markdown."""

import base64
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from everybody_dance.evaluation.compare import Figures
from everybody_dance.evaluation.metrics import ABOUT

TEMPLATE = Path(__file__).with_name("report.html")

COLOURS = ("#c2410c", "#0f766e", "#6d28d9", "#a16207", "#64748b", "#be185d", "#1d4ed8")
"""Of curves, in order: told apart on white, by people who see red and green alike as well."""


@dataclass(frozen=True)
class Table:
    """Words and figures in rows.

    Attributes:
        title: above it.
        columns: headings; the first is of the rows' names.
        rows: as many cells as columns.
        best: by row the index of the best cell, if any.
        note: below it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: Sequence[int | None] = ()
    note: str = ""

    @property
    def kind(self) -> str:
        return "table"

    def marked(self, row: int) -> int | None:
        """The index of the best cell of a row."""
        return self.best[row] if row < len(self.best) else None

    def markdown(self) -> str:
        lines = [f"| {' | '.join(self.columns)} |", "|---" * len(self.columns) + "|"]
        for index, row in enumerate(self.rows):
            best = self.marked(index)
            cells = [f"**{cell}**" if place == best else cell for place, cell in enumerate(row)]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join([f"### {self.title}", "", *lines, *(["", self.note] if self.note else []), ""])


@dataclass(frozen=True)
class Plot:
    """Curves over one axis; ``svg`` is the drawing."""

    title: str
    svg: str
    note: str = ""

    @property
    def kind(self) -> str:
        return "plot"


@dataclass(frozen=True)
class Strip:
    """Rows of pictures, the same moments in each row.

    Attributes:
        rows: by name the pictures as JPEG.
    """

    title: str
    rows: Mapping[str, Sequence[bytes]]
    note: str = ""

    @property
    def kind(self) -> str:
        return "strip"

    @property
    def sources(self) -> dict[str, list[str]]:
        """The pictures as URLs."""
        return {name: [_url("image/jpeg", image) for image in images] for name, images in self.rows.items()}


@dataclass(frozen=True)
class Clip:
    """A short video of panels of one width side by side, played over and over.

    Attributes:
        names: of the panels.
        mp4: the file.
    """

    title: str
    names: Sequence[str]
    mp4: bytes
    note: str = ""

    @property
    def kind(self) -> str:
        return "clip"

    @property
    def source(self) -> str:
        """The file as a URL."""
        return _url("video/mp4", self.mp4)


Section = Table | Plot | Strip | Clip


@dataclass
class Report:
    """What is told.

    Attributes:
        title: of the page.
        lead: first sentences: what was measured and what came out.
        sections: in order.
        provenance: how it was made.
    """

    title: str
    lead: Sequence[str]
    sections: list[Section] = field(default_factory=list)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def html(self) -> str:
        """The page."""
        environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        return environment.from_string(TEMPLATE.read_text()).render(report=self, made=_flat(self.provenance))

    def markdown(self) -> str:
        """Title, lead and tables."""
        tables = [section.markdown() for section in self.sections if isinstance(section, Table)]
        return "\n".join([f"## {self.title}", "", *self.lead, "", *tables])


def figure_table(
    title: str,
    figures: Figures,
    region: str,
    names: Mapping[str, str],
    still: Collection[str] = (),
    note: str = "",
) -> Table:
    """The figures of one region, a metric in each row and a result in each column: mean ± standard deviation.

    Args:
        figures: of all results.
        region: that the first of ``names`` has.
        names: titles of the results, by name, in order.
        still: results without a person, which are not the best for not flickering, nor for how sharp the place is.
    """
    shown = {name: titled for name, titled in names.items() if region in figures.get(name, {})}
    first = figures[next(iter(shown))][region]
    rows, best = [], []
    for metric, about in ABOUT.items():
        if metric not in first:
            continue
        found = [figures[name][region].get(metric) for name in shown]
        rows.append(
            [
                about.title,
                *("" if s is None else f"{s.mean:.{about.digits}f} ± {s.std:.{about.digits}f}" for s in found),
            ]
        )
        unranked = still if metric.startswith(("flicker", "sharpness")) else ()
        means = [
            float("-inf") if value is None or name in unranked else about.merit(value.mean)
            for name, value in zip(shown, found, strict=True)
        ]
        best.append(1 + means.index(max(means)))
    return Table(title, ["", *shown.values()], rows, best, note)


def plot(
    title: str,
    x: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    *,
    x_label: str,
    y_label: str,
    log: bool = False,
    marked: bool = True,
    note: str = "",
) -> Plot:
    """Draw curves over ``x``; the same figures give the same drawing.

    Args:
        curves: by name, as long as ``x``; NaN leaves a gap.
        log: whether the axis of ``x`` is logarithmic.
        marked: whether each value has a dot.
    """
    # Here, because measuring is possible where there is no Matplotlib.
    import matplotlib
    from matplotlib.figure import Figure

    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "everybody-dance",
        "font.family": "sans-serif",
        "font.size": 9,
    }
    with matplotlib.rc_context(settings):
        drawing = Figure(figsize=(7.6, 3.0), layout="constrained")
        axes = drawing.add_subplot()
        for index, (name, values) in enumerate(curves.items()):
            colour = COLOURS[index % len(COLOURS)]
            axes.plot(x, values, marker="o" if marked else "", markersize=3.5, linewidth=1.4, color=colour, label=name)
        if log:
            axes.set_xscale("log", base=2)
            axes.set_xticks(list(x), [f"{value:g}" for value in x])
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if len(curves) > 1:
            axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        file = io.StringIO()
        drawing.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    drawn = file.getvalue()
    return Plot(title, drawn[drawn.index("<svg") :], note)


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested values by dotted names."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = str(value)
    return flat
