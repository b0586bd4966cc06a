"""Was anything lost? The benchmarks before and after, and whether tuning made the model forget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ozfig.evaluate import figures as f
from ozfig.evaluate.figures import Figures, Outcome
from ozfig.evaluate.panels import change_of
from ozfig.evaluate.statistics import Z95
from ozfig.pages import charts
from ozfig.types import Comparison

SURE = 0.05  # an adjusted p from here on is noise
# what a task is judged by: the harness gives most several metrics
MAIN = ("acc", "exact_match", "mcq_accuracy", "f1", "bleu", "smoothed_bleu_4")
Listed = dict[str, Any]


class Benchmark:
    """One task, group or tag that the recipe names, with its figures and the metric that it is judged by."""

    def __init__(self, report: dict[str, Any], listed: Listed) -> None:
        self.task, self.condition = listed["task"], listed["condition"]
        self.parts: list[str] = listed.get("parts", [])
        self.found = Figures(report, self.task)
        self.metrics = [
            m for m in self.found.metrics if any(self.found.score(p, self.condition, m) for p in self.found.points)
        ]
        self.main = next((m for wanted in MAIN for m in self.metrics if m.split(",")[0] == wanted), self.metrics[0])

    def compare(self, a: str, b: str) -> Comparison | None:
        """The paired difference b - a of the metric that the task is judged by."""
        return self.found.compare(a, b, self.condition, self.main)

    @property
    def n(self) -> int:
        """How many items were asked."""
        scores = (self.found.score(p, self.condition, self.main) for p in self.found.points)
        return max(score.n for score in scores if score)


Changed = tuple[Benchmark, Comparison]


def measured(report: dict[str, Any]) -> list[Benchmark]:
    """The benchmarks of a report that gave a figure, in the recipe's order."""
    rows = report.get("tasks", [])
    found = {score["task"] for score in report["scores"]}
    return [Benchmark(report, listed) for listed in rows if listed["task"] in found]


def lasting(change: Comparison) -> Outcome:
    """Whether a difference is more than noise, also when all tasks are looked through for one that stands out."""
    is_sure = change.p_adjusted is None or change.p_adjusted < SURE
    return (f.outcome(change) or "noise") if is_sure else "noise"


def forgetting(report: dict[str, Any]) -> list[str]:
    """Whether tuning made the model forget, and what the items cannot show; empty where nothing general was asked."""
    changes, texts = _tuning(report), _texts(report)
    if not changes and not texts:
        return []
    fallen, risen = ([(task, c) for task, c in changes if lasting(c) == word] for word in ("worse", "better"))
    harder = [c for c in texts if lasting(c) == "worse"]
    said_of = [_benchmarks(changes, fallen)] if changes else []
    words = {"worse": "harder to foresee", "better": "easier to foresee", "noise": "as foreseeable as before"}
    of_texts = [f"the text “{_name(c)}” is {words[lasting(c)]} (bits a byte {_figure(c)})" for c in texts]
    parts = [*said_of, *of_texts] if fallen else [*of_texts, *said_of]
    said = "**Tuning made the model forget**" if fallen or harder else "**No sign of forgetting**"
    rest = [_cannot_show(changes), _floor(changes)] if changes and not fallen else []
    better = f"Better beyond noise: {_list(risen)}." if risen else ""
    return [f"{said}: {'; '.join(parts)}.", *(text for text in [*rest, better] if text)]


def _benchmarks(changes: Sequence[Changed], fallen: Sequence[Changed]) -> str:
    asked = f"{len(changes)} benchmark" + ("s" if len(changes) > 1 else "")
    if fallen:
        return f"worse beyond noise on {len(fallen)} of {asked} ({_list(fallen)})"
    return f"none of {asked} got worse beyond noise"


def _name(change: Comparison) -> str:
    return change.task.removeprefix("text:")


def _texts(report: dict[str, Any]) -> list[Comparison]:
    """What tuning changed of running texts, in bits a byte."""
    rows = [Comparison.from_row(row) for row in report["comparisons"] if row["task"].startswith("text:")]
    return [c for c in rows if (c.a, c.b, c.metric) == ("base", "tuned", "bits_per_byte")]


def _floor(changes: Sequence[Changed]) -> str:
    """Tasks at which the base fails throughout: it has nothing to lose there."""
    scores = [(task.task, task.found.score("base", task.condition, task.main)) for task, _ in changes]
    names = [name for name, score in scores if score and not f.is_lower_better(score.metric) and score.mean == 0]
    return f"The base gets nothing right on {', '.join(names)}: no loss can show there." if names else ""


def _tuning(report: dict[str, Any]) -> list[Changed]:
    return [(task, change) for task in measured(report) if (change := task.compare("base", "tuned"))]


def _list(changes: Sequence[Changed]) -> str:
    return ", ".join(f"{task.task} {_figure(c)}" for task, c in changes)


def _figure(change: Comparison) -> str:
    p = "" if change.p_adjusted is None else f", adjusted p {f.p_value(change.p_adjusted)}"
    return f"**{f.difference(change)}** {f.interval(change)}{p}"


def _cannot_show(changes: Sequence[Changed]) -> str:
    """The largest loss that the intervals leave open: no proof of loss is no proof of none."""

    def loss(change: Comparison) -> float:
        return change.high if f.is_lower_better(change.metric) else -change.low

    task, worst = max(changes, key=lambda row: loss(row[1]))
    if loss(worst) <= 0:
        return ""
    end = worst.high if f.is_lower_better(worst.metric) else worst.low
    digits = f.decimals((worst.high - worst.low) / 4)
    return f"A loss as large as {f.signed(end, digits)} ({task.task}, n {worst.n:,}) is not ruled out by so few items."


