"""Encoders that mark answers: places of answers, windows, no answer, and training."""

from dataclasses import replace

import pytest
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file

from ozfig import files
from ozfig.engines import opening
from ozfig.engines.base import Decoding
from ozfig.engines.loading import load_model, load_tokenizer
from ozfig.engines.resolve import resolve
from ozfig.engines.windows import windows
from ozfig.errors import UserError
from ozfig.evaluate.metrics import normalise
from ozfig.formats.examples import Reading
from ozfig.prompts import ask
from ozfig.recipe import Dataset, Tune
from ozfig.tune import stage
from ozfig.tune.heads import span
from ozfig.types import Example

from .conftest import make_job

SECTION = Tune(head="span")


@pytest.fixture
def tokenizer(bert):
    return load_tokenizer(bert, head="span")


@pytest.fixture(scope="module")
def squad(data):
    """200 questions of SQuAD with their passages."""
    return list(Reading(Dataset(path=str(data / "squad/dev-v1.1.json.gz"), sample=200)))


def facts(n=24):
    names = ["red", "green", "blue", "white", "black", "grey"]
    return [
        Example.pair(
            f"Which colour has house number {i}?",
            names[i % 6],
            context=f"As everybody knows house {i} is {names[i % 6]}.",
        )
        for i in range(n)
    ]


def job_of(folder, base, section, rows=None):
    return replace(make_job(section, folder, base, rows or facts()), models={"base": resolve(str(base))})


def test_marked_answers_of_squad_are_the_answers(squad):
    """The tokens between the two places give the answer's characters, or the whole tokens that hold them."""
    tokenizer = load_tokenizer(resolve("minilm").path, head="span")
    exact = wider = 0
    for example in squad:
        passage, answer = example.context.strip(), example.answer.strip()
        at = passage.find(answer)
        marked = []
        for window in windows(tokenizer, example.question, passage, 384):
            if held := window.span(at, at + len(answer)):
                first, last = held
                marked.append(passage[window.places[first][0] : window.places[last][1]])
        assert marked, example.answer
        exact += marked[0] == answer
        wider += marked[0] != answer and answer in marked[0]
        decoded = tokenizer.decode(tokenizer(marked[0], add_special_tokens=False).input_ids)
        assert "".join(normalise(decoded)) == "".join(normalise(tokenizer.decode(tokenizer(marked[0]).input_ids[1:-1])))
    assert (exact, exact + wider) == (len(squad), len(squad))


def test_labels_are_the_tokens_of_the_answer(squad):
    tokenizer = load_tokenizer(resolve("minilm").path, head="span")
    data = span.encode_all(squad, tokenizer, SECTION, "", 512)
    said = {"".join(normalise(e.answer)) for e in squad}
    marked = [row for row in data.rows if row.labels != [0, 0]]
    assert len(marked) >= len(squad)
    found = ["".join(normalise(tokenizer.decode(r.ids[r.labels[0] : r.labels[1] + 1]))) for r in marked]
    # word pieces lose accents, which the answers have
    assert sum(text in said for text in found) >= 0.95 * len(found)


def test_rows_that_cannot_be_marked_are_dropped_and_counted(tokenizer):
    rows = [*facts(3), Example.pair("Which?", "red"), Example.pair("Which?", "purple", context="All is red.")]
    data = span.encode_all(rows, tokenizer, SECTION, "", 64)
    assert len(data.rows) == 3
    assert data.without_loss == 2
    assert data.left_out == {"rows_without_passage": 1, "rows_answer_not_in_passage": 1}
    with pytest.raises(UserError, match=r"no answer can be marked: of 2 training examples 1 have no passage"):
        span.encode_all(rows[3:], tokenizer, SECTION, "", 64)
    with pytest.raises(UserError, match=r"tune\.max_length: 512 is more"):
        span.encode_all(rows, tokenizer, Tune(head="span", max_length=512), "", 64)
    with pytest.raises(UserError, match="need 32 at least"):
        span.encode_all(rows, tokenizer, Tune(head="span", max_length=16), "", 64)


def test_a_long_passage_is_cut_into_windows_that_cover_it(tokenizer):
    passage = " ".join(f"house {i} is red." for i in range(40))
    found = list(windows(tokenizer, "Which house is blue?", passage, 48))
    assert len(found) > 4
    covered = {c for w in found for a, b in w.places for c in range(a, b)}
    assert covered == {i for i, c in enumerate(passage) if c != " "}
    for window in found:
        assert len(window.ids) <= 48
        assert tokenizer.decode(window.ids).startswith("[CLS] which house is blue? [SEP]")
    example = Example.pair("Which house is blue?", "house 39 is red", context=passage)
    rows = span.encode_all([example], tokenizer, Tune(head="span", max_length=48), "", 64).rows
    assert [row.labels == [0, 0] for row in rows[:2]] == [True, True]
    assert any(row.labels != [0, 0] for row in rows[-2:])


