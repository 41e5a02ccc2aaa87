"""What the workbench answers its pages.

Whoever asks has the token of the link that was printed, which stands behind `#` and which pages
send as a header; no path comes from a request, only places in what was opened.
"""

from __future__ import annotations

import base64
import csv
import secrets
from pathlib import Path
from typing import Annotated, Any, TypeVar

import nibabel as nib
import numpy as np
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.volume_file import read_volume
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume
from vesalius.serving.headers import SECURITY, STRICT, WithHeaders
from vesalius.serving.limits import LimitedBodies
from vesalius.serving.niivue import FILE as NIIVUE
from vesalius.workbench.comparing import Comparing
from vesalius.workbench.jobs import Jobs
from vesalius.workbench.keeping import Making, case_of
from vesalius.workbench.looking import picture_of, small_picture, summary
from vesalius.workbench.making import Question, form_of, preview
from vesalius.workbench.nearest import Nearest, TrainingCases
from vesalius.workbench.opened import Opened
from vesalius.workbench.pages import PAGES

SCHEME = "Bearer "
NIFTI = "application/octet-stream"
PREVIEW_SIDE, MOST_SMALL = 224, 2000
"""Pixels of a preview's planes, and how many small pictures are held in memory."""
T = TypeVar("T")


class Workbench:
    """What was opened, the queue, and where kept cases go.

    Args:
        opened: cohorts and runs.
        folder: of jobs and kept cohorts.
        viewer: niivue's script.
        token: that the pages come with; a fresh one without it.
    """

    def __init__(self, opened: Opened, folder: Path, viewer: Path, token: str = "") -> None:
        self.opened, self.folder, self.viewer = opened, folder, viewer
        self.token = token or secrets.token_urlsafe(24)
        training = TrainingCases(opened.real())
        self.making = Making(opened, folder / "kept", training)
        self.jobs = Jobs(folder / "jobs", self.making.work)
        self.nearest, self.comparing = Nearest(training), Comparing(opened.cohorts)
        self._small: dict[tuple[int, int], bytes] = {}

    def allowed(self, authorization: Annotated[str, Header()] = "") -> None:
        """Refuse whoever has not come by the link."""
        token = authorization.removeprefix(SCHEME)
        if not authorization.startswith(SCHEME) or not secrets.compare_digest(token, self.token):
            raise HTTPException(401, "this link is not known")

    def cohort(self, number: int) -> Cohort:
        """One of the cohorts."""
        return _at(self.opened.cohorts, number, "cohort")

    def case(self, number: int, row: int) -> Case:
        """One case of a cohort."""
        return _at(self.cohort(number).cases, row, "case")

    def before(self, number: int) -> Volume:
        """The scan that a job edits."""
        asked = self.jobs.of(number).question
        if asked.cohort is None or asked.case is None:
            raise HTTPException(404, "this job edits no scan")
        case = self.case(asked.cohort, asked.case)
        return self.cohort(asked.cohort).read_images(case).channels[0]

    def small(self, number: int, row: int) -> bytes:
        """The small picture of a case, made once."""
        key = (number, row)
        if key not in self._small:
            scan = self.cohort(number).read_images(self.case(number, row))
            while len(self._small) >= MOST_SMALL:
                self._small.pop(next(iter(self._small)))
            self._small[key] = small_picture(scan)
        return self._small[key]

    def outline(self) -> dict[str, Any]:
        """What was opened, in a few words."""
        return {
            "cohorts": [
                {"name": one.folder.resolve().name, "cases": len(one.cases),
                 "synthetic": sum(case.synthetic for case in one.cases),
                 "faults": len(one.faults)}
                for one in self.opened.cohorts
            ],
            "runs": [
                {"name": one.folder.resolve().name, "method": one.method}
                for one in self.opened.runs
            ],
            "kept": str(self.folder / "kept"),
        }  # fmt: skip


