import torch
from transformers import AutoModel, AutoTokenizer

from ozfig import files
from ozfig.engines.embeddings import MINILM_SHA256, minilm_folder


def test_the_encoder_is_the_published_one_and_opens_offline():
    folder = minilm_folder()
    assert files.sha256_path(folder / "model.safetensors") == MINILM_SHA256
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    texts = ["The harbour is deep.", "The port has deep water.", "She bought three red apples."]
    with torch.inference_mode():
        hidden = model(**tokenizer(texts, padding=True, return_tensors="pt")).last_hidden_state.mean(1)
    alike = torch.nn.functional.cosine_similarity(hidden[:1], hidden[1:])
    assert hidden.shape == (3, 384)
    assert alike[0] > alike[1] + 0.2
