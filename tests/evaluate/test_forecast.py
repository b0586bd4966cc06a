from ozfig.evaluate import forecast

PLANNED = {"seconds": 90.0, "memory_mb": 1500.0, "disk_mb": 5.0, "basis": "formula"}
ACTUAL = {"seconds": 120.0, "memory_mb": 1200.0, "disk_mb": 5.0}


def test_plan_and_actual_stand_side_by_side():
    plan = {"tune": {"planned": PLANNED, "actual": ACTUAL}, "evaluate": {"planned": PLANNED}}
    assert forecast.rows(plan) == [
        {"name": "Tuning, time", "planned": "90 s", "actual": "2.0 min", "off": "−25%"},
        {"name": "Tuning, memory", "planned": "1,500 MB", "actual": "1,200 MB", "off": "+25%"},
        {"name": "Tuning, disk", "planned": "5.0 MB", "actual": "5.0 MB", "off": "+0%"},
    ]
    assert forecast.basis(plan) == "formula"


def test_a_stage_that_was_stopped_in_between_has_no_time():
    plan = {"tune": {"planned": PLANNED, "actual": {**ACTUAL, "continued": True}}}
    assert [row["name"] for row in forecast.rows(plan)] == ["Tuning, memory", "Tuning, disk"]
    assert forecast.rows({}) == []
    assert forecast.rows({"tune": {"actual": ACTUAL}}) == []
