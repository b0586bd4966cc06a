"""What the terminal shows: bars, stage lines, tables, one-line errors. All of it on standard error.

Standard output is kept for results, so that `--json` can be piped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

screen = Console(stderr=True, highlight=False)
LABEL = 16  # columns that a table's first column has at least
WIDEST = 10_000  # columns: wider than any table


class RateColumn(ProgressColumn):
    """Units a second, counted over the work done in this process."""

    def render(self, task: Task) -> Text:
        """The rate of one task, empty before the first step."""
        return Text(f"{task.speed:,.0f} {task.fields['unit']}/s" if task.speed else "", style="cyan")


class Bar:
    """A running progress bar."""

    def __init__(self, progress: Progress, task: Any) -> None:
        self._progress, self._task = progress, task

    def advance(self, amount: float = 1, **notes: str) -> None:
        """Move on by `amount`; `notes` replaces the figures that stand at the end of the line."""
        fields: dict[str, Any] = {"notes": "  ".join(f"{k} {v}" for k, v in notes.items())} if notes else {}
        self._progress.update(self._task, advance=amount, **fields)

    def total(self, amount: float) -> None:
        """Set how much there is to do, once that is known or has grown."""
        self._progress.update(self._task, total=amount)

    def reach(self, done: float, total: float) -> None:
        """Stand at `done` of `total`; 0 where that is not known."""
        self._progress.update(self._task, completed=done, total=total or None)


@contextmanager
def bar(name: str, total: float | None = None, unit: str = "rows") -> Iterator[Bar]:
    """Show a bar with rate, time left and the latest figures while the block runs."""
    columns = (
        TextColumn("  [bold]{task.description:<10}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[notes]}", style="dim"),
    )
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        yield Bar(progress, progress.add_task(name, total=total, unit=unit, notes=""))


def counted(n: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 row, 2 rows; `plural` is given where an s does not make it."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def figures(*parts: str) -> None:
    """Print the few figures that a stage ends with, on one line; empty ones are left out."""
    screen.print(f"    [dim]{escape(' · '.join(filter(None, parts)))}[/dim]", soft_wrap=True)


def say(text: str) -> None:
    """Print one line of progress."""
    screen.print(text, soft_wrap=True)


def warn(text: str) -> None:
    """Print one line that the user should read, without stopping."""
    screen.print(f"[yellow]note[/yellow]  {escape(text)}", soft_wrap=True)


def pair(id: str, status: str, question: str, answer: str) -> None:
    """Print a question and its answer under the id that a person names it by."""
    screen.print(f"[dim]{id}  {status}[/dim]")
    screen.print(f"  [bold]{escape(question)}[/bold]")
    screen.print(f"  {escape(answer)}")


def tokens(runs: list[tuple[str, bool]]) -> None:
    """Print a row as a model reads it; what the loss is computed on stands out, also where there is no colour."""
    text = Text()
    for part, trained in runs:
        text.append(f"⟦{part}⟧" if trained else part, style="bold green" if trained else "dim")
    screen.print(text, soft_wrap=True)
    screen.print()


def note(text: str) -> None:
    """Print a remark on what stands above."""
    screen.print(f"  [dim]{escape(text)}[/dim]")


def fail(text: str) -> None:
    """Print the one line that explains why the command stopped."""
    screen.print(f"[red]error[/red] {escape(text)}", soft_wrap=True)


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a small table; all columns but the first are right-aligned figures, which are never cut."""
    grid = _grid(title)
    for i, column in enumerate(columns):
        longest = max(map(cell_len, (column, *(row[i] for row in rows))))
        justify: JustifyMethod = "right" if i else "left"
        least = longest if i else min(longest, LABEL)
        grid.add_column(column, justify=justify, header_style="dim", no_wrap=bool(i), overflow="fold", min_width=least)
    for row in rows:
        grid.add_row(*row)
    _print(screen, grid, sum((column.min_width or 0) + 2 for column in grid.columns))


def _grid(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1))


def _print(console: Console, grid: Table, narrowest: int = 0) -> None:
    """Print a table as wide as the terminal, at least `narrowest`; into a pipe or file as wide as it is, unfolded."""
    whole = console.measure(grid, options=console.options.update(width=WIDEST)).maximum
    grid.width = min(whole, max(console.width, narrowest)) if console.is_terminal else whole
    console.print(grid, crop=False)


def amounts(taken: dict[str, Any] | None) -> list[str]:
    """Time, memory and disk of a stage as cells; empty ones where they are not known."""
    if taken is None:
        return ["", "", ""]
    seconds, unit = taken["seconds"], "s"
    for more, larger in ((60, "min"), (60, "h")):
        if seconds >= 2 * more:
            seconds, unit = seconds / more, larger
    cells = [f"{seconds:.0f} {unit}" if seconds >= 10 else f"{seconds:.1f} {unit}"]
    return cells + [
        f"{mb / 1024:.1f} GB" if mb >= 1024 else f"{mb:.0f} MB" for mb in (taken["memory_mb"], taken["disk_mb"])
    ]


def stage_line(name: str, status: str, seconds: float) -> None:
    """Print one line for a stage that ended."""
    mark = "[green]✓[/green]" if status == "done" else "[dim]·[/dim]"
    screen.print(f"  {mark} {name:<10}[dim]{status if status != 'done' else f'{seconds:.1f} s'}[/dim]")


def options_table(title: str, rows: list[list[str]]) -> None:
    """Print a recipe section's options on standard output: key, default, meaning; a key is never folded."""
    grid = _grid(title)
    for column in ("option", "default", "meaning"):
        grid.add_column(column, header_style="dim", overflow="fold", no_wrap=column == "option")
    for row in rows:
        grid.add_row(*(cell.replace("[", "\\[") for cell in row))
    _print(Console(highlight=False), grid)
