"""What pages are told: nothing that gives away what an item is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from vesalius.readers.orders import Step
from vesalius.readers.progress import ReaderProgress
from vesalius.readers.study import Study


def outline_entries(study: Study, steps: Sequence[Step]) -> dict[str, Any]:
    """The study as a page needs it."""
    outline = study.outline
    return {
        "design": outline.design, "title": outline.title, "language": outline.language,
        "windows": [one.model_dump() for one in outline.windows], "span": outline.span,
        "questions": [one.model_dump() for one in outline.questions],
        "practice": sum(step.kind == "practice" for step in steps),
        "steps": len(steps), "sessions": max((step.session for step in steps), default=1),
    }  # fmt: skip


def progress_entries(own: ReaderProgress, now: datetime) -> dict[str, Any]:
    """How far a reader has come, and when it goes on."""
    following = own.next_step
    opens = None if following is None else own.opens(following)
    waits = opens is not None and now < opens
    return {
        "answered": sorted(own.answered), "next": following, "steps": len(own.steps),
        "first": own.first_step, "session": own.session,
        "opens": opens.isoformat() if opens is not None and waits else None,
    }  # fmt: skip


def step_entries(
    study: Study, own: ReaderProgress, step: int, open_for_answers: bool
) -> dict[str, Any]:
    """One step: its pictures, and what was answered before."""
    at = own.steps[step]
    before = own.answered.get(step)
    return {
        "step": step, "practice": at.kind == "practice", "session": at.session,
        "aided": at.aided, "open": open_for_answers, "closes": own.closes(step),
        "pictures": [
            {"name": one.name, "ending": one.ending, "role": one.role, "flat": one.flat}
            for one in study.shown(at)
        ],
        "content": before.content if before else None,
    }  # fmt: skip
