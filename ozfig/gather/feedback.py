"""What people thought of answers in the chat, as examples to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ozfig.gather import Gathered, SourceContext
from ozfig.recipe import Feedback
from ozfig.store.database import Store
from ozfig.store.models import Feedback as Verdict
from ozfig.store.models import Message as Stored
from ozfig.types import Example, Message, Preference

ORIGIN = MAKER = "feedback"


def gather(section: Feedback, context: SourceContext) -> Gathered:
    """The registry's source `feedback`. Raises what opening the database raises.

    A corrected answer is an example in its better words, a liked one as it stands. A correction is preferred to
    what it corrects, a preferred answer to the others beside it.
    """
    store = Store.open(section.database)
    try:
        judged = [(list(map(_message, before)), answer, others) for before, answer, others in store.judged()]
    finally:
        store.close()
    counts: Counter[str] = Counter()
    found = Gathered(ORIGIN, looked_at=f"the feedback on {len(judged)} answers")
    found.examples = [e for row in judged if (e := _example(*row[:2], section, counts))]
    found.preferences = [p for row in judged for p in _preferences(*row)]
    found.counts = {**counts, "preferences": len(found.preferences)}
    return found


def _message(row: Stored) -> Message:
    return Message(row.role, row.content)  # type: ignore[arg-type]


def _verdict(answer: Stored) -> Verdict:
    """What is thought of an answer that was judged."""
    assert answer.feedback is not None
    return answer.feedback


def _example(before: Sequence[Message], answer: Stored, section: Feedback, counts: Counter[str]) -> Example | None:
    """The example that an answer gives, counted by why; None for one that was only disliked, or cut off."""
    verdict = _verdict(answer)
    better = verdict.correction.strip()
    liked = (verdict.rating > 0 or verdict.preferred) and answer.status == "complete"
    kind = "corrected" if better else "liked" if liked else "disliked"
    counts[kind] += 1
    if kind not in section.take or not before:
        return None
    shown = "\n\n".join(text for source in answer.sources if (text := str(source.get("text") or "")))
    turns = [*before, Message("assistant", better or answer.content)]
    return Example.make(turns, context=shown, source=answer.conversation_id, origin=ORIGIN, maker=MAKER)


def _preferences(before: list[Message], answer: Stored, others: Sequence[Stored]) -> Iterator[Preference]:
    """What is preferred to what."""
    verdict = _verdict(answer)
    better = verdict.correction.strip()
    if better and better != answer.content:
        yield Preference.make(before, better, answer.content, ORIGIN)
    for other in others if verdict.preferred else ():
        if other.status == "complete" and other.content != (better or answer.content):
            yield Preference.make(before, better or answer.content, other.content, ORIGIN)
