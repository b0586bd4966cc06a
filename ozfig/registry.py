"""Every plug-in: a name that a recipe may use, and where its code is.

Nothing is imported before `find` is called, so that `ozfig --help` and `plan` stay instant.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Any

from ozfig.errors import MissingExtra, UserError

PLUGINS: dict[str, dict[str, str]] = {
    "stage": {
        "gather": "ozfig.gather.stage:run",
        "prepare": "ozfig.prepare.stage:run",
        "tune": "ozfig.tune.stage:run",
        "export": "ozfig.export.stage:run",
        "evaluate": "ozfig.evaluate.stage:run",
    },
    "report": {"summary": "ozfig.evaluate.report:summary_table", "headline": "ozfig.evaluate.report:headline"},
    "compare": {"runs": "ozfig.evaluate.joined.versus:compare"},
    "experiment": {"context": "ozfig.evaluate.joined.context:write_context"},
    "benchmarks": {
        "names": "ozfig.evaluate.tasks.names:check",
        "load": "ozfig.evaluate.tasks.load:load",
        "measure": "ozfig.evaluate.tasks.measure:measure",
    },
    "publish": {"hub": "ozfig.export.publish:prepare", "space": "ozfig.export.space:prepare"},
    "server": {
        "api": "ozfig.serve.app:serve",
        "runs": "ozfig.serve.studio.app:serve",
        "chat": "ozfig.serve.terminal:chat",
    },
    "pretrain": {"model": "ozfig.tune.pretrain:pretrain"},
    "tokens": {"shown": "ozfig.tune.look:shown"},
    "review": {"pairs": "ozfig.prepare.review.desk:open_desk", "shelf": "ozfig.prepare.review.shelf:open_shelf"},
    "source": {
        "website": "ozfig.gather.website:gather",
        "documents": "ozfig.gather.documents:gather",
        "dataset": "ozfig.gather.datasets:gather",
        "feedback": "ozfig.gather.feedback:gather",
    },
    "pairs": {
        "rules": "ozfig.prepare.pairs:by_rules",
        "teacher": "ozfig.prepare.teach.teacher:by_teacher",
        "none": "ozfig.prepare.pairs:none",
    },
    "filter": {
        "exact": "ozfig.prepare.clean:exact",
        "near": "ozfig.prepare.clean:near",
        "semantic": "ozfig.prepare.semantic:semantic",
        "length": "ozfig.prepare.clean:length",
        "language": "ozfig.prepare.texts:language",
        "boilerplate": "ozfig.prepare.texts:boilerplate",
        "encoding": "ozfig.prepare.texts:encoding",
        "personal": "ozfig.prepare.personal:personal",
        "refusal": "ozfig.prepare.texts:refusal",
        "quoting": "ozfig.prepare.texts:quoting",
    },
    "metric": {
        "exact_match": "ozfig.evaluate.scorers:exact_match",
        "token_f1": "ozfig.evaluate.scorers:token_f1",
        "squad_v2": "ozfig.evaluate.scorers:squad_v2",
        "answer_words": "ozfig.evaluate.scorers:answer_words",
        "bertscore": "ozfig.evaluate.scorers:bertscore",
        "bleu4": "ozfig.evaluate.scorers:bleu4",
        "rouge_l": "ozfig.evaluate.scorers:rouge_l",
        "chrf": "ozfig.evaluate.scorers:chrf",
        "perplexity": "ozfig.evaluate.perplexity:answer_perplexity",
    },
}

# top-level modules of optional parts, and the extra that brings each
EXTRAS = {
    "torch": "tune",
    "transformers": "tune",
    "peft": "tune",
    "sentencepiece": "tune",
    "gguf": "tune",
    "safetensors": "tune",
    "accelerate": "tune",
    "convert_hf_to_gguf": "tune",
    "xllamacpp": "serve",
    "fastapi": "serve",
    "uvicorn": "serve",
    "sqlalchemy": "serve",
    "alembic": "serve",
    "psycopg": "postgres",
    "markdown_it": "serve",
    "playwright": "render",
    "pdfplumber": "documents",
    "mammoth": "documents",
    "pptx": "documents",
    "datasets": "hub",
    "ddgs": "search",
    "faster_whisper": "voice",
    "prometheus_client": "serve",
    "pyarrow": "hub",
    "lm_eval": "tasks",
}


def known(group: str, name: str) -> str:
    """Where a plug-in's code is, without loading it. Raises UserError with the nearest known name."""
    rows = PLUGINS[group]
    if name not in rows:
        near = difflib.get_close_matches(name, rows, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(rows))}"
        raise UserError(f"{group} {name!r}: unknown; {hint}")
    return rows[name]


def find(group: str, name: str) -> Any:
    """The object that a plug-in's name stands for. Raises UserError, or MissingExtra when its part is not installed."""
    module, _, attribute = known(group, name).partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing in EXTRAS:
            raise MissingExtra(f"{group} {name}", EXTRAS[missing]) from None
        raise
