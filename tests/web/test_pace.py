import asyncio
import email.utils
import time

from ozfig.web.pace import FIRST_PAUSE, GOOD_IN_A_ROW, Pace, retry_after


def run(work):
    return asyncio.run(work())


def test_no_more_than_the_limit_at_once():
    async def work():
        pace, active, most = Pace(3, 0), 0, 0

        async def one():
            nonlocal active, most
            await pace.enter()
            active += 1
            most = max(most, active)
            await asyncio.sleep(0.005)
            active -= 1
            await pace.leave()

        await asyncio.gather(*(one() for _ in range(10)))
        return most

    assert run(work) == 3


def test_one_wave_of_refusals_halves_once_and_good_answers_give_back_one_by_one():
    pace = Pace(8, 0)
    began = time.monotonic()
    for _ in range(8):
        pace.slower(began)
    assert pace.limit == 4
    for _ in range(GOOD_IN_A_ROW):
        pace.faster()
    assert pace.limit == 5


def test_at_one_request_a_pause_is_added_and_taken_away_again():
    pace = Pace(1, 0)
    pace.slower(time.monotonic())
    pace.slower(time.monotonic())
    assert pace.pause == 2 * FIRST_PAUSE
    for _ in range(2 * GOOD_IN_A_ROW):
        pace.faster()
    assert (pace.pause, pace.limit) == (0.0, 1)


def test_delay_and_rest_are_waited_out():
    async def work():
        pace = Pace(8, 0.05)
        began = time.monotonic()
        await asyncio.gather(*(pace.enter() for _ in range(3)))
        delayed = time.monotonic() - began
        pace.rest(0.2)
        await pace.enter()
        return delayed, time.monotonic() - began

    delayed, rested = run(work)
    assert delayed >= 0.1
    assert rested >= delayed + 0.19


def test_retry_after_in_seconds_and_as_a_date():
    assert retry_after("7") == 7
    assert 50 < retry_after(email.utils.formatdate(time.time() + 60, usegmt=True)) <= 60
    assert retry_after(email.utils.formatdate(time.time() - 60, usegmt=True)) == 0
    assert retry_after("soon") == 0