def test_an_empty_answer_is_no_answer(tokenizer):
    [row] = span.encode_all([Example.pair("Who?", "", context="All is red.")], tokenizer, SECTION, "", 64).rows
    assert row.labels == [0, 0]


def test_a_question_longer_than_a_window_is_cut(tokenizer):
    [first, *_] = windows(tokenizer, "which house " * 100, "All is red.", 48)
    assert len(first.ids) <= 48
    assert any(b for _, b in first.places)


def test_lora_trains_and_keeps_the_head(bert, tmp_path):
    job = job_of(tmp_path / "tune", bert, Tune(epochs=60, learning_rate=5e-3, batch_tokens=256))
    outcome = stage.run(job)
    assert (outcome.resolved["tune.head"], outcome.models["tuned"].head) == ("span", "span")
    assert outcome.metrics["final_loss"] < 0.5 * outcome.metrics["first_loss"]
    weights = load_file(tmp_path / "tune/adapter/adapter_model.safetensors")
    assert {k for k in weights if "qa_outputs" in k} == {
        f"base_model.model.qa_outputs.{part}" for part in ("weight", "bias")
    }
    assert {w.dtype for w in weights.values()} == {torch.float32}
    assert files.read_json(tmp_path / "tune/adapter/adapter_config.json")["task_type"] == "QUESTION_ANS"
    assert PeftModel.from_pretrained(load_model(bert, torch.float32, "span"), outcome.models["tuned"].path)

    prompts = [ask(e.question, "", e.context) for e in facts()]
    before, after = (
        sum(r == e.answer for r, e in zip(opening.load(ref).generate(prompts, Decoding(4)), facts(), strict=True))
        for ref in (job.models["base"], outcome.models["tuned"])
    )
    assert after >= before + 8, (before, after)


def test_full_training_learns_where_there_is_no_answer(bert, tmp_path):
    silent = [replace(e, messages=[e.messages[0], replace(e.messages[1], content="")]) for e in facts()]
    silent = [replace(e, context="Nobody knows anything in the street.") for e in silent]
    section = Tune(method="full", epochs=30, learning_rate=3e-3, batch_tokens=512)
    outcome = stage.run(job_of(tmp_path / "tune", bert, section, [*facts(), *silent]))
    assert outcome.outputs == ["model", "shown_tokens.json"]
    engine = opening.load(outcome.models["tuned"])
    asked = [[ask(e.question, "", e.context) for e in part] for part in (facts(), silent)]
    known, unknown = (engine.generate(part, Decoding(4)) for part in asked)
    assert sum(r == e.answer for r, e in zip(known, facts(), strict=True)) >= 18
    assert unknown.count("") >= 22
    engine.threshold = 1e9  # as if the score of no answer had to be far higher
    assert "" not in engine.generate(asked[1], Decoding(4))


def test_the_untrained_head_is_the_same_every_time(bert):
    prompts = [ask(e.question, "", e.context) for e in facts(6)]
    torch.manual_seed(1)
    first = opening.load(resolve(str(bert))).generate(prompts, Decoding(4))
    torch.manual_seed(2)
    assert opening.load(resolve(str(bert))).generate(prompts, Decoding(4)) == first


def test_without_a_passage_nothing_is_marked_and_no_answer_has_a_loss(bert):
    engine = opening.load(resolve(str(bert)))
    assert engine.generate([ask("Which house?")], Decoding()) == [""]
    assert [(x.nats, x.tokens) for x in engine.losses([ask("Which house?")], ["red"])] == [(0.0, 0)]


def test_missing_weights_of_the_encoder_are_told(bert, tmp_path):
    from safetensors.torch import save_file

    for path in bert.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(bert / "model.safetensors")
    weights.pop(next(name for name in weights if "attention.self.query.weight" in name))
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="weights are missing"):
        opening.load(resolve(str(tmp_path)))


SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.mark.parametrize(
    ("family", "shape"),
    [
        ("DistilBert", {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 64}),
        ("Electra", {"embedding_size": 32, **SHAPE}),
        ("Roberta", {**SHAPE, "max_position_embeddings": 65}),  # counts its positions from the padding's id on
    ],
)
def test_other_encoders_tune_and_answer(family, shape, bert, tmp_path):
    torch.manual_seed(0)
    tokenizer = load_tokenizer(bert, head="span")
    kind = getattr(transformers, f"{family}Config")
    config = kind(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **shape)
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    long = Example.pair("Which house?", "house 30", context=" ".join(f"house {i} is red." for i in range(40)))
    outcome = stage.run(job_of(tmp_path / "tune", tmp_path / "base", Tune(epochs=1), [*facts(8), long]))
    assert outcome.metrics["rows"] > 9
    [reply] = opening.load(outcome.models["tuned"]).generate([ask(long.question, "", long.context)], Decoding(4))
    assert reply in long.context
