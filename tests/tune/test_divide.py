import pytest
import torch

from ozfig.recipe import Tune
from ozfig.tune import adapters, machine, trainer
from ozfig.tune.divide import _silent, divide
from ozfig.tune.heads.span import Marked
from ozfig.tune.plan import Plan, make_plan
from ozfig.tune.tokens import IGNORED, Row, TokenSet


def row(start: int, n: int) -> Row:
    return Row(list(range(start, start + n)), [IGNORED, *range(start + 1, start + n)])


ROWS = [row(100 * i, 5 + 7 * i % 11) for i in range(30)]


def steps(plan):
    return [plan.order[at : at + plan.per_step] for at in range(0, len(plan.order), plan.per_step)]


def learned(plan):
    """The rows of each step that are learned from, in an order of their own."""
    return [sorted(r.ids for i in step for r in plan.sequences[i] if r.trained) for step in steps(plan)]


def test_every_step_keeps_its_rows_and_every_process_gets_as_many_micro_batches():
    for packing, processes in ((True, 2), (True, 3), (False, 2), (False, 4)):
        section = Tune(epochs=2, batch_tokens=64, packing=packing)
        plan = make_plan(ROWS, section, 7, 64, lambda: True)
        divided = divide(plan, processes)
        assert learned(divided) == learned(plan)
        assert {len(step) for step in steps(divided)} == {divided.per_step}
        assert divided.per_step % processes == 0
        assert divided.tokens_at == plan.tokens_at
        assert divided.steps == plan.steps


def test_one_process_changes_nothing():
    plan = make_plan(ROWS, Tune(), 7, 64, lambda: True)
    assert divide(plan, 1) is plan


def test_a_step_with_fewer_rows_than_processes_gets_company_without_a_loss():
    window = Marked([5, 6, 7, 8], [1, 2], [0, 0, 1, 1])
    divided = divide(Plan([[window]], [0], 1, 64, packing=False), 3)
    assert divided.sequences[0] == [window]
    for (silent,) in divided.sequences[1:]:
        assert silent == Marked([5, 6], [IGNORED, IGNORED], [0, 0])
    assert divided.tokens_at == [0, 4]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_company_without_a_loss_gives_zero_gradients_for_every_weight(tiny, tokenizer, tmp_path, method):
    section = machine.resolve(Tune(method=method, head="causal", precision="float32", device="cpu"))
    model = adapters.attach(adapters.load_base(tiny, section), section, seed=0)
    with trainer.prepare(model, tokenizer, TokenSet(ROWS, 20, 0, 0, 0), section, 7) as ready:
        given = ready.collate([[_silent(ROWS[0])]])
        labels = given.pop("labels")
        loss = ready.loss(model(**given), labels, torch.tensor(5))
        loss.backward()
    assert float(loss) == 0
    gradients = [p.grad for p in model.parameters() if p.requires_grad]
    assert gradients
    assert all(g is not None and not g.any() for g in gradients)  # DDP waits for each of them
