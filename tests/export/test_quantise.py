from collections import Counter
from types import SimpleNamespace

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from gguf.quants import dequantize

from ozfig.export.quantise import choose_types, rows, wants_more_bits


def tensors(layers, width=512, tied=False, more=()):
    names = ["token_embd.weight", *([] if tied else ["output.weight"]), "output_norm.weight", *more]
    for layer in range(layers):
        parts = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
        names += [f"blk.{layer}.{part}.weight" for part in parts] + [f"blk.{layer}.attn_norm.weight"]
    return [
        SimpleNamespace(
            name=name,
            shape=np.array([width] if name.endswith("norm.weight") else [width, 64]),
            tensor_type=Kind.F32 if name.endswith("norm.weight") else Kind.F16,
        )
        for name in names
    ]


def chosen(made, quant="Q4_K_M"):
    return dict(zip([t.name for t in made], choose_types(made, quant), strict=True))


def test_a_model_of_32_layers_gets_the_mix_that_is_known_of_llama_2_7b():
    # llama.cpp's own Q4_K_M of Llama 2 7B: 193 tensors Q4_K, 33 Q6_K, 65 F32
    made = tensors(32, more=[f"blk.{i}.ffn_norm.weight" for i in range(32)])
    assert Counter(chosen(made).values()) == {Kind.Q4_K: 193, Kind.Q6_K: 33, Kind.F32: 65}


def test_more_bits_go_to_the_ends_and_to_every_third_layer():
    assert [i for i in range(16) if wants_more_bits(i, 16)] == [0, 1, 4, 7, 10, 13, 14, 15]
    assert [i for i in range(4) if wants_more_bits(i, 4)] == [2, 3]


def test_tied_embeddings_are_kept_finer():
    assert chosen(tensors(4, tied=True))["token_embd.weight"] == Kind.Q6_K
    assert chosen(tensors(4))["token_embd.weight"] == Kind.Q4_K
    assert chosen(tensors(4))["output.weight"] == Kind.Q6_K


def test_rows_that_do_not_fit_take_blocks_of_32_or_stay():
    odd = chosen(tensors(4, width=288))
    assert odd["blk.0.attn_q.weight"] == Kind.Q5_0
    assert odd["output.weight"] == Kind.Q8_0
    assert odd["output_norm.weight"] == Kind.F32
    assert chosen(tensors(4, width=100))["blk.0.attn_q.weight"] == Kind.F16
    assert chosen(tensors(4, width=288), "Q5_K_S")["blk.0.attn_q.weight"] == Kind.Q5_1
    assert chosen(tensors(4, width=288), "Q3_K_M")["blk.0.attn_q.weight"] == Kind.Q4_0


@pytest.mark.parametrize(
    ("quant", "expected"),
    [
        # by llama_tensor_get_type_impl, for 32 layers of 7 matrices, the embedding and the output matrix
        ("Q6_K", {Kind.Q6_K: 226}),
        ("Q5_K_M", {Kind.Q5_K: 193, Kind.Q6_K: 33}),
        ("Q5_K_S", {Kind.Q5_K: 225, Kind.Q6_K: 1}),
        ("Q4_K_S", {Kind.Q4_K: 217, Kind.Q5_K: 8, Kind.Q6_K: 1}),
        ("Q3_K_M", {Kind.Q3_K: 129, Kind.Q4_K: 92, Kind.Q5_K: 4, Kind.Q6_K: 1}),
        ("F16", {Kind.F16: 226}),
        ("BF16", {Kind.BF16: 226}),
    ],
)
def test_each_mix_has_the_counts_of_llama_cpps_rules(quant, expected):
    found = Counter(chosen(tensors(32), quant).values())
    assert found.pop(Kind.F32) == 33
    assert found == expected


def test_one_matrix_of_queries_keys_and_values_is_treated_as_values():
    made = tensors(8, more=[f"blk.{i}.attn_qkv.weight" for i in range(8)])
    assert [chosen(made)[f"blk.{i}.attn_qkv.weight"] for i in range(3)] == [Kind.Q6_K, Kind.Q4_K, Kind.Q4_K]


def test_a_value_that_a_type_cannot_hold_is_an_error():
    values = np.ones((2, 256), dtype=np.float32)
    values[1, 3] = 70_000
    assert np.array_equal(dequantize(rows(values, Kind.BF16), Kind.BF16).reshape(2, 256)[0], values[0])
    with pytest.raises(OverflowError, match="F16 cannot hold weights as large as 70000"):
        rows(values, Kind.F16)


def test_q8_0_takes_every_matrix_but_an_experts_router():
    made = tensors(2, more=["blk.0.ffn_gate_inp.weight"])
    kinds = chosen(made, "Q8_0")
    assert kinds.pop("blk.0.ffn_gate_inp.weight") == Kind.F16
    assert Counter(kinds.values()) == {Kind.Q8_0: 16, Kind.F32: 3}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Kind.Q3_K, 0.17),
        (Kind.Q4_0, 0.12),
        (Kind.Q4_K, 0.09),
        (Kind.Q5_K, 0.05),
        (Kind.BF16, 3e-3),
        (Kind.Q5_0, 0.06),
        (Kind.Q5_1, 0.06),
        (Kind.Q6_K, 0.025),
        (Kind.Q8_0, 0.008),
        (Kind.F16, 3e-4),
    ],
)
def test_what_is_read_back_is_near_what_was_written(kind, error):
    values = np.random.default_rng(0).normal(size=(2, 1100, 256)).astype(np.float32)
    stored = rows(values, kind)
    block, size = gguf.GGML_QUANT_SIZES[kind]
    assert stored.shape[:2] == (2, 1100)
    assert stored.nbytes == values.size // block * size
    back = dequantize(stored, kind).reshape(values.shape)
    assert np.linalg.norm(back - values) / np.linalg.norm(values) < error


def test_rows_are_quantised_one_by_one():
    values = np.random.default_rng(1).normal(size=(2500, 256)).astype(np.float32)
    whole = rows(values, Kind.Q4_K)
    assert np.array_equal(whole[2000:], rows(values[2000:], Kind.Q4_K))
    assert np.array_equal(whole, rows(values, Kind.Q4_K))
