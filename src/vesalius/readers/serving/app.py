"""The server of a study: who reads is told by the token of a personal link, and by nothing else.

The token stands behind `#` in the link, which browsers do not send; pages send it as a header, so
no address and no log holds it. Stimuli are looked up by name among those that a reader may see now;
no path comes from a request.
"""

import json
import threading
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from vesalius.readers.answers.store import Answer, Store, now
from vesalius.readers.pages import PAGES
from vesalius.readers.progress import ReaderProgress
from vesalius.readers.questions import fault_in
from vesalius.readers.reporting import outline_entries, progress_entries, step_entries
from vesalius.readers.study import Study
from vesalius.serving.headers import SECURITY, STRICT, WithHeaders
from vesalius.serving.limits import LimitedBodies, RequestLimit
from vesalius.serving.niivue import FILE as NIIVUE

SCHEME = "Bearer "
MEDIA = {".nii": "application/octet-stream", ".png": "image/png"}
UNKNOWN = -1
"""Whom requests without a known link are counted for, all together."""


class Sent(BaseModel):
    """An answer as pages send it.

    Attributes:
        key: made by the page; the same answer sent twice has the same.
        sitting: of the page.
        seconds: looked at.
        content: answers by question.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    key: str = Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    sitting: str = Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    seconds: float = Field(ge=0, le=86_400)
    content: dict[str, Any]


class _Sittings:
    """What readers may see and answer now.

    Args:
        study: to serve.
        store: of its answers.
        limit: of requests by link.
    """

    def __init__(self, study: Study, store: Store, limit: RequestLimit) -> None:
        self.study, self.store, self.limit = study, store, limit
        self.orders = [study.steps(reader) for reader in range(study.readers)]
        self._answering = [threading.Lock() for _ in self.orders]
        self._washout = timedelta(days=study.outline.washout_days)

    def reader(self, authorization: Annotated[str, Header()] = "") -> int:
        """Whose link a request comes by."""
        token = authorization.removeprefix(SCHEME)
        result = self.study.reader_of(token) if authorization.startswith(SCHEME) else None
        wait = self.limit.wait(UNKNOWN if result is None else result)
        if wait:
            raise HTTPException(429, "too many requests", {"Retry-After": str(wait)})
        if result is None:
            raise HTTPException(401, "this link is not known")
        return result

    def progress(self, reader: int) -> ReaderProgress:
        """How far a reader is."""
        return ReaderProgress(self.orders[reader], self.store.of(reader), self._washout)

    def look(self, reader: int, step: int, sitting: str) -> dict[str, Any]:
        """What a reader sees of a step."""
        own = self.progress(reader)
        if not own.may_see(step, now()):
            raise HTTPException(403, "this case is not open now")
        return step_entries(self.study, own, step, own.may_answer(step, sitting, now()))

    def stimulus(self, reader: int, step: int, name: str) -> Response:
        """A picture of a step, if it may be seen now."""
        if self.progress(reader).may_see(step, now()):
            for one in self.study.shown(self.orders[reader][step]):
                if one.name == name:
                    return Response(self.study.content(one), media_type=MEDIA[one.ending])
        raise HTTPException(404, "there is no such picture")

    def answer(self, reader: int, step: int, sent: Sent) -> dict[str, Any]:
        """Store an answer, once however often it is sent."""
        fault = fault_in(sent.content, self.study.outline.questions)
        if fault:
            raise HTTPException(422, fault)
        with self._answering[reader]:  # what is asked must still hold when it is stored
            own = self.progress(reader)
            if sent.key not in {one.key for one in own.answers}:
                if not own.may_answer(step, sent.sitting, now()):
                    raise HTTPException(409, "this case can no longer be answered")
                self.store.add(
                    Answer(reader, step, sent.sitting, sent.key, sent.content, sent.seconds, now())
                )
                own = self.progress(reader)
        kept = next(one for one in own.answers if one.key == sent.key)
        if (kept.step, kept.content) != (step, sent.content):
            raise HTTPException(409, "another answer was stored under this key")
        return progress_entries(own, now()) | {"stored": True}


def create_app(
    study: Study, store: Store, secure: bool = False, limit: RequestLimit | None = None
) -> FastAPI:
    """The application over one study and its store.

    Args:
        study: to serve.
        store: of its answers.
        secure: whether browsers reach it by TLS alone, which they are then told to keep to.
        limit: of requests by link; the usual one without it.
    """
    app = FastAPI(title="reader study", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(LimitedBodies)
    app.add_middleware(WithHeaders, headers=SECURITY | (STRICT if secure else {}))
    sittings = _Sittings(study, store, limit or RequestLimit())

    async def whole(request: Request) -> bytes:
        return await request.body()

    Body = Annotated[bytes, Depends(whole)]
    Reading = Annotated[int, Depends(sittings.reader)]

    @app.get("/api/study")
    def outline(reader: Reading) -> dict[str, Any]:
        return outline_entries(study, sittings.orders[reader])

    @app.get("/api/progress")
    def come(reader: Reading) -> dict[str, Any]:
        return progress_entries(sittings.progress(reader), now())

    @app.get("/api/steps/{step}")
    def look(step: int, reader: Reading, sitting: str = "") -> dict[str, Any]:
        return sittings.look(reader, step, sitting)

    @app.get("/api/steps/{step}/{name}")
    def stimulus(step: int, name: str, reader: Reading) -> Response:
        return sittings.stimulus(reader, step, name)

    @app.post("/api/steps/{step}")
    def answer(step: int, body: Body, reader: Reading) -> dict[str, Any]:
        return sittings.answer(reader, step, _sent(body))

    for address in PAGES.addresses:
        app.add_api_route(address, PAGES.sent(address, Response), methods=["GET"])

    @app.get(f"/{NIIVUE}")
    def viewer() -> Response:
        return FileResponse(study.folder / NIIVUE, media_type="text/javascript")

    return app


def _sent(body: bytes) -> Sent:
    try:
        return Sent.model_validate(json.loads(body))
    except (ValueError, RecursionError, OverflowError) as error:
        raise HTTPException(422, "this is no answer") from error
