import pytest

from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.tune import plan, tokens


def rows(n, size=50):
    return [tokens.Row([i] * size, [tokens.IGNORED] + [i] * (size - 1)) for i in range(n)]


def make(n=200, isolates=True, seed=7, micro=1024, **options):
    return plan.make_plan(rows(n), Tune(**options), seed, micro, lambda: isolates)


@pytest.mark.parametrize("n", [100, 600, 3_000, 30_000])
@pytest.mark.parametrize("epochs", [1, 4])
def test_auto_aims_for_40_to_400_steps(n, epochs):
    assert 40 <= make(n, epochs=epochs).steps <= 400


def test_every_row_comes_once_an_epoch_and_steps_sum_up():
    made = make(epochs=2)
    seen = sorted(row.ids[0] for i in made.order for row in made.sequences[i])
    assert seen == sorted([*range(200), *range(200)])
    assert made.tokens_at[0] == 0
    assert made.tokens_at[-1] == 2 * 200 * 50
    assert len(made.tokens_at) == made.steps + 1


def test_half_an_epoch_is_half_the_sequences():
    assert len(make(epochs=0.5, packing=False).order) == 100


def test_the_order_is_the_seeds():
    assert make(seed=1).sequences == make(seed=1).sequences
    assert make(seed=1).sequences != make(seed=2).sequences


def test_resolved_values_give_the_same_plan():
    made = make()
    again = make(packing=made.packing, batch_tokens=made.batch_tokens)
    assert again == made


def test_few_rows_make_small_steps():
    assert make(20, epochs=1).batch_tokens == 64
    assert make(2000, epochs=1).batch_tokens == 512


@pytest.mark.parametrize("micro", [100, 1024, 10**6])
def test_the_size_of_micro_batches_leaves_the_steps_as_they_are(micro):
    made, other = make(epochs=2, batch_tokens=1500, micro=micro), make(epochs=2, batch_tokens=1500, micro=700)
    assert made.steps == other.steps == round(2 * 200 * 50 / 1500)
    assert made.tokens_at == other.tokens_at

    def step(found, number):
        taken = found.order[number * found.per_step : (number + 1) * found.per_step]
        return sorted(row.ids[0] for i in taken for row in found.sequences[i])

    assert all(step(made, s) == step(other, s) for s in range(made.steps))


def test_micro_batches_hold_about_as_much_as_they_may():
    mixed = [tokens.Row([i] * (20 + i), [tokens.IGNORED] + [i] * (19 + i)) for i in range(200)]
    made = plan.make_plan(mixed, Tune(epochs=1, batch_tokens=4000), 7, 1000, lambda: True)
    sizes = [sum(len(row.ids) for row in sequence) for sequence in made.sequences]
    assert made.per_step == 4
    assert max(sizes) < 1300
    assert min(sizes) > 700


def test_rows_longer_than_a_step_make_steps_of_their_own():
    made = make(10, epochs=1, batch_tokens=10)
    assert (made.steps, made.per_step) == (10, 1)


def test_packing_gives_way_or_refuses_where_rows_would_leak():
    assert not make(2000, isolates=False).packing
    with pytest.raises(UserError, match=r"tune\.packing"):
        make(isolates=False, packing=True)


def test_a_batch_is_one_sequence_whose_positions_restart():
    inputs = plan.batch([rows(2, 3)], bounds=True)
    assert inputs["input_ids"].tolist() == [[0, 0, 0, 1, 1, 1]]
    assert inputs["position_ids"].tolist() == [[0, 1, 2, 0, 1, 2]]
    assert inputs["cu_seq_lens_q"].tolist() == [0, 3, 6]
    assert inputs["logits_to_keep"].tolist() == [0, 1, 3, 4]
