import re
from html.parser import HTMLParser

import pytest

from ozfig import files
from ozfig.evaluate import report, stage, verdict
from ozfig.evaluate.answers import marked
from ozfig.evaluate.figures import decimals, number, p_value, signed, size
from ozfig.pages.charts import bar, curve, nice_top

WIN = {"base": (0.1, 0.4), "tuned": (0.7, 0.9), "quantised": (0.7, 0.9)}


@pytest.fixture
def written(with_knowledge):
    job, open_engine, _ = with_knowledge(**WIN)
    stage.run(job, open_engine)
    return job.folder, (job.folder / "report.html").read_text(encoding="utf-8")


def made(change, metric="token_f1", loss=(0.0, -0.1, 0.1), passage=None, direct=None, given="gold_context"):
    """A report.json with the given (difference, low, high) values."""
    names = {"task": "held_out", "n": 96, "p": 0.01}
    score = {"task": "held_out", "version": 1, "n": 96, "mean": 0.4, "stderr": 0.02}
    scores = [
        {**score, "model": m, "condition": c, "metric": metric}
        for m in ("base", "tuned")
        for c in (("closed_book", given) if passage else ("closed_book",))
    ]

    def row(a, b, condition, metric, values):
        figures = dict(zip(("difference", "low", "high"), values, strict=True))
        return {**names, "a": a, "b": b, "condition": condition, "metric": metric, **figures}

    rows = [
        row("base", "tuned", "closed_book", metric, change),
        row("base", "tuned", "closed_book", "answer_loss", loss),
    ]
    if passage:
        cells = ("tuned@closed_book", f"tuned@{given}", f"closed_book->{given}")
        rows += [row(*cells, metric, passage), row("base", "tuned", given, metric, change)]
    if direct:
        rows.append(row(f"base@{given}", "tuned@closed_book", f"{given}->closed_book", metric, direct))
    return {"scores": scores, "comparisons": rows}


UP, DOWN, NOISE = (0.3, 0.2, 0.4), (-0.3, -0.4, -0.2), (0.3, -0.01, 0.6)


@pytest.mark.parametrize(
    ("report_json", "words"),
    [
        (made(UP), "Tuning helped."),
        (made(DOWN), "Tuning made it worse."),
        (made(NOISE), "Tuning made no measurable difference."),
        (made(NOISE, loss=DOWN), "Tuning made the right answers likelier, but not the replies better."),
        (made(UP, passage=UP), "Tuning helped; the text helps further."),
        (made(UP, passage=UP, direct=DOWN), "Tuning helped; giving it the text helps more."),
        (made(DOWN, passage=DOWN), "Tuning made it worse; so does the text."),
        (made(NOISE, passage=NOISE), "Tuning made no measurable difference; nor does the text."),
        (made(UP, metric="answer_loss", loss=UP), "Tuning made it worse."),
    ],
)
def test_the_verdict_follows_from_the_intervals(report_json, words):
    assert verdict.headline(report_json) == words


@pytest.mark.parametrize(("n", "words"), [(19, "Tuning helped (on 19 questions only)."), (20, "Tuning helped.")])
def test_the_verdict_says_on_how_few_questions_it_rests(n, words):
    report_json = made(UP)
    for row in report_json["comparisons"]:
        row["n"] = n
    assert verdict.headline(report_json) == words


def test_an_interval_without_zero_is_noise_where_p_is_large():
    report_json = made(UP)
    report_json["comparisons"][0]["p"] = 0.125
    assert verdict.headline(report_json) == "Tuning made no measurable difference."
    assert "+0.20 to +0.40 and p 0.12, which is noise" in verdict.sentences(report_json)[0]


@pytest.mark.parametrize("tuning", verdict.TUNED)
@pytest.mark.parametrize("passage", ["better", "worse", "noise"])
def test_every_pair_of_outcomes_has_words(passage, tuning):
    assert verdict.PASSAGE[passage, tuning]


def test_a_loss_and_noise_are_said_as_plainly_as_a_win():
    assert "**+0.30** (95 % interval +0.20 to +0.40)" in verdict.sentences(made(UP))[0]
    assert "**−0.30** (95 % interval −0.40 to −0.20)" in verdict.sentences(made(DOWN))[0]
    assert "which is noise" in verdict.sentences(made(NOISE))[0]


@pytest.mark.parametrize(
    ("tuning", "passage", "words"),
    [
        (UP, UP, "Use both"),
        (NOISE, UP, "tuning is optional"),
        (DOWN, UP, "the base model rather"),
        (UP, NOISE, "Serve the tuned model; retrieval"),
        (NOISE, NOISE, "Neither is ready"),
        (DOWN, DOWN, "Neither is ready"),
    ],
)
def test_the_recommendation(tuning, passage, words):
    assert words in verdict.advice(made(tuning, passage=passage))[-1]