def smaller(report: dict[str, Any], names: Mapping[str, str]) -> list[str]:
    """What each exported file lost against the tuned model on the benchmarks."""
    tasks, text = measured(report), []
    for point in dict.fromkeys(p for task in tasks for p in task.found.points if p not in ("base", "tuned")):
        changes = [(task, c) for task in tasks if (c := task.compare("tuned", point))]
        fallen = [(task, c) for task, c in changes if lasting(c) == "worse"]
        if fallen:
            text.append(f"**{names[point]} lost** against full precision: {_list(fallen)}.")
    level = [names[p] for p in _files(tasks) if not any(lasting(c) == "worse" for c in _against(tasks, p))]
    return [*text, *([f"Against full precision no loss beyond noise: {', '.join(level)}."] if level else [])]


def _files(tasks: Sequence[Benchmark]) -> list[str]:
    """The points that the tuned model is compared with as files made from it."""
    points = dict.fromkeys(p for task in tasks for p in task.found.points if p not in ("base", "tuned"))
    return [point for point in points if _against(tasks, point)]


def _against(tasks: Sequence[Benchmark], point: str) -> list[Comparison]:
    return [c for task in tasks if (c := task.compare("tuned", point))]


def panel(report: dict[str, Any], names: Mapping[str, str], samples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A chart for each benchmark: every model's score with its interval, on the same axis, and what changed."""
    return [_chart(task, names, guessing(task, samples)) for task in measured(report)]


def _chart(task: Benchmark, names: Mapping[str, str], guess: float | None) -> dict[str, Any]:
    scores = {p: s for p in task.found.points if (s := task.found.score(p, task.condition, task.main))}
    highest = max(s.mean + Z95 * s.stderr for s in scores.values())
    top = 1.0 if highest <= 1 or f.is_share(task.main) else charts.nice_top(highest)
    rows = [
        {
            "name": names[point],
            "bar": charts.bar(s.mean, s.mean - Z95 * s.stderr, s.mean + Z95 * s.stderr, top, point),
            "mean": task.found.mean(s),
            "margin": task.found.margin(s),
        }
        for point, s in scores.items()
    ]
    return {
        "task": task.task,
        "shots": task.condition,
        "n": f"{task.n:,}",
        "metric": f.label(task.main),
        "lower": f.is_lower_better(task.main),
        "guess": "" if guess is None else f.number(guess),
        "guess_at": 0 if guess is None else round(100 * guess / top, 2),
        "rows": rows,
        "top": f"{top:,g}",
        "changes": _changes(task, names),
        "parts": len(task.parts),
    }


def _changes(task: Benchmark, names: Mapping[str, str]) -> list[dict[str, str]]:
    """The paired differences below a chart; files that differ from the tuned model by noise share a line."""
    files = [(p, c) for p in task.found.points if p not in ("base", "tuned") and (c := task.compare("tuned", p))]
    shown = [("tuned", "base", c)] if (c := task.compare("base", "tuned")) else []
    shown += [(names[p], "tuned", c) for p, c in files if lasting(c) != "noise"]
    rows = [{"name": f"{b} {f.MINUS} {a}", **corrected(c)} for b, a, c in shown]
    if level := ", ".join(names[p] for p, c in files if lasting(c) == "noise"):
        blank = {"text": "", "interval": "", "outcome": "noise", "word": "noise", "p": ""}
        rows.append({"name": f"{level} {f.MINUS} tuned", **blank})
    return rows


def corrected(change: Comparison) -> dict[str, str]:
    """A difference as pages show it, judged by the p that is corrected for the number of tasks."""
    outcome = lasting(change)
    word = "identical" if f.word(change) == "identical" else "noise" if outcome == "noise" else ""
    p = change.p if change.p_adjusted is None else change.p_adjusted
    return change_of(change) | {"outcome": outcome, "word": word, "p": f.p_value(p)}


def guessing(task: Benchmark, samples: Sequence[dict[str, Any]]) -> float | None:
    """The accuracy of one who picks any choice blindly; None where a task has no choices or another metric."""
    if task.main != "acc":
        return None
    wanted = {task.task, *task.parts}
    counts = [
        len(row.get("choices", ())) for row in samples if row["task"] in wanted and row["condition"] == task.condition
    ]
    return sum(1 / n for n in counts) / len(counts) if counts and min(counts) > 1 else None


def table(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Every metric of every benchmark, and of the tasks within a group: what the table behind the charts shows."""
    return [row for task in measured(report) for row in _rows(report, task)]


def _rows(report: dict[str, Any], task: Benchmark) -> Iterator[dict[str, Any]]:
    for name in (task.task, *task.parts):
        own = task if name == task.task else Benchmark(report, {"task": name, "condition": task.condition})
        for metric in own.metrics:
            scores = {p: own.found.score(p, own.condition, metric) for p in ("base", "tuned", "quantised")}
            changes = [own.found.compare(*step, own.condition, metric) for step in _STEPS]
            if any(scores.values()):
                yield {
                    "task": name,
                    "is_part": name != task.task,
                    "metric": metric,
                    "condition": own.condition,
                    "n": max(s.n for s in scores.values() if s),
                    "scores": [(own.found.mean(s), own.found.margin(s)) if s else ("", "") for s in scores.values()],
                    "changes": [corrected(c) if c else None for c in changes],
                }


_STEPS = (("base", "tuned"), ("tuned", "quantised"))
