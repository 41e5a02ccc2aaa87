"""Requests without end, dropped connections, and what browsers are told of TLS."""

from __future__ import annotations

import asyncio
from typing import Any

from conftest import Making  # type: ignore[import-not-found]
from fastapi.testclient import TestClient

from vesalius.readers.answers.store import Store
from vesalius.readers.serving.app import create_app
from vesalius.serving.limits import RequestLimit


def test_a_link_that_asks_without_end_waits_and_others_do_not(make: Making) -> None:
    study = make("saliency")
    limit = RequestLimit(a_second=0.001, at_once=5)
    with TestClient(create_app(study, Store.at(study), limit=limit)) as client:
        one, two = ({"Authorization": f"Bearer {token}"} for token in study.tokens()[:2])
        codes = [client.get("/api/progress", headers=one).status_code for _ in range(8)]
        assert codes == [200] * 5 + [429] * 3
        assert int(client.get("/api/study", headers=one).headers["retry-after"]) > 0
        assert client.get("/api/progress", headers=two).status_code == 200
        guesses = [client.get("/api/progress", headers={"Authorization": f"Bearer {guess}"})
                   for guess in "abcdefgh"]  # fmt: skip
        assert [found.status_code for found in guesses] == [401] * 5 + [429] * 3


def test_browsers_are_told_to_keep_to_tls_where_there_is_tls(make: Making) -> None:
    study = make("saliency")
    for secure in (False, True):
        with TestClient(create_app(study, Store.at(study), secure)) as client:
            assert ("strict-transport-security" in client.get("/").headers) == secure


def test_a_connection_that_is_dropped_while_it_sends_is_no_error(make: Making) -> None:
    study = make("saliency")
    app, store = create_app(study, Store.at(study)), Store.at(study)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    head = [(b"authorization", f"Bearer {study.tokens()[0]}".encode())]
    scope = {
        "type": "http", "method": "POST", "path": "/api/steps/0", "headers": head,
        "query_string": b"", "http_version": "1.1", "scheme": "http", "client": ("::1", 1),
        "server": ("::1", 2), "root_path": "", "raw_path": b"/api/steps/0",
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert store.every() == []


def test_text_that_no_file_can_keep_is_refused_and_all_other_text_is_kept(make: Making) -> None:
    study = make("saliency")
    store = Store.at(study)
    with TestClient(create_app(study, store)) as client:
        head = {"Authorization": f"Bearer {study.tokens()[0]}"}
        sent = {"key": "key-of-one", "sitting": "sitting-one", "seconds": 1.0}
        said = {"usefulness_1": 1, "usefulness_2": 1}
        half = b'{"key":"key-of-half","sitting":"sitting-one","seconds":1.0,"content":' + (
            b'{"usefulness_1":1,"usefulness_2":1,"comment":"\\ud83d"}}'
        )
        assert client.post("/api/steps/0", content=half, headers=head).status_code == 422
        comment = "\x00 \x1b[2J 🦴 \u202e \u2028 ' \" <b>"
        whole = sent | {"content": said | {"comment": comment}}
        assert client.post("/api/steps/0", json=whole, headers=head).status_code == 200
    assert store.every()[0].content["comment"] == comment