def test_advice_rests_on_what_a_search_finds_where_that_was_measured():
    both = made(UP, passage=UP)
    found = made(UP, passage=DOWN, given="retrieved")
    assert verdict.advice(both)[0].startswith("The right passage adds +0.30")
    for key in ("scores", "comparisons"):
        both[key] += [row for row in found[key] if "retrieved" in row["condition"]]
    assert verdict.advice(both)[0].startswith("What a search finds costs −0.30")
    assert "retrieval does not help it yet" in verdict.advice(both)[-1]
    both["retrieval"] = {"k": 2, "n": 80, "recall": 0.75, "low": 0.645, "high": 0.832}
    text = " ".join(verdict.sentences(both))
    assert "With what a search finds it reaches" in text
    assert "With the right passage it reaches" in text
    assert "among its first 2 for **75 %** of 80 questions (95 % interval 64 to 83 %)" in text


class Page(HTMLParser):
    """Counts what a browser would fetch and checks that tags close in order."""

    VOID = ("meta", "link", "br", "input", "rect", "line", "path", "img")

    def __init__(self, text):
        super().__init__()
        self.fetched, self.open, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [value for key, value in attrs if key in ("src", "href", "data", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_one_whole_file_that_fetches_nothing(written):
    page = Page(written[1])
    assert page.open == []
    assert page.fetched == []
    assert "link" not in page.tags
    assert "@import" not in written[1]
    assert "url(" not in written[1]


def test_text_of_models_and_data_cannot_become_markup(written):
    assert "&lt;b&gt;boat" in written[1] or "&lt;<mark>b" in written[1]
    assert "<b>boat" not in written[1]
    assert "What does &lt;i&gt;berth&lt;/i&gt; number 1 cost?" in written[1]
    assert "Because of the &lt;tide&gt;." in written[1]


def test_the_page_says_what_it_has_to_in_this_order(written):
    folder, html = written
    verdict_now = files.read_json(folder / "report.json")["verdict"]
    asked = [
        f"<h1>{verdict_now}</h1>",
        "Did tuning help?",
        "Are the right answers likelier?",
        "Would the text have helped more?",
        "What does smaller cost?",
        "How did it learn?",
        "Side by side",
        "Can I believe it?",
        "ozfig run runs/harbour/recipe.yaml",
    ]
    places = [html.index(text) for text in asked]
    assert places == sorted(places)
    assert html.count('class="item"') == 24
    assert "over the 20 questions that have a passage" in html


def test_answers_stand_by_the_largest_difference(written):
    moves = re.findall(r'class="num move \w+"[^>]*>([\d.]+) → ([\d.]+)<', written[1])
    gaps = [abs(float(b) - float(a)) for a, b in moves]
    assert len(gaps) == 24
    assert gaps == sorted(gaps, reverse=True)


def test_the_text_version_and_the_table_for_the_terminal(written):
    folder, _ = written
    text = (folder / "report.md").read_text(encoding="utf-8")
    title, columns, rows = report.summary_table(folder / "report.json")
    verdict, _, questions = title.partition("  ")
    assert text.startswith(f"# {verdict}\n")
    assert questions == "(24 held-out questions)"
    assert "1 × Leak: same words" in text
    assert "| Exact match, closed book | 24 |" in text
    assert {len(row) for row in rows} == {len(columns)}
    assert [row[0] for row in rows][:2] == ["Token F1, closed book", "Perplexity, closed book"]


def test_a_run_of_one_model_has_a_report_too(with_knowledge):
    job, open_engine, _ = with_knowledge(base=(0.5, 0.5))
    for path in job.inputs.values():
        if path.is_file() and path.name != "held_out.jsonl":
            path.unlink()
    stage.run(job, open_engine)
    html = (job.folder / "report.html").read_text(encoding="utf-8")
    assert "without base and tuned there is no comparison" in html
    assert Page(html).open == []


def test_figures_for_people():
    assert [number(x) for x in (-0.004, 0.126, 12.345, 1234.5)] == ["0.00", "0.13", "12.3", "1,234"]
    assert [signed(x) for x in (0.2, -0.2, 0.001)] == ["+0.20", "−0.20", "0.00"]
    assert [decimals(x) for x in (0, 0.5, 0.02, 0.004, 0.00001)] == [2, 2, 2, 3, 4]
    assert [nice_top(x) for x in (0.43, 0.9, 1.0, 650, 0)] == pytest.approx([0.5, 1.0, 1.0, 800, 1.0])
    assert [size(x) for x in (12, 9_296_544, 274_000_000)] == ["12 B", "9.3 MB", "274 MB"]
    assert [p_value(x) for x in (0.0002, 0.034, 0.87)] == ["< 0.001", "0.034", "0.87"]


def test_charts_keep_to_their_axes():
    assert 'width="40.00%"' in bar(0.2, -0.1, 0.9, 0.5, "tuned")
    assert 'x1="0.00%" x2="100.00%"' in bar(0.2, -0.1, 0.9, 0.5, "tuned")
    heights = re.findall(r"M(.+?)\"", curve(range(5000), [4.0] * 5000, 4.0))
    assert all(point.endswith(" 0.0") for point in heights[-1].split("L"))
    assert len(heights[-1].split("L")) <= 240


def test_words_of_the_reference_are_marked():
    assert marked("Four <days>, the end", ["four days"]) == "<mark>Four</mark> &lt;<mark>days</mark>&gt;, the end"
