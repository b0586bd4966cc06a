"""The order of the stages; what is done is skipped. The only package that knows two stages."""

from ozfig.pipeline.checks import check
from ozfig.pipeline.execution import execute, pretrain, shown_tokens
from ozfig.pipeline.serving import served
from ozfig.pipeline.stale import plan

__all__ = ["check", "execute", "plan", "pretrain", "served", "shown_tokens"]
