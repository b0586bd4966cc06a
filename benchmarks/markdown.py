"""Pages as Markdown: ozfig beside trafilatura, readability, html-to-markdown and markitdown.

    python -m benchmarks.markdown [--pages 25] [--seed 0] [--json] [--misses TOOL]

A seeded sample of pages of each site of the data folder (OZFIG_DATA, or shared/data beside the checkout), and as many
pages with tables, which are rare; copies count once. What is right is read from the HTML inside each site's main
container, which is written down here by hand for the score and known to no tool: headings, list items (each without
the lists inside it), cells of data tables, code blocks. What a tool wrote is read back by markdown-it. F1 is over all
pages of a kind; items are compared without punctuation, case and white space (code: without white space), each as
often as it stands there. Labels of what folds out may or may not be headings. `leak` is the share of the texts of links
in navigation, page header, footer and sidebar, outside the container and not also in it, that make up a whole line of
the output. Intervals: 95 %, bootstrap over pages; the difference to ozfig is paired. Milliseconds: CPU time of a page.
"""

import argparse
import io
import json
import re
import statistics
import time
from dataclasses import dataclass

import numpy as np
from markdown_it import MarkdownIt

from benchmarks._truth import KINDS, TRUTH, data_folder, items, letters, sample

RESAMPLES = 2000


def ozfig(html):
    from ozfig.web.extract import extract

    return extract(html, "http://site.example/").markdown


def trafilatura(html):
    from trafilatura import extract

    options = {"include_tables": True, "include_formatting": True, "include_comments": False}
    return extract(html, output_format="markdown", favor_recall=True, **options) or ""


def readability(html):
    from html_to_markdown import convert
    from readability import Document

    return convert(Document(html).summary()).content or ""


def html_to_markdown(html):
    from html_to_markdown import convert

    return convert(html).content or ""


def markitdown(html):
    from markitdown import MarkItDown, StreamInfo

    kind = StreamInfo(extension=".html", mimetype="text/html", charset="utf-8")
    return MarkItDown().convert_stream(io.BytesIO(html.encode()), stream_info=kind).markdown


TOOLS = {f.__name__: f for f in (ozfig, trafilatura, readability, html_to_markdown, markitdown)}


def plain(token):
    """The words of an inline token, without marks, addresses and pictures."""
    words = {"text", "code_inline", "text_special"}
    return "".join(c.content if c.type in words else " " for c in token.children or [] if c.type != "image")


def written(markdown):
    """What a text in Markdown holds of each kind."""
    found = {kind: [] for kind in KINDS}
    open_items, within = [], []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type == "list_item_open":
            open_items.append([])
        elif token.type == "list_item_close":
            found["items"].append(" ".join(open_items.pop()))
        elif token.type in ("fence", "code_block"):
            found["code"].append(token.content)
        elif token.type == "inline":
            if within[-1] == "heading_open":
                found["headings"].append(plain(token))
            elif within[-1] in ("td_open", "th_open"):
                found["cells"].append(plain(token))
            elif open_items:
                open_items[-1].append(plain(token))
        if token.nesting:
            within = [*within, token.type] if token.nesting > 0 else within[:-1]
    return items(found)


def lines(markdown):
    """The lines of a text, without marks of lists and headings and without addresses of links."""
    without = re.sub(r"\]\([^)]*\)", "]", markdown)
    return {letters(line) for line in without.splitlines()}


@dataclass
class Row:
    """One page and one tool: {kind: (right, there, written)}, leaked and possible links, time and length."""

    page: str
    counts: dict
    leaked: int
    links: int
    seconds: float
    length: int
    missed: dict


def score(name, page, html, right, either, outside):
    began = time.process_time()
    text = TOOLS[name](html)
    seconds = time.process_time() - began
    got = written(text)
    for heading in either - set(right["headings"]):
        del got["headings"][heading]
    counts = {k: ((right[k] & got[k]).total(), right[k].total(), got[k].total()) for k in KINDS}
    missed = {k: (sorted((right[k] - got[k]).elements()), sorted((got[k] - right[k]).elements())) for k in KINDS}
    return Row(page, counts, len(outside & lines(text)), len(outside), seconds, len(text), missed)


def f1(sums):
    """F1 of rows of (right, there, written); nothing there and nothing written is no number."""
    return 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1)


