"""The second model where it takes longer to load than an answer waits."""

import asyncio
import time

from ozfig.engines import gguf as engine
from ozfig.recipe import Polish
from ozfig.serve.polish import Polisher


def test_a_model_that_loads_slowly_is_loaded_once(gguf, monkeypatch):
    began, ended = [], []

    class Slow(engine.LlamaServer):
        def __enter__(self):
            began.append(self)
            time.sleep(0.5)
            return super().__enter__()

        def __exit__(self, *failure):
            ended.append(self)
            return super().__exit__(*failure)

    monkeypatch.setattr(engine, "LlamaServer", Slow)

    async def run():
        section = Polish(model=str(gguf), max_tokens=16)
        polisher = Polisher(section.model_copy(update={"timeout": 0.1}))
        try:
            return [await polisher.try_clean("Greet!", "helo") for _ in range(3)]
        finally:
            await polisher.close()

    for text, note in asyncio.run(run()):
        assert text == "helo"
        assert "no answer within 0.1 s" in note
    assert len(began) == 1
    assert ended == began
