"""Acknowledged answers are stored answers, however often the server is killed."""

from __future__ import annotations

from pathlib import Path

from benchmarks.reader_study import killed, lost, study_of_maps
from vesalius.readers.answers.store import Store


def test_no_acknowledged_answer_is_lost_when_the_server_is_killed(
    tmp_path: Path, database: str
) -> None:
    (tmp_path / "study").mkdir()
    study = study_of_maps(tmp_path / "study", items=40, readers=4)
    heard = killed(study, kills=3, database=database)
    store = Store.at(study, database)
    assert heard.met and len(heard.acknowledged) == 160 and not lost(heard, store)
    assert len(store.every()) == 160  # nothing twice, for keys tell what was sent again
    key = next(iter(heard.acknowledged))
    heard.acknowledged[key] = {"usefulness_1": -1}
    assert lost(heard, store) == [key]  # a change would be seen
