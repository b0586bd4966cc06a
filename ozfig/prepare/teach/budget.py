"""What a teacher may cost: estimated before it is asked, counted while it answers."""

from __future__ import annotations

from collections.abc import Sequence

from ozfig.engines.openai import Reply
from ozfig.errors import UserError
from ozfig.prepare.teach.teachers import Prompt
from ozfig.recipe import TeacherPairs

TOKENS_PER_PAIR = 70  # question, answer and the JSON around them


class Budget:
    """Tokens read and written, with what they cost, against the caps of the recipe."""

    def __init__(self, section: TeacherPairs) -> None:
        self._section = section
        self.tokens_in = self.tokens_out = 0

    def count(self, reply: Reply) -> None:
        """Add a reply."""
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out

    @property
    def cost(self) -> float:
        """What the replies so far cost, in the unit of the prices."""
        return self._cost(self.tokens_in, self.tokens_out)

    @property
    def told(self) -> str:
        """The count so far, in words."""
        return f"{self.tokens_in + self.tokens_out:,} tokens" + (f" costing {self.cost:.2f}" if self.cost else "")

    @property
    def is_spent(self) -> bool:
        """Whether a cap is reached: nothing more should be asked."""
        tokens, cost = self._section.max_total_tokens, self._section.max_cost
        over = tokens is not None and self.tokens_in + self.tokens_out >= tokens
        # a cap of nothing at no price stops nothing
        return over or (cost is not None and self.cost >= cost and self.cost > 0)

    def estimate(self, prompts: Sequence[Prompt]) -> str:
        """In words what asking `prompts` takes. Raises UserError when it is above a cap."""
        section, n = self._section, len(prompts)
        read = sum(prompt.tokens for prompt in prompts)
        write = n * min(section.max_tokens, section.pairs * TOKENS_PER_PAIR)
        cost = self._cost(read, write)
        needed = f"about {read:,} tokens in, {write:,} out"
        if cost:
            needed += f", cost {cost:.2f}"
        caps = {
            "max_total_tokens": (section.max_total_tokens, read + write),
            "max_cost": (section.max_cost, cost),
        }
        for name, (cap, need) in caps.items():
            if cap is not None and need > cap:
                raise UserError(
                    f"prepare.pairs: the teacher needs {needed}, above {name}: {cap:g}; raise it, or set "
                    f"max_passages to {max(1, int(n * cap / need))}"
                )
        return needed

    def _cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self._section.price_in + tokens_out * self._section.price_out) / 1e6
