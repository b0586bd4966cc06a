from ozfig.engines import sizes
from ozfig.engines.loading import load_model
from ozfig.engines.resolve import EMBEDDED
from ozfig.recipe import Tune
from ozfig.tune import adapters


def trained(model) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_a_models_size_is_read_from_headers():
    folder = EMBEDDED / "pebble"
    size, model = sizes.read(folder), load_model(folder)
    assert size.parameters == model.num_parameters()
    assert size.stored_bytes == 2 * size.parameters
    assert (size.layers, size.hidden, size.inner) == (4, 512, 1024)
    embeddings = model.get_input_embeddings().weight.numel()
    assert size.weights(0) == embeddings + model.config.hidden_size  # and the last norm
    assert size.adapter(32, 4) == trained(adapters.attach(model, Tune(rank=32, head="causal"), seed=0))


def test_an_encoder_and_a_decoder_count_as_layers(t5, bert):
    assert sizes.read(t5).layers == 4
    assert sizes.read(bert).layers == 2
    assert sizes.read(bert).hidden == sizes.read(t5).hidden == 32
