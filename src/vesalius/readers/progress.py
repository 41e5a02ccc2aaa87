"""How far a reader has come, and what may be seen and answered now.

A session is closed once its last answer is in: from then on none of its cases, aids and answers can
be seen or changed, so that the washout is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from vesalius.readers.answers.store import Answer
from vesalius.readers.orders import Step


@dataclass(frozen=True)
class ReaderProgress:
    """A reader's order with what has been answered.

    Attributes:
        steps: in order.
        answers: all, first to last.
        washout: between both sessions.
    """

    steps: Sequence[Step]
    answers: Sequence[Answer]
    washout: timedelta

    @property
    def answered(self) -> dict[int, Answer]:
        """The last answer to each step."""
        return {answer.step: answer for answer in self.answers}

    @property
    def next_step(self) -> int | None:
        """The first step without an answer; none when all are answered."""
        done = self.answered
        return next((number for number in range(len(self.steps)) if number not in done), None)

    @property
    def session(self) -> int | None:
        """The session that is open, or that opens next; none when all are closed."""
        following = self.next_step
        return None if following is None else self.steps[following].session

    @property
    def first_step(self) -> int | None:
        """The first step of that session."""
        own = self.session
        return next((n for n, step in enumerate(self.steps) if step.session == own), None)

    def closes(self, step: int) -> bool:
        """Whether the answer to a step is the one that closes its session."""
        own = self.steps[step].session
        rest = [n for n, one in enumerate(self.steps) if one.session == own and n != step]
        return step not in self.answered and all(n in self.answered for n in rest)

    def opens(self, step: int) -> datetime | None:
        """When a step of the second session may be seen; none for those of the first."""
        if self.steps[step].session == 1:
            return None
        ends = [one.received for one in self.answers if self.steps[one.step].session == 1]
        return max(ends) + self.washout if ends else None

    def may_see(self, step: int, now: datetime) -> bool:
        """Whether a step was reached in the session that is open, the washout before it over."""
        reached = self.next_step
        if reached is None or not 0 <= step <= reached:
            return False
        if self.steps[step].session != self.session:
            return False
        opens = self.opens(step)
        return opens is None or now >= opens

    def may_answer(self, step: int, sitting: str, now: datetime) -> bool:
        """The next step, or one that was first answered in the same sitting."""
        if not self.may_see(step, now):
            return False
        before = [answer for answer in self.answers if answer.step == step]
        return not before or before[0].sitting == sitting
