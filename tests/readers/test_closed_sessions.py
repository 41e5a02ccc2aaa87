"""A session is closed once its last answer is in: nothing of it can be had by any request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from conftest import Making  # type: ignore[import-not-found]
from fastapi.testclient import TestClient

from vesalius.readers.answers.store import Answer, Store, now
from vesalius.readers.serving import app as serving
from vesalius.readers.serving.app import create_app
from vesalius.readers.study import Study

SITTING = "sitting-one"
SAID: dict[str, dict[str, Any]] = {
    "diagnosis": {"decision": "yes", "confidence": 2},
    "realism": {"origin": "real", "appearance": 1, "anatomy": 2, "consistency": 3},
    "saliency": {"usefulness_1": 3, "usefulness_2": 0},
}
LATER = timedelta(days=28, minutes=1)


def _requests(study: Study, design: str) -> Iterator[tuple[int, str, str, dict[str, Any] | None]]:
    """Every request for every step: step, method, address, body. What readers may try."""
    other = {name: 1 if type(value) is int else value for name, value in SAID[design].items()}
    for step, at in enumerate(study.steps(0)):
        path = f"/api/steps/{step}"
        for query in ("", f"?sitting={SITTING}", "?sitting=another-one", "?session=1&aided=1"):
            yield step, "GET", path + query, None
        for stimulus in study.outline.items[at.item]:  # the aid too, whether it is shown or not
            yield step, "GET", f"{path}/{stimulus.name}", None
        for number, sitting in enumerate((SITTING, "another-one")):
            sent = {"sitting": sitting, "seconds": 1.0}
            yield step, "POST", path, sent | {"key": f"fresh-{step}-{number}", "content": other}
            known = {"key": f"known-{step:04d}", "content": other}
            yield step, "POST", path, sent | known


def _answered(study: Study, store: Store, design: str, count: int) -> None:
    for step in range(count):
        store.add(Answer(0, step, SITTING, f"known-{step:04d}", SAID[design], 1.0, now()))


@pytest.fixture
def at(make: Making, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """A study of which a reader has answered some, at some time, behind its server."""
    clients: list[TestClient] = []

    def made(design: str, answered: Callable[[list[int]], int], late: bool) -> Any:
        study = make(design)
        store = Store.at(study)
        sessions = [step.session for step in study.steps(0)]
        _answered(study, store, design, answered(sessions))
        time = now() + LATER if late else now()
        monkeypatch.setattr(serving, "now", lambda: time)
        client = TestClient(create_app(study, store))
        clients.append(client.__enter__())
        client.headers["Authorization"] = f"Bearer {study.tokens()[0]}"
        return study, store, client

    yield made
    for client in clients:
        client.__exit__()


@pytest.mark.parametrize(
    ("design", "answered", "late", "open_session"),
    [
        ("diagnosis", lambda s: s.count(1), False, None),  # in the washout
        ("diagnosis", lambda s: s.count(1), True, 2),  # after it, before the first case
        ("diagnosis", lambda s: s.count(1) + 2, True, 2),  # in the midst of the second session
        ("diagnosis", len, True, None),  # after both
        ("realism", len, False, None),
        ("saliency", len, False, None),
    ],
    ids=["washout", "second-begins", "second", "both-over", "realism-over", "saliency-over"],
)
def test_no_request_opens_a_closed_session(
    at: Callable[..., Any], design: str, answered: Any, late: bool, open_session: int | None
) -> None:
    study, store, client = at(design, answered, late)
    steps = study.steps(0)
    reached = client.get("/api/progress").json()["next"]
    before = [(one.step, one.key, one.content) for one in store.every()]
    tried = 0
    for step, method, address, body in _requests(study, design):
        closed = steps[step].session != open_session or (reached is not None and step > reached)
        if not closed:
            continue
        tried += 1
        found = client.request(method, address, json=body)
        assert found.status_code in (403, 404, 409), (method, address)
        assert not any(name in found.text for name in (*SAID[design], "pictures", "content"))
    assert tried > 20
    assert [(one.step, one.key, one.content) for one in store.every()] == before
    reported = client.get("/api/progress").text + client.get("/api/study").text
    assert '"confidence":2' not in reported and "known-" not in reported


def test_what_is_open_stays_open_until_the_last_answer(at: Callable[..., Any]) -> None:
    _, _, client = at("diagnosis", lambda sessions: sessions.count(1) - 1, False)
    last = client.get("/api/progress").json()["next"]
    own = client.get(f"/api/steps/{last}").json()
    assert own["closes"] and own["session"] == 1
    for step in range(last):
        reported = client.get(f"/api/steps/{step}?sitting={SITTING}").json()
        assert (
            reported["open"] and reported["content"] == SAID["diagnosis"] and not reported["closes"]
        )
    sent = {"key": "the-last-one", "sitting": SITTING, "seconds": 1.0, "content": SAID["diagnosis"]}
    done = client.post(f"/api/steps/{last}", json=sent)
    assert done.status_code == 200 and done.json()["session"] == 2 and done.json()["opens"]
    assert client.get(f"/api/steps/{last}").status_code == 403
    again = client.post(f"/api/steps/{last}", json=sent)  # its acknowledgement was lost
    assert again.status_code == 200 and again.json()["stored"]


def test_a_shared_case_is_shown_in_session_2_without_the_aid_of_session_1(
    at: Callable[..., Any],
) -> None:
    study, _, client = at("diagnosis", lambda sessions: sessions.count(1), True)
    steps = study.steps(0)
    step = client.get("/api/progress").json()["next"]
    while steps[step].aided:
        sent = {"key": f"second-{step}", "sitting": SITTING, "seconds": 1.0,
                "content": SAID["diagnosis"]}  # fmt: skip
        assert client.post(f"/api/steps/{step}", json=sent).status_code == 200
        step += 1
    (aid,) = (one for one in study.outline.items[steps[step].item] if one.role == "aid")
    for place in range(len(steps)):
        assert client.get(f"/api/steps/{place}/{aid.name}").status_code == 404
