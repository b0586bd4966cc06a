from ozfig.web.extract import extract

FILLER = "<p>" + "Plain words that make the page long enough. " * 8 + "</p>"


def shaped(inner, head=""):
    text = extract(f"<head>{head}</head><body><main>{FILLER}{inner}</main></body>").markdown
    return text.split("long enough.", 8)[-1].strip()


def test_what_a_button_folds_out_has_the_button_as_heading():
    text = shaped(
        "<h2>Questions</h2><button aria-expanded='false' aria-controls='a1'>Is it open on Sundays?</button>"
        "<div id='a1' aria-hidden='true' hidden>Yes, from nine until noon.</div>"
        "<h3><a data-toggle='collapse' href='#a2'>And on Mondays?</a></h3><div id='a2'>No, it is closed then.</div>"
    )
    assert text == (
        "## Questions\n\n### Is it open on Sundays?\n\nYes, from nine until noon.\n\n"
        "### And on Mondays?\n\nNo, it is closed then."
    )


def test_tabs_become_headings_or_bold_lines_over_code():
    text = shaped(
        "<div role='tablist'><button role='tab' aria-controls='p1'>Care</button>"
        "<button role='tab' aria-controls='p2'>Install</button></div>"
        "<div role='tabpanel' id='p1'>Wash it in fresh water only.</div>"
        "<div role='tabpanel' id='p2' hidden><pre><code>pip install sail-maker</code></pre></div>"
    )
    assert text == "## Care\n\nWash it in fresh water only.\n\n**Install**\n\n```\npip install sail-maker\n```"


def test_a_button_that_opens_a_menu_or_a_window_is_none():
    text = shaped(
        "<button aria-controls='m'>Menu</button><div id='m' role='menu'>Things to choose from, all of them</div>"
        "<button aria-controls='w'>Book</button><div id='w' class='modal'>Words that a window shows later</div>"
    )
    assert "Menu" not in text
    assert "# Book" not in text


def test_powers_and_formulas_keep_their_meaning():
    text = shaped(
        "<p>10<sup>6</sup> H<sub>2</sub>O, x<sup>n</sup>, the 3<sup>rd</sup>, said so"
        "<sup><a href='#f1'>[1]</a></sup>.</p>"
        "<p><math><semantics><mi>y</mi><annotation encoding='application/x-tex'>y^2</annotation></semantics></math></p>"
    )
    assert text == "10^6 H2O, x^n, the 3rd, said so.\n\n$y^2$"


def test_lists_keep_their_depth_and_numbers():
    text = shaped("<ol start=3><li>three<ul><li>sub<ol><li>deep</li></ol></li></ul></li><li><p>four</p></li></ol>")
    assert text.splitlines() == ["3. three", "   - sub", "     1. deep", "4. four"]


def test_routes_without_href_are_links():
    page = extract(
        "<div data-href='/a'>a</div><button routerlink='/b'>b</button><p onclick=\"location.href='/c'\">c</p>"
        "<i data-to='nowhere'></i>",
        "http://h.example/",
    )
    assert page.links == ["http://h.example/a", "http://h.example/b", "http://h.example/c"]


def test_blocks_inside_inline_marks_stay_blocks():
    text = shaped("<i><br><br><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table></i><p>End.</p>")
    assert text == "| a | b |\n| --- | --- |\n| 1 | 2 |\n\nEnd."
