"""Keeping answers: stored before they are acknowledged, in SQLite or PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    func,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from vesalius.readers.answers.tables import AnswerRow
from vesalius.readers.study import PRIVATE, Study
from vesalius.scans.input_error import InputError, first_line

ANSWERS, DRIVER = "answers.sqlite", "postgresql+psycopg"
WAIT_SECONDS, MIGRATING = 30, 715_003
HALFWAY = "_alembic_tmp_answers"


@dataclass(frozen=True)
class Answer:
    """What a reader said of one case, see `AnswerRow`."""

    reader: int
    step: int
    sitting: str
    key: str
    content: dict[str, Any]
    seconds: float
    received: datetime
    source: str = "server"
    doubt: str = ""


class Store:
    """Answers of one study, in a database that may hold those of others too.

    Args:
        url: of SQLAlchemy, such as `sqlite:///answers.sqlite` or `postgresql://user@host/name`.
        study: `Study.identity`.
        own: whether the database belongs to this study alone, so that answers from before several
            studies could share one are its own.

    Raises:
        InputError: for a database that cannot be opened or brought up to date, or a shared one with
            answers that name no study.
    """

    def __init__(self, url: str, study: str, own: bool = False) -> None:
        self.study = study
        try:
            self.engine = create_engine(address(url), pool_pre_ping=True)
            if self.engine.dialect.name == "sqlite":
                event.listen(self.engine, "connect", _durable)
                event.listen(self.engine, "begin", _started)
            _migrated(self.engine)
            if own:
                self._adopt()
            unnamed = self._unnamed()
        except (SQLAlchemyError, CommandError, ImportError, ValueError, OSError) as error:
            shown = _without_password(url)
            reason = first_line(error)
            raise InputError(shown, f"cannot be used ({reason})", "check the address") from error
        if unnamed:
            fault = f"holds {unnamed} answers that name no study"
            remedy = (
                f"UPDATE answers SET study = '{study}' WHERE study = '', if they are this one's"
            )
            raise InputError(_without_password(url), fault, remedy)

    @classmethod
    def at(cls, study: Study, url: str | None = None) -> Store:
        """The store of a study: its own SQLite file, or the database of an URL."""
        file = f"sqlite:///{study.folder / PRIVATE / ANSWERS}"
        return cls(url or file, study.identity, own=url is None)

    def add(self, answer: Answer) -> bool:
        """Store an answer, and return once it is on disk; whether it was not there before."""
        row = AnswerRow(
            study=self.study, reader=answer.reader, step=answer.step, sitting=answer.sitting,
            key=answer.key,
            content=json.dumps(answer.content, sort_keys=True, ensure_ascii=False),
            seconds=answer.seconds, received=answer.received, source=answer.source,
            doubt=answer.doubt,
        )  # fmt: skip
        try:
            with Session(self.engine) as session, session.begin():
                session.add(row)
        except IntegrityError:
            return False
        return True

    def of(self, reader: int) -> list[Answer]:
        """All answers of a reader, first to last."""
        return self._found(AnswerRow.reader == reader)

    def every(self) -> list[Answer]:
        """All answers, first to last."""
        return self._found()

    def _adopt(self) -> None:
        """Name the study of answers that were stored when a database held but one."""
        with self.engine.begin() as connection:
            connection.execute(
                update(AnswerRow).where(AnswerRow.study == "").values(study=self.study)
            )

    def _unnamed(self) -> int:
        with Session(self.engine) as session:
            count = select(func.count()).where(AnswerRow.study == "")
            return int(session.scalar(count) or 0)

    def _found(self, *wanted: Any) -> list[Answer]:
        own = select(AnswerRow).where(AnswerRow.study == self.study, *wanted)
        try:
            with Session(self.engine) as session:
                rows = session.scalars(own.order_by(AnswerRow.number))
                return [
                    Answer(row.reader, row.step, row.sitting, row.key, json.loads(row.content),
                           row.seconds, _aware(row.received), row.source, row.doubt)
                    for row in rows
                ]  # fmt: skip
        except (SQLAlchemyError, ValueError, TypeError, OverflowError) as error:
            shown = self.engine.url.render_as_string(hide_password=True)
            remedy = "restore it from a copy"
            raise InputError(
                shown, f"holds damaged answers ({first_line(error)})", remedy
            ) from error


def latest(answers: Sequence[Answer]) -> dict[tuple[int, int], Answer]:
    """The last answer of each reader to each step.

    >>> one, two = (Answer(0, 3, "s", key, {"origin": key}, 1.0, now()) for key in "ab")
    >>> latest([one, two])[0, 3].content
    {'origin': 'b'}
    """
    return {(answer.reader, answer.step): answer for answer in answers}


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _durable(connection: Any, _: Any) -> None:
    """SQLite writes to disk before a commit returns, and readers do not wait for writers."""
    cursor = connection.cursor()
    connection.isolation_level = None  # transactions are started by `_started`
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={WAIT_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _started(connection: Connection) -> None:
    """Begin transactions of SQLite ourselves: Python's driver would end one at each change of a
    table, and a migration would not be whole.
    """
    alone = connection.get_execution_options().get("alone", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if alone else "BEGIN")


def _migrated(engine: Engine) -> None:
    """Bring the tables up to date in one transaction: a kill at any statement undoes all of it."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.execution_options(alone=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
        _recovered(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _recovered(connection: Connection) -> None:
    """Take up what an older version left, whose migrations of SQLite could be killed half-way.

    It copied the answers into a new table, dropped the old one, and gave the new one its name.
    """
    tables = inspect(connection).get_table_names()
    if HALFWAY in tables and AnswerRow.__tablename__ in tables:
        connection.execute(text(f"DROP TABLE {HALFWAY}"))
    elif HALFWAY in tables:
        connection.execute(text(f"ALTER TABLE {HALFWAY} RENAME TO {AnswerRow.__tablename__}"))


def address(url: str) -> URL:
    """The address with the driver that comes with the extra, where none is named.

    >>> str(address("postgresql://someone@host/studies"))
    'postgresql+psycopg://someone@host/studies'
    """
    result = make_url(url)
    return result.set(drivername=DRIVER) if result.drivername == "postgresql" else result


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "database"
