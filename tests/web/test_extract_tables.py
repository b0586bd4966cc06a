from ozfig.web import tables
from ozfig.web.extract import extract

FILLER = "<p>" + "Plain words that make the page long enough. " * 8 + "</p>"


def table(inner):
    text = extract(f"<body><main>{FILLER}{inner}</main></body>").markdown
    return text.split("long enough.", 8)[-1].strip()


def test_rows_of_headers_become_one():
    text = table(
        "<table><thead><tr><th rowspan=2>Boat</th><th colspan=2>Size</th></tr><tr><th>Length</th><th>Beam</th></tr>"
        "</thead><tbody><tr><td>Tern</td><td>9 m</td><td>3 m</td></tr></tbody></table>"
    )
    assert text == "| Boat | Size Length | Size Beam |\n| --- | --- | --- |\n| Tern | 9 m | 3 m |"


def test_a_cell_over_rows_is_written_in_each_and_one_over_columns_once():
    text = table(
        "<table><tr><th>Day</th><th>From</th><th>To</th></tr><tr><td rowspan='2'>Sunday</td><td>9</td><td>12</td></tr>"
        "<tr><td>14</td><td>17</td></tr><tr><td>Monday</td><td colspan='2'><b>closed</b></td></tr></table>"
    )
    assert text.splitlines()[2:] == ["| Sunday | 9 | 12 |", "| Sunday | 14 | 17 |", "| Monday | **closed** |  |"]


def test_a_span_that_is_a_lie_is_cut():
    text = table("<table><tr><th>a</th><th>b</th></tr><tr><td rowspan=99999999>1</td><td colspan=x>2</td></tr></table>")
    assert text == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_headers_at_the_side_keep_their_values():
    text = table("<table><tr><th>Weight</th><td>3 kg</td></tr><tr><th>Height</th><td>2 m</td></tr></table>")
    assert text == "|  |  |\n| --- | --- |\n| Weight | 3 kg |\n| Height | 2 m |"


def test_lists_and_bars_fit_into_cells():
    text = table(
        "<table><tr><th>k</th><th>v</th></tr><tr><td>a|b</td><td><ul><li>x</li><li>y</li></ul></td></tr></table>"
    )
    assert text.splitlines()[2] == "| a\\|b | x; y |"


def test_a_table_that_lays_out_the_page_is_taken_apart():
    text = table(
        "<table><tr><td><p>Left words.</p>"
        "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table></td>"
        "<td><h2>Right</h2><p>Right words.</p></td></tr></table>"
    )
    assert text == "Left words.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n## Right\n\nRight words."


def test_tables_of_a_page_hold_so_much_and_no_more(monkeypatch):
    monkeypatch.setattr(tables, "LONGEST_TABLE", 40)
    rows = "".join(f"<tr><td>number {n}</td><td>{n}</td></tr>" for n in range(100))
    text = table(f"<table><tr><th>a</th><th>b</th></tr>{rows}</table><p>After.</p>")
    assert "| number 0 | 0 |" in text
    assert "number 9" not in text
    assert text.endswith("After.")
