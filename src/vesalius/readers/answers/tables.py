"""The one table of answers: rows are only ever added."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, Float, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Of all tables."""


class AnswerRow(Base):
    """What a reader said of one case, once; a change of mind is another row.

    Attributes:
        study: `Study.identity`; one database may hold several.
        reader: number, from 0.
        step: number of the case in the reader's order, from 0.
        sitting: from opening the page to closing it; answers can be changed within one.
        key: by which the page knows this answer; sent twice, it is kept once.
        content: answers by question, as JSON.
        seconds: looked at, pauses left out.
        received: when it was stored, or when a page without a server says that it was given.
        source: `server` or `file`; empty from before they were told apart.
        doubt: why the order or the washout it was given in cannot be vouched for; empty if nothing
            speaks against it.
    """

    __tablename__ = "answers"
    __table_args__ = (UniqueConstraint("study", "reader", "key", name="one_answer_a_key"),)

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    study: Mapped[str] = mapped_column(String(16), index=True)
    reader: Mapped[int] = mapped_column(Integer, index=True)
    step: Mapped[int] = mapped_column(Integer)
    sitting: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(64))
    content: Mapped[str] = mapped_column(Text)
    seconds: Mapped[float] = mapped_column(Float)
    received: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    source: Mapped[str] = mapped_column(String(8), server_default="")
    doubt: Mapped[str] = mapped_column(Text, server_default="")