def interval(values):
    return np.percentile(values, [2.5, 97.5])


def kind_figures(rows, kind, draws):
    """{tool: F1 with its interval, and how far ozfig is ahead}."""
    sums = {tool: np.array([row.counts[kind] for row in found]) for tool, found in rows.items()}
    resampled = {tool: f1(s[draws].sum(axis=1)) for tool, s in sums.items()}
    figures = {}
    for tool, s in sums.items():
        (low, high), ahead = interval(resampled[tool]), interval(resampled["ozfig"] - resampled[tool])
        named = {"f1": f1(s.sum(axis=0)), "low": low, "high": high, "ahead_low": ahead[0], "ahead_high": ahead[1]}
        figures[tool] = {k: round(float(v), 4) for k, v in named.items()} | {"n": int(s[:, 1].sum())}
    return figures


def leak_figures(found, draws):
    leaks = np.array([(row.leaked, row.links) for row in found])
    resampled = leaks[draws].sum(axis=1)
    low, high = interval(resampled[:, 0] / np.maximum(resampled[:, 1], 1))
    named = {"share": leaks[:, 0].sum() / max(leaks[:, 1].sum(), 1), "low": low, "high": high}
    return {k: round(float(v), 4) for k, v in named.items()} | {"n": int(leaks[:, 1].sum())}


def summary(rows, seed):
    """Figures of every tool from {tool: rows}."""
    pages = len(rows["ozfig"])
    draws = np.random.default_rng(seed).integers(0, pages, (RESAMPLES, pages))
    by_kind = {kind: kind_figures(rows, kind, draws) for kind in KINDS}
    table = {}
    for tool, found in rows.items():
        seconds = [row.seconds for row in found]
        table[tool] = {kind: by_kind[kind][tool] for kind in KINDS} | {
            "leak": leak_figures(found, draws),
            "milliseconds": round(statistics.median(seconds) * 1000, 1),
            "slowest_milliseconds": round(max(seconds) * 1000),
            "longest": max(row.length for row in found),
        }
    return {"pages": pages, "tools": table}


def show(name, result):
    print(f"\n{name}: {result['pages']} pages")
    for tool, t in result["tools"].items():
        kinds = "  ".join(f"{k} {t[k]['f1']:.3f} [{t[k]['low']:.3f}, {t[k]['high']:.3f}]" for k in KINDS)
        speed = f"{t['milliseconds']:.1f} ms (most {t['slowest_milliseconds']})  longest {t['longest']:,}"
        print(f"{tool:<17}{kinds}  leak {t['leak']['share']:.3f}  {speed}")
    n = result["tools"]["ozfig"]
    print("n: " + ", ".join(f"{n[k]['n']} {k}" for k in KINDS) + f", {n['leak']['n']} links of the frame")


def show_misses(rows):
    for row in rows:
        for kind, (lost, extra) in row.missed.items():
            if lost or extra:
                print(f"{row.page}: {kind}")
                print(f"  lost: {[x[:60] for x in lost[:8]]}\n  extra: {[x[:60] for x in extra[:8]]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=25, help="pages of each site")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--misses", choices=TOOLS, help="print what this tool lost and made up, page by page")
    asked = parser.parse_args()
    if not data_folder().is_dir():
        raise SystemExit(f"no sites found: {data_folder()} (set OZFIG_DATA)")
    for tool in TOOLS.values():
        tool("<p>warm</p>")
    by_site, empty = {}, []
    for site in TRUTH:
        for name, html, known in sample(site, asked.pages, asked.seed, empty):
            rows = by_site.setdefault(site, {tool: [] for tool in TOOLS})
            for tool in TOOLS:
                rows[tool].append(score(tool, name, html, *known))
    every = {tool: [row for rows in by_site.values() for row in rows[tool]] for tool in TOOLS}
    if asked.misses:
        show_misses(every[asked.misses])
    results = {name: summary(rows, asked.seed) for name, rows in [*by_site.items(), ("all", every)]}
    if asked.json:
        print(json.dumps({"results": results, "sites_with_empty_pages": empty}))
        return
    for name, result in results.items():
        show(name, result)
    print(f"sites with pages that hold no text in their HTML (left out): {', '.join(empty)}")


if __name__ == "__main__":
    main()