def create_app(bench: Workbench, secure: bool = False) -> FastAPI:
    """The application over a workbench.

    Args:
        bench: to serve.
        secure: whether browsers reach it by TLS alone.
    """
    app = FastAPI(title="workbench", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(LimitedBodies)
    app.add_middleware(WithHeaders, headers=SECURITY | (STRICT if secure else {}))

    @app.exception_handler(InputError)
    def refused(_request: Request, refusal: InputError) -> JSONResponse:
        fault = refusal.fault
        content = {"file": str(fault.file), "fault": fault.fault, "remedy": fault.remedy}
        return JSONResponse(content, 422)

    api = APIRouter(prefix="/api", dependencies=[Depends(bench.allowed)])
    _cohort_routes(api, bench)
    _run_routes(api, bench)
    _job_routes(api, bench)
    app.include_router(api)
    for address in PAGES.addresses:
        app.add_api_route(address, PAGES.sent(address, Response), methods=["GET"])
    app.add_api_route(
        f"/{NIIVUE}", lambda: FileResponse(bench.viewer, media_type="text/javascript"),
        methods=["GET"],
    )  # fmt: skip
    return app


def _cohort_routes(api: APIRouter, bench: Workbench) -> None:
    @api.get("/opened")
    def opened() -> dict[str, Any]:
        return bench.outline()

    @api.get("/cohorts/{number}")
    def cohort(number: int) -> dict[str, Any]:
        return summary(bench.cohort(number))

    @api.get("/cohorts/{number}/beside/{other}")
    def beside(number: int, other: int) -> dict[str, Any]:
        bench.cohort(number), bench.cohort(other)
        return bench.comparing.of(number, other)

    @api.get("/cohorts/{number}/cases/{row}/small.png")
    def small(number: int, row: int) -> Response:
        return Response(bench.small(number, row), media_type="image/png")

    @api.get("/cohorts/{number}/cases/{row}/images/{channel}")
    def image(number: int, row: int, channel: int) -> Response:
        return _volume(_at(bench.case(number, row).images, channel, "channel"))

    @api.get("/cohorts/{number}/cases/{row}/labels")
    def labels(number: int, row: int) -> Response:
        return _volume(_labels_of(bench.case(number, row)))

    @api.get("/cohorts/{number}/cases/{row}/provenance")
    def provenance(number: int, row: int) -> dict[str, Any]:
        return bench.case(number, row).provenance()

    @api.get("/cohorts/{number}/cases/{row}/nearest")
    def nearest(number: int, row: int) -> dict[str, Any]:
        found = bench.nearest.of(bench.cohort(number), bench.case(number, row))
        real = bench.nearest.training.real
        return found | {"cohort": next(
            i for i, one in enumerate(bench.opened.cohorts) if one is real
        )}  # fmt: skip


def _run_routes(api: APIRouter, bench: Workbench) -> None:
    @api.get("/runs/{number}")
    def form(number: int) -> dict[str, Any]:
        return form_of(_at(bench.opened.runs, number, "run"))

    @api.post("/preview")
    def previewed(question: Question) -> dict[str, Any]:
        scan, measured = preview(question, bench.opened)
        planes = {
            name: [_encoded(picture_of(scan.channels[0], across, labels, PREVIEW_SIDE))
                   for across in (2, 1, 0)]
            for name, labels in (("image", None), ("labels", scan.label_map))
        }  # fmt: skip
        return {"measured": dict(measured), "planes": planes}


def _job_routes(api: APIRouter, bench: Workbench) -> None:
    @api.get("/jobs")
    def jobs() -> list[dict[str, Any]]:
        return bench.jobs.listed()

    @api.post("/jobs")
    def add(question: Question) -> dict[str, Any]:
        return bench.jobs.add(question).model_dump()

    @api.delete("/jobs/{number}")
    def cancel(number: int) -> dict[str, Any]:
        return bench.jobs.cancel(number).model_dump()

    @api.get("/jobs/{number}/image")
    def image(number: int) -> Response:
        return _volume(_made(bench, number).images[0])

    @api.get("/jobs/{number}/labels")
    def labels(number: int) -> Response:
        return _volume(_labels_of(_made(bench, number)))

    @api.get("/jobs/{number}/film")
    def film(number: int) -> Response:
        return FileResponse(_forecast_file(bench, number, "gif"), media_type="image/gif")

    @api.get("/jobs/{number}/readings")
    def readings(number: int) -> list[dict[str, str]]:
        with _forecast_file(bench, number, "csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    @api.get("/jobs/{number}/difference")
    def difference(number: int) -> Response:
        before, after = bench.before(number), read_volume(_made(bench, number).images[0])
        change = after.voxels.astype(np.float32) - before.voxels.astype(np.float32)
        return _nifti(Volume(change, after.affine))

    @api.post("/jobs/{number}/keep")
    def keep(number: int) -> dict[str, Any]:
        name = bench.making.keep(bench.jobs.of(number), bench.jobs.place(number))
        return bench.jobs.change(number, kept=name).model_dump()


def _forecast_file(bench: Workbench, number: int, ending: str) -> Path:
    found = sorted(
        (bench.jobs.place(bench.jobs.of(number).number) / "forecast").glob(f"*.{ending}")
    )
    if not found:
        raise HTTPException(404, "this job has no forecast")
    return found[0]


def _made(bench: Workbench, number: int) -> Case:
    if bench.jobs.of(number).state != "done":
        raise HTTPException(404, "this job has no case")
    return case_of(bench.jobs.place(number))[1]


def _labels_of(case: Case) -> Path:
    if case.label_map is None:
        raise HTTPException(404, "this case has no label map")
    return case.label_map


def _volume(path: Path) -> Response:
    """A volume as one plain NIfTI file, whatever its format on disk."""
    return _nifti(read_volume(path))


def _nifti(volume: Volume) -> Response:
    return Response(nib.Nifti1Image(volume.voxels, volume.affine).to_bytes(), media_type=NIFTI)


def _encoded(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}"


def _at(items: tuple[T, ...], place: int, what: str) -> T:
    if not 0 <= place < len(items):
        raise HTTPException(404, f"there is no such {what}")
    return items[place]
