"""Who may see and answer what, and that no answer is lost, doubled or believed unchecked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from conftest import Making  # type: ignore[import-not-found]
from fastapi.testclient import TestClient

from vesalius.readers.answers.store import Answer, Store, now
from vesalius.readers.serving import app as serving
from vesalius.readers.serving.app import create_app
from vesalius.readers.study import Study
from vesalius.serving.limits import LARGEST_BODY

SITTING = "sitting-one"
SAID = {"usefulness_1": 3, "usefulness_2": 0}


def _head(study: Study, reader: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {study.tokens()[reader]}"}


def _sent(key: str, content: dict[str, Any], sitting: str = SITTING) -> dict[str, Any]:
    return {"key": f"key-{key:0>8}", "sitting": sitting, "seconds": 1.5, "content": content}


@pytest.fixture
def study(make: Making) -> Study:
    found: Study = make("saliency")
    return found


@pytest.fixture
def client(study: Study) -> Iterator[TestClient]:
    with TestClient(create_app(study, Store.at(study))) as found:
        yield found


def test_without_a_link_or_with_a_wrong_one_nothing_is_told(
    study: Study, client: TestClient
) -> None:
    wrong = ["", "Bearer ", "Bearer x", f"Bearer {study.outline.readers[0]}",
             study.tokens()[0], f"Basic {study.tokens()[0]}"]  # fmt: skip
    for path in ("/api/study", "/api/progress", "/api/steps/0", "/api/steps/0/abc"):
        assert client.get(path).status_code == 401
        for given in wrong:
            assert client.get(path, headers={"Authorization": given}).status_code == 401
    assert client.post("/api/steps/0", json=_sent("1", SAID)).status_code == 401
    assert Store.at(study).every() == []


def test_another_readers_link_opens_only_their_own(study: Study, client: TestClient) -> None:
    assert client.post("/api/steps/0", json=_sent("1", SAID), headers=_head(study, 0)).json()[
        "stored"
    ]
    assert client.get("/api/progress", headers=_head(study, 1)).json()["answered"] == []
    pictures = client.get("/api/steps/1", headers=_head(study, 0)).json()["pictures"]
    names = {one["name"] for one in pictures}
    assert all(
        client.get(f"/api/steps/1/{name}", headers=_head(study, 0)).status_code == 200
        for name in names
    )
    assert client.get("/api/steps/1", headers=_head(study, 1)).status_code == 403
    for name in names:
        assert client.get(f"/api/steps/1/{name}", headers=_head(study, 1)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/steps/0/../../private/key.json", "/api/steps/0/..%2f..%2fprivate%2fkey.json",
        "/private/key.json", "/../private/links.csv", "/%2e%2e/study.json", "/study.json",
        "/stimuli/", "/answers.sqlite", "/api/steps/-1", "/api/steps/99", "/api/steps/x",
        "/docs", "/openapi.json",
    ],
)  # fmt: skip
def test_no_path_leads_to_files(study: Study, client: TestClient, path: str) -> None:
    found = client.get(path, headers=_head(study, 0))
    assert found.status_code in (403, 404, 422)
    assert b"truth" not in found.content and b"token" not in found.content


def test_large_and_malformed_bodies_are_refused(study: Study, client: TestClient) -> None:
    head = _head(study, 0)
    large = b"x" * (LARGEST_BODY + 1)
    assert client.post("/api/steps/0", content=large, headers=head).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(3 * LARGEST_BODY // 1024):
            yield b"y" * 1024

    assert client.post("/api/steps/0", content=pieces(), headers=head).status_code == 413
    good = _sent("1", SAID)
    for body in (
        b"", b"{", b"[]", b"null", b"[" * 30_000, b"nul\x00", b"\xff\xfe",
    ):  # fmt: skip
        assert client.post("/api/steps/0", content=body, headers=head).status_code == 422
    for wrong in (
        good | {"content": {}}, good | {"content": SAID | {"usefulness_1": 9}},
        good | {"content": SAID | {"usefulness_1": "3"}}, good | {"content": SAID | {"more": 1}},
        good | {"content": SAID | {"comment": "x" * 2001}}, good | {"seconds": -1},
        good | {"seconds": "NaN"}, good | {"key": "short"}, good | {"key": "a b c d e f g h"},
        good | {"reader": 1}, {"key": "key-00000001"},
    ):  # fmt: skip
        assert client.post("/api/steps/0", json=wrong, headers=head).status_code == 422
    assert Store.at(study).every() == []


def test_an_answer_sent_twice_is_kept_once(study: Study, client: TestClient) -> None:
    head = _head(study, 0)
    for _ in range(3):
        found = client.post("/api/steps/0", json=_sent("1", SAID), headers=head)
        assert found.status_code == 200 and found.json()["next"] == 1
    assert [one.content for one in Store.at(study).every()] == [SAID]
    other = _sent("1", SAID | {"usefulness_1": 5})  # the key of another answer
    assert client.post("/api/steps/0", json=other, headers=head).status_code == 409
    assert client.post("/api/steps/1", json=_sent("1", SAID), headers=head).status_code == 409
    assert [one.content for one in Store.at(study).every()] == [SAID]


def test_answers_change_within_a_sitting_and_not_later(study: Study, client: TestClient) -> None:
    head = _head(study, 0)
    assert client.post("/api/steps/1", json=_sent("0", SAID), headers=head).status_code == 409
    other = SAID | {"usefulness_1": 5, "comment": "<script>alert(1)</script>"}
    for key, said in (("1", SAID), ("2", other)):
        assert client.post("/api/steps/0", json=_sent(key, said), headers=head).status_code == 200
    again = client.get(f"/api/steps/0?sitting={SITTING}", headers=head).json()
    assert again["open"] and again["content"] == other
    later = client.get("/api/steps/0?sitting=another-one", headers=head).json()
    assert not later["open"] and later["content"] == other
    late = _sent("3", SAID, "another-one")
    assert client.post("/api/steps/0", json=late, headers=head).status_code == 409
    assert len(Store.at(study).every()) == 2


def test_a_reader_goes_on_where_they_stopped_with_another_server(study: Study) -> None:
    for step in range(3):
        with TestClient(create_app(study, Store.at(study))) as client:
            come = client.get("/api/progress", headers=_head(study, 2)).json()
            assert come["next"] == step
            client.post(f"/api/steps/{step}", json=_sent(str(step), SAID), headers=_head(study, 2))


def test_headers_keep_pages_to_themselves(client: TestClient) -> None:
    for path in ("/", "/reader.js", "/reader.css", "/niivue.js"):
        found = client.get(path)
        assert found.status_code == 200 and "no-store" in found.headers["cache-control"]
        policy = found.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "http" not in policy
        assert "//" not in path and b"https://cdn" not in found.content


def test_the_second_session_waits_for_the_washout(
    make: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make("diagnosis")
    store = Store.at(study)
    steps = study.steps(0)
    first = [number for number, step in enumerate(steps) if step.session == 1]
    said = {"decision": "yes", "confidence": 2}
    for number in first:
        store.add(Answer(0, number, SITTING, f"key-{number}", said, 1.0, now()))
    with TestClient(create_app(study, store)) as client:
        come = client.get("/api/progress", headers=_head(study, 0)).json()
        assert come["next"] == len(first) and come["opens"] is not None
        path = f"/api/steps/{len(first)}"
        assert client.get(path, headers=_head(study, 0)).status_code == 403
        sent = _sent("99", said)
        assert client.post(path, json=sent, headers=_head(study, 0)).status_code == 409
        later = now() + timedelta(days=28, minutes=1)
        monkeypatch.setattr(serving, "now", lambda: later)
        assert client.get(path, headers=_head(study, 0)).status_code == 200
        assert client.post(path, json=sent, headers=_head(study, 0)).status_code == 200


def test_the_aid_is_told_only_where_it_is_to_be_seen(make: Making) -> None:
    study = make("diagnosis")
    store = Store.at(study)
    seen = set()
    with TestClient(create_app(study, store)) as client:
        for number, step in enumerate(study.steps(0)):
            if step.session == 2:
                break
            reported = client.get(f"/api/steps/{number}", headers=_head(study, 0)).json()
            roles = [one["role"] for one in reported["pictures"]]
            assert roles == (["image", "aid"] if step.aided else ["image"])
            for stimulus in study.outline.items[step.item]:
                path = f"/api/steps/{number}/{stimulus.name}"
                open_ = stimulus.role == "image" or step.aided
                code = client.get(path, headers=_head(study, 0)).status_code
                assert code == (200 if open_ else 404)
            seen.add(step.aided)
            said = {"decision": "no", "confidence": 1}
            client.post(f"/api/steps/{number}", json=_sent(str(number), said),
                        headers=_head(study, 0))  # fmt: skip
    assert seen == {False, True}
