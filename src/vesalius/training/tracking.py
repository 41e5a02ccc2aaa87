"""Losses sent to TensorBoard and MLflow as well, beside `log.csv`, where the user asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from vesalius.scans.computing import chosen_trackers
from vesalius.scans.formats.json_file import read_json
from vesalius.scans.writing import make_folder, write_text

IDS = TypeAdapter(dict[str, str])


class Tracker(Protocol):
    """Who is sent what `log.csv` holds."""

    def add(self, step: int, values: dict[str, float]) -> None:
        """Send what a step has."""

    def finish(self) -> None:
        """Close what is open."""


def trackers(run: Path, part: str, resumed_step: int) -> list[Tracker]:
    """Those that were chosen, for one part of a run.

    Args:
        run: folder of the run.
        part: that is fitted.
        resumed_step: what came after it is sent again.
    """
    kinds: dict[str, type[TensorBoard] | type[MLflow]] = {
        "tensorboard": TensorBoard, "mlflow": MLflow
    }  # fmt: skip
    return [kinds[name](run, part, resumed_step) for name in chosen_trackers()]


class TensorBoard:
    """Events in `tensorboard/<part>` of the run, for `tensorboard --logdir runs/`."""

    def __init__(self, run: Path, part: str, resumed_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = make_folder(run / "tensorboard" / part)
        self._writer = SummaryWriter(str(folder), purge_step=resumed_step + 1)

    def add(self, step: int, values: dict[str, float]) -> None:
        """Send what a step has."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def finish(self) -> None:
        """Close what is open."""
        self._writer.close()


class MLflow:
    """A run of the experiment `vesalius` for each part, at `MLFLOW_TRACKING_URI`.

    `mlflow.json` of the run's folder holds their ids, so that a resumed fit goes on with its own.
    """

    FILE = "mlflow.json"

    def __init__(self, run: Path, part: str, resumed_step: int) -> None:
        from mlflow import MlflowClient

        self._client, path = MlflowClient(), run / self.FILE
        known = read_json(path, IDS, "remove it") if path.exists() else {}
        if part not in known or not resumed_step:
            tags = {"mlflow.runName": f"{run.name} {part}", "run": str(run), "part": part}
            known[part] = self._client.create_run(self._experiment(), tags=tags).info.run_id
            write_text(path, json.dumps(known, indent=1) + "\n")
        self._id = str(known[part])

    def _experiment(self) -> str:
        known = self._client.get_experiment_by_name("vesalius")
        return str(known.experiment_id if known else self._client.create_experiment("vesalius"))

    def add(self, step: int, values: dict[str, float]) -> None:
        """Send what a step has."""
        for name, value in values.items():
            self._client.log_metric(self._id, name, value, step=step)

    def finish(self) -> None:
        """Close what is open."""
        self._client.set_terminated(self._id)
