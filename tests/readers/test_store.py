"""Answers in SQLite and PostgreSQL: in order, once, and those of each study alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, inspect, text

from vesalius.readers.answers import store as storing
from vesalius.readers.answers.store import Answer, Store, now
from vesalius.scans.input_error import InputError

MIGRATIONS = Path(storing.__file__).parent / "migrations"


def _answer(key: str, reader: int = 0) -> Answer:
    return Answer(reader, 3, "sitting-1", key, {"comment": f"ü {key}"}, 1.5, now())


def test_answers_come_back_as_they_were_given_and_once(database: str) -> None:
    store, given = Store(database, "one"), [_answer("second"), _answer("first"), _answer("x", 1)]
    assert [store.add(one) for one in (*given, given[0])] == [True, True, True, False]
    assert Store(database, "one").every() == given and store.of(1) == given[2:]


def test_studies_in_one_database_do_not_see_each_other(database: str) -> None:
    one, two = Store(database, "one"), Store(database, "two")
    assert one.add(_answer("same")) and two.every() == []
    assert two.add(_answer("same")) and len(one.every()) == 1


def test_answers_of_a_database_of_one_study_are_kept(database: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(storing.address(database))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text(
            "INSERT INTO answers (reader, step, sitting, key, content, seconds, received) "
            "VALUES (0, 3, 's', 'old', '{}', 1, '2026-11-01 00:00:00')"
        ))  # fmt: skip
    with pytest.raises(InputError, match="holds 1 answers that name no study"):
        Store(database, "other")
    first = Store(database, "first", own=True)
    assert [one.key for one in first.every()] == ["old"] and Store(database, "other").every() == []
    assert first.add(_answer("new")) and not first.add(_answer("old"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert "study" not in {one["name"] for one in inspect(connection).get_columns("answers")}
    assert [one.key for one in Store(database, "first", own=True).every()] == ["old", "new"]


def _old(database: str) -> None:
    """A database of the first version with answers in it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(storing.address(database))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for number in range(5):
            connection.execute(text(
                "INSERT INTO answers (reader, step, sitting, key, content, seconds, received) "
                f"VALUES (0, {number}, 's', 'old-{number}', '{{}}', 1, '2026-11-01 00:00:00')"
            ))  # fmt: skip
    engine.dispose()


def _killed_at(database: str, statement: int) -> bool:
    """Open a database in a process that is killed at a statement; whether it got there."""
    child = os.fork()
    if child == 0:
        count = 0

        def die(*_: object) -> None:
            nonlocal count
            count += 1
            if count == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "before_cursor_execute", die)
        try:
            Store(database, "first", own=True)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_migration_killed_at_any_statement_goes_on_at_the_next_start(database: str) -> None:
    _old(database)
    statement = 1
    while _killed_at(database, statement):
        statement += 2 if statement > 6 else 1
    assert statement > 10  # it was killed in the midst of changing tables
    store = Store(database, "first", own=True)
    assert [one.key for one in store.every()] == [f"old-{number}" for number in range(5)]
    assert store.add(_answer("new"))


@pytest.mark.parametrize("dropped", [False, True])
def test_what_an_older_version_left_half_way_is_taken_up(tmp_path: Path, dropped: bool) -> None:
    database = f"sqlite:///{tmp_path / 'answers.sqlite'}"
    _old(database)
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(text(
            "CREATE TABLE _alembic_tmp_answers (number INTEGER PRIMARY KEY, reader INTEGER, "
            "step INTEGER, sitting TEXT, key TEXT, content TEXT, seconds FLOAT, received DATETIME, "
            "study VARCHAR(16) DEFAULT '' NOT NULL, "
            "CONSTRAINT one_answer_a_key UNIQUE (study, reader, key))"
        ))  # fmt: skip
        if dropped:
            columns = "number, reader, step, sitting, key, content, seconds, received"
            connection.execute(text(
                f"INSERT INTO _alembic_tmp_answers ({columns}) SELECT {columns} FROM answers"
            ))  # fmt: skip
            connection.execute(text("DROP TABLE answers"))
    engine.dispose()
    store = Store(database, "first", own=True)
    assert len(store.every()) == 5 and store.add(_answer("new"))


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    store = Store(f"sqlite:///{path}", "one")
    for number in range(200):
        store.add(_answer(f"key-{number}"))
    store.engine.dispose()
    whole = bytearray(path.read_bytes())
    for place in range(4096, len(whole), 300):
        whole[place] ^= 0xFF
    path.write_bytes(bytes(whole))
    with pytest.raises(InputError):
        Store(f"sqlite:///{path}", "one").every()


def test_an_address_that_is_none_is_refused() -> None:
    for address in ("postgresql://user@host:port/name", "nothing", "oracle://x", "sqlite:////no/x"):
        with pytest.raises(InputError):
            Store(address, "one")
