"""What a reader is asked of a case, by design: one list for page, server and statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from vesalius.readers.design import Design, DiagnosisDesign, RealismDesign
from vesalius.training.recipe import Settings

LONGEST_COMMENT = 2000
COMMENT = "comment"
Content = dict[str, Any]


class Question(Settings):
    """One question.

    Attributes:
        name: under which the answer is kept; its words are in the page's dictionary.
        kind: a choice between words, or a scale of whole numbers.
        options: of a choice.
        low, high: ends of a scale.
        slot: which of the pictures shown is meant, from 0; none means the case.
        words: of the question in each language, where the design tells them.
    """

    name: str
    kind: Literal["choice", "scale"]
    options: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    slot: int | None = None
    words: dict[str, str] = Field(default_factory=dict)

    def accepts(self, answer: object) -> bool:
        """Whether an answer is one of this question.

        >>> scale = Question(name="anatomy", kind="scale", low=1, high=5)
        >>> [scale.accepts(one) for one in (1, 5, 0, 6, "3", True, None)]
        [True, True, False, False, False, False, False]
        """
        if self.kind == "choice":
            return isinstance(answer, str) and answer in self.options
        return type(answer) is int and self.low <= answer <= self.high


def questions_of(design: Design, flat: bool = False) -> tuple[Question, ...]:
    """The questions of a design.

    Args:
        design: of the study.
        flat: pictures have no slices whose consistency could be rated.

    >>> from vesalius.readers.design import SaliencyDesign
    >>> maps = SaliencyDesign(design="saliency", title="x", methods={"a": "a", "b": "b"})
    >>> [one.name for one in questions_of(maps)]
    ['usefulness_1', 'usefulness_2']
    """
    if isinstance(design, RealismDesign):
        rated = ("appearance", "anatomy") if flat else ("appearance", "anatomy", "consistency")
        return (
            Question(name="origin", kind="choice", options=("real", "synthetic")),
            *(Question(name=name, kind="scale", low=1, high=5) for name in rated),
        )
    if isinstance(design, DiagnosisDesign):
        words = {str(language): text for language, text in design.question.items()}
        return (
            Question(name="decision", kind="choice", options=("yes", "no"), words=words),
            Question(name="confidence", kind="scale", low=1, high=5),
        )
    return tuple(
        Question(name=f"usefulness_{slot + 1}", kind="scale", low=0, high=5, slot=slot)
        for slot in range(len(design.methods))
    )


_CONTENT: TypeAdapter[Content] = TypeAdapter(Content)


def fault_in(content: object, requested: tuple[Question, ...]) -> str:
    """What is wrong with the answers to a case, in words; empty if nothing is.

    >>> requested = (Question(name="decision", kind="choice", options=("yes", "no")),)
    >>> fault_in({"decision": "yes", "comment": "<b>clear</b>"}, requested)
    ''
    >>> fault_in({"decision": "perhaps"}, requested), fault_in({}, requested)
    ('decision: no such answer', 'decision: no answer')
    """
    try:
        given: Mapping[str, Any] = _CONTENT.validate_python(content, strict=True)
    except ValidationError:
        return "answers: not a table of names and answers"
    known = {question.name for question in requested} | {COMMENT}
    for name in given:
        if name not in known:
            return "answers: a name that was not asked for"
    for question in requested:
        if question.name not in given:
            return f"{question.name}: no answer"
        if not question.accepts(given[question.name]):
            return f"{question.name}: no such answer"
    return _fault_in_comment(given.get(COMMENT, ""))


def _fault_in_comment(comment: object) -> str:
    if not isinstance(comment, str) or len(comment) > LONGEST_COMMENT:
        return f"{COMMENT}: no text of at most {LONGEST_COMMENT} characters"
    if any("\ud800" <= letter <= "\udfff" for letter in comment):
        return f"{COMMENT}: holds half a character, which no file can keep"
    return ""
