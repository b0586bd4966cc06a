"""What to ask for next, and which pages count: a walk over what is known so far, breadth first.

The walk is a function of the answers alone, never of the order in which they came. It is walked again and again
while the crawl goes on, each time to see what is missing, and once at the end to see what counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ozfig.gather.places import Places
from ozfig.web.extract import Page
from ozfig.web.fetch import HOPS

SMALLEST_SHARE, SHARE = 50, 4


@dataclass
class Known:
    """What an address turned out to be: a page with its links, a redirect to `target`, or neither (`reason`).

    `is_shell` marks a page whose text only a browser would show, where there was none.
    """

    state: str
    page: Page | None = None
    links: frozenset[str] = frozenset()
    target: str = ""
    reason: str = ""
    is_shell: bool = False


@dataclass
class Plan:
    """`kept` are the pages that count, in the order of the walk; `ask` the addresses that are missing.

    `others` are the addresses met that gave no page, `capped` how many of each shape were passed over,
    `is_cut` whether the limit of pages was reached with more to come.
    """

    kept: list[str] = field(default_factory=list)
    ask: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    capped: Counter[str] = field(default_factory=Counter)
    is_cut: bool = False


@dataclass
class Walk:
    """The rules of the walk. `starts` and `listed` are what the recipe and the sitemaps name.

    Addresses of one shape (a calendar's months, say) may be a quarter of `max_pages`, but at least 50;
    what the recipe or a sitemap names is not counted.
    """

    places: Places
    max_pages: int
    depth: int
    starts: Iterable[str]
    listed: frozenset[str] = frozenset()

    def plan(self, known: Mapping[str, Known]) -> Plan:
        """Walk depth by depth, within each in the order of the addresses, until `max_pages` are found or missing.

        Where a limit is in sight, only the first depth that is not complete is asked for: what it holds
        decides which of the deeper ones count.
        """
        plan = Plan()
        seen: set[str] = set()
        shapes: Counter[str] = Counter()
        level = set(self.starts)
        asked_by_depth: list[int] = []
        for depth in range(max(self.depth, 1) + 1):
            level |= self.listed if depth == 1 else set()
            following: set[str] = set()
            for url in sorted(_with_targets(level - seen, known) - seen):
                seen.add(url)
                if not self.places.allows(url) and url not in self.places.named:
                    continue
                if not self._has_room(url, shapes, plan):
                    continue
                if len(plan.kept) + len(plan.ask) >= self.max_pages:
                    plan.is_cut = True
                    break
                self._place(url, known.get(url), plan, following)
            asked_by_depth.append(len(plan.ask))
            if plan.is_cut or (depth >= self.depth and (depth or not self.listed)):
                break
            level = following if depth < self.depth else set()
        if plan.is_cut or plan.capped:
            plan.ask = plan.ask[: next((n for n in asked_by_depth if n), 0)]
        return plan

    def _place(self, url: str, one: Known | None, plan: Plan, following: set[str]) -> None:
        """Put one address where it belongs."""
        if one is None:
            plan.ask.append(url)
        elif one.state == "page":
            following |= one.links
            if self.places.wanted(url):
                plan.kept.append(url)
        else:
            plan.others.append(url)

    def _has_room(self, url: str, shapes: Counter[str], plan: Plan) -> bool:
        """Whether the walk has not met too many addresses of this one's shape."""
        shape = self.places.shape(url)
        if not shape or url in self.listed or url in self.places.named:
            return True
        shapes[shape] += 1
        if shapes[shape] <= self.most_of_a_shape:
            return True
        plan.capped[shape] += 1
        return False

    @property
    def most_of_a_shape(self) -> int:
        """How many addresses of one shape are asked for."""
        return max(SMALLEST_SHARE, self.max_pages // SHARE)


def _with_targets(level: set[str], known: Mapping[str, Known]) -> set[str]:
    """The addresses of a depth and where they redirect to, so far as that is known."""
    hops = dict.fromkeys(level, 0)
    queue = sorted(level)
    for url in queue:
        one = known.get(url)
        if one and one.target and one.target not in hops and hops[url] < HOPS:
            hops[one.target] = hops[url] + 1
            queue.append(one.target)
    return set(hops)


def redirect_problem(url: str, known: Mapping[str, Known]) -> str:
    """Why a redirect leads to no page; "" when it does, or leaves the site."""
    met = [url]
    while (one := known.get(met[-1])) and one.target:
        if one.target in met:
            return "redirects in a circle"
        if len(met) > HOPS:
            return f"more than {HOPS} redirects in a row"
        met.append(one.target)
    return ""
