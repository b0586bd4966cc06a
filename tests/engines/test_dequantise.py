from pathlib import Path

import pytest
import torch

from ozfig.engines.dequantise import fill, unpermute
from ozfig.engines.loading import load_model
from ozfig.errors import UserError


def test_a_full_precision_file_gives_back_the_merged_weights(files):
    ref = files["F16"]
    expected = dict(load_model(Path(ref.base), torch.float32).named_parameters())
    model = load_model(Path(ref.base), torch.float32)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.1)  # so that what is found below was read from the file
    fill(model, Path(ref.path))
    for name, weight in model.named_parameters():
        assert torch.allclose(weight, expected[name], atol=1e-6, rtol=1e-3), name


def test_a_quantised_file_moves_every_matrix_a_little(files):
    ref = files["Q4_K_M"]
    expected = dict(load_model(Path(ref.base), torch.float32).named_parameters())
    model = load_model(Path(ref.base), torch.float32)
    fill(model, Path(ref.path))
    for name, weight in model.named_parameters():
        moved = ((weight - expected[name]).norm() / expected[name].norm()).item()
        assert moved == 0 if weight.dim() == 1 else 0.005 < moved < 0.12, (name, moved)


def test_a_file_of_another_model_is_refused(files):
    torch.manual_seed(1)
    model = load_model(Path(files["F16"].base), torch.float32)
    torch.nn.init.normal_(model.model.layers[3].mlp.down_proj.weight)
    with pytest.raises(UserError, match=r"layers\.3\.mlp\.down_proj\.weight is other weights"):
        fill(model, Path(files["F16"].path))


def test_unpermute_undoes_the_interleaving_of_rotary_pairs():
    half = torch.arange(2 * 8 * 3).reshape(2, 2, 4, 3)  # heads, halves, pairs, columns
    interleaved = half.transpose(1, 2).reshape(16, 3)
    assert torch.equal(unpermute(interleaved, 2), half.reshape(16, 3))
    assert torch.equal(unpermute(interleaved[:, 0], 2), half.reshape(16, 3)[:, 0])
