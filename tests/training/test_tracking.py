"""What trackers are sent is what `log.csv` holds."""

from __future__ import annotations

from pathlib import Path

import pytest

import vesalius as vs
from vesalius.scans.computing import TRACKERS
from vesalius.scans.formats.table import read_table
from vesalius.training.run import AGAIN, Log

STEPS = ((10, 1.5, None), (20, 0.75, 0.5), (30, 0.25, 0.125))


def _fitted(folder: Path) -> list[tuple[int, float]]:
    """A log of a part that was killed at step 20 and went on."""
    first = Log(folder / "log.csv", "denoiser", 0)
    for step, loss, validation in (*STEPS[:2], (30, 99.0, None)):
        first.add(step, loss, validation)
    second = Log(folder / "log.csv", "denoiser", 20)
    second.add(*STEPS[2])
    second.finish()
    rows = read_table(folder / "log.csv", Log.columns, AGAIN)
    return [(int(row["step"]), float(row["loss"])) for row in rows]


def test_tensorboard_is_sent_what_the_log_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv(TRACKERS, "")
    vs.computing(trackers=["tensorboard"])
    logged = _fitted(tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard" / "denoiser")).Reload()
    assert [(one.step, one.value) for one in events.Scalars("loss")] == logged
    assert [one.value for one in events.Scalars("validation")] == [0.5, 0.125]


def test_mlflow_is_sent_what_the_log_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.setenv(TRACKERS, "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    vs.computing(trackers=["mlflow"])
    logged = _fitted(tmp_path)
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("vesalius").experiment_id])
    sent = {one.step: one.value for one in client.get_metric_history(run.info.run_id, "loss")}
    assert sorted(sent.items()) == logged and run.info.status == "FINISHED"


def test_a_tracker_that_is_not_installed_is_refused_beforehand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vesalius.scans.computing.find_spec", lambda name: None)
    with pytest.raises(vs.InputError, match="vesalius\\[tracking\\]"):
        vs.computing(trackers=["tensorboard"])


def test_no_tracker_is_there_unless_it_was_chosen(tmp_path: Path) -> None:
    _fitted(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]
