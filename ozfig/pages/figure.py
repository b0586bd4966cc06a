"""A chart as an SVG file of its own: colours and type are inside it, for light and for dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

LEFT, RIGHT, TOP, BOTTOM = 52, 708, 62, 262  # the area of the bars, in the 720 x 300 of the picture
HUES = {  # light, dark
    "base": ("#a39b8e", "#77777f"),
    "tuned": ("#0b6e5f", "#4cc6ad"),
    "quantised": ("#4c6fb1", "#8fb0f2"),
    "third": ("#b3792b", "#e0ad63"),
    "fourth": ("#8a5a9e", "#c39bd6"),
    "tuned-pale": ("#7ab3a9", "#2b7d6d"),
    "quantised-pale": ("#a3b5d9", "#55709f"),
    "third-pale": ("#d9bc91", "#90703f"),
    "fourth-pale": ("#c3a9cd", "#7c618a"),
}


@dataclass(frozen=True)
class Bar:
    """A value with the ends of its interval, and how it is written."""

    value: float
    low: float
    high: float
    text: str


def grouped_bars(
    title: str, groups: Sequence[tuple[str, Sequence[Bar | None]]], series: Sequence[tuple[str, str]], top: float
) -> Markup:
    """Bars side by side on an axis from 0 to `top`: one bar a series (name, hue) in each group, None where none is."""
    width = (RIGHT - LEFT) / len(groups)
    bars = Markup("").join(
        _group(label, found, series, top, (LEFT + i * width, width)) for i, (label, found) in enumerate(groups)
    )
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 300" role="img" aria-label="{title}">'
        "<style>{style}</style><title>{title}</title>"
        '<rect class="p" width="720" height="300" rx="10"/>'
        "{head}{grid}{bars}</svg>\n"
    ).format(title=title, style=Markup(_style()), head=_legend(title, series), grid=_grid(top), bars=bars)


def _style() -> str:
    """The type and both sets of colours."""
    light, dark = ("".join(f".{name}{{fill:{pair[i]}}}" for name, pair in HUES.items()) for i in (0, 1))
    return (
        ".p{fill:#fff}text{font:13px system-ui,sans-serif;fill:#5d5850}.t{font-weight:600;fill:#1d1b18}.v{fill:#1d1b18}"
        f".g{{stroke:#e4e0d9}}.e{{stroke:#1d1b18;stroke-width:1.5;opacity:.72}}{light}"
        "@media(prefers-color-scheme:dark){.p{fill:#1d1d1f}text{fill:#a9a9b1}.t,.v{fill:#ececee}.g{stroke:#2e2e33}"
        f".e{{stroke:#ececee}}{dark}}}"
    )


def _legend(title: str, series: Sequence[tuple[str, str]]) -> Markup:
    """The title, and below it what each colour stands for."""
    at, found = float(LEFT), Markup('<text class="t" x="{x}" y="18">{title}</text>').format(x=LEFT, title=title)
    for name, hue in series:
        found += Markup(
            '<rect class="{hue}" x="{x:.0f}" y="30" width="12" height="12" rx="3"/><text x="{text:.0f}" y="41">{name}'
            "</text>"
        ).format(hue=hue, x=at, text=at + 18, name=name)
        at += 42 + 7 * len(name)
    return found


def _grid(top: float) -> Markup:
    """Four steps from zero to the top."""
    return Markup("").join(
        Markup(
            '<line class="g" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            '<text x="{at}" y="{text:.1f}" text-anchor="end">{value:g}</text>'
        ).format(left=LEFT, right=RIGHT, y=y, at=LEFT - 8, text=y + 4, value=top * i / 4)
        for i in range(5)
        for y in (_height(top * i / 4, top),)
    )


def _height(value: float, top: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * min(max(value / top, 0.0), 1.0)


def _group(
    label: str, bars: Sequence[Bar | None], series: Sequence[tuple[str, str]], top: float, place: tuple[float, float]
) -> Markup:
    """One group: bars with their intervals, values above them, the label below; a dash where a bar cannot be."""
    left, width = place
    step = 0.86 * width / len(series)
    found = Markup('<text x="{x:.1f}" y="284" text-anchor="middle">{label}</text>').format(
        x=left + width / 2, label=label
    )
    for i, (bar, (_, hue)) in enumerate(zip(bars, series, strict=True)):
        middle = left + 0.07 * width + (i + 0.5) * step
        if bar is None:
            found += Markup('<text x="{x:.1f}" y="{y}" text-anchor="middle">–</text>').format(x=middle, y=BOTTOM - 6)
            continue
        y, low, high = (_height(value, top) for value in (bar.value, bar.low, bar.high))
        half = min(0.36 * step, 34)
        found += Markup(
            '<rect class="{hue}" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="2"/>'
            '<path class="e" fill="none" d="M{m:.1f} {low:.1f}V{high:.1f}m-5 0h10M{m:.1f} {low:.1f}m-5 0h10"/>'
            '<text class="v" x="{m:.1f}" y="{text:.1f}" text-anchor="middle">{shown}</text>'
        ).format(
            hue=hue,
            x=middle - half,
            y=y,
            w=2 * half,
            h=BOTTOM - y,
            m=middle,
            low=low,
            high=high,
            text=high - 6,
            shown=bar.text,
        )
    return found
