import re

import pytest

from ozfig.pages.scatter import LANE, Dot, scale, scatter


def dots(*sizes):
    names = ["F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M"]
    return [Dot(name, size, 0.4, 0.3, 0.5, "quantised") for name, size in zip(names, sizes, strict=False)]


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((0.31, 0.52), [0.6, 0.5, 0.4, 0.3]),
        ((0.0, 1.0), [1.0, 0.75, 0.5, 0.25, 0.0]),
        ((0.0, 0.0), [0.1, 0.075, 0.05, 0.025, 0.0]),
        ((2.0, 2.0), [2.2, 2.1, 2.0]),
    ],
)
def test_an_axis_has_round_steps_and_holds_both_ends(ends, ticks):
    found = scale(*ends)
    assert found.ticks == pytest.approx(ticks)
    assert found.low <= ends[0]
    assert found.high >= ends[1]


def test_names_that_would_collide_on_a_phone_stand_in_lanes():
    crowded = scatter(dots(27e6, 14.6e6, 11.5e6, 10.2e6, 9.3e6), scale(0.3, 0.5), 54e6)
    lanes = [int(y) for y in re.findall(r'<text x="[\d.]+%" y="(\d+)"', crowded)]
    assert len(set(lanes)) > 2
    assert {lane % LANE for lane in lanes} == {LANE - 4}
    apart = scatter(dots(54e6, 27e6, 9e6), scale(0.3, 0.5), 54e6)
    assert len(set(re.findall(r'<text x="[\d.]+%" y="(\d+)"', apart))) == 1


def test_points_stand_where_their_figures_say():
    drawn = scatter([Dot("<b>", 50, 0.5, 0.25, 0.75, "tuned")], scale(0, 1), 100, level=0.5)
    assert 'cx="49.00%"' in drawn
    assert "&lt;b&gt;" in drawn
    centre = re.search(r'cy="([\d.]+)"', drawn)[1]
    assert f'class="level" x1="0%" x2="100%" y1="{centre}"' in drawn
