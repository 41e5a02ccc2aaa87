"""How far a reader has come, and what may be seen and answered now."""

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

    def opens(self, step: int) -> datetime | None:
        """When a step of the second session may be seen; none for those of the first."""
        if self.steps[step].session == 1:
            return None
        ends = [one.received for one in self.answers if self.steps[one.step].session == 1]
        return max(ends) + self.washout if ends else None

    def may_see(self, step: int, now: datetime) -> bool:
        """Whether a step was reached, and the washout before it is over."""
        reached = self.next_step
        if not 0 <= step < len(self.steps) or (reached is not None and step > reached):
            return False
        opens = self.opens(step)
        return opens is None or now >= opens

    def may_answer(self, step: int, sitting: str, now: datetime) -> bool:
        """The next step, or one that was first answered in the same sitting."""
        if not self.may_see(step, now):
            return False
        before = [answer for answer in self.answers if answer.step == step]
        return not before or before[0].sitting == sitting
