"""Answers in SQLite and PostgreSQL: in order, once, and those of each study alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, text

from vesalius.readers.answers import store as storing
from vesalius.readers.answers.store import Answer, Store, now
from vesalius.scans.fault import Refused

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
    with pytest.raises(Refused, match="holds 1 answers that name no study"):
        Store(database, "other")
    first = Store(database, "first", own=True)
    assert [one.key for one in first.every()] == ["old"] and Store(database, "other").every() == []
    assert first.add(_answer("new")) and not first.add(_answer("old"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert "study" not in {one["name"] for one in inspect(connection).get_columns("answers")}
    assert [one.key for one in Store(database, "first", own=True).every()] == ["old", "new"]
