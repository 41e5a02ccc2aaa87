"""nnU-Net with synthetic cases among those it trains on: what it reads, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius.api.nnunet import FOLDER
from vesalius.api.nnunet.pool import SyntheticPool
from vesalius.api.nnunet.settings import MixingSettings
from vesalius.scans.cohort import Cohort
from vesalius.training.run import Run

TARGETS = {"ventricle_volume_ml": (20.0, 40.0)}


@pytest.fixture(scope="module")
def planned(brains: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A cohort exported to nnU-Net, planned and preprocessed."""
    work, patch = tmp_path_factory.mktemp("nnunet"), pytest.MonkeyPatch()
    for name in ("raw", "preprocessed", "results"):
        (work / name).mkdir()
        patch.setenv(f"nnUNet_{name}", str(work / name))
    for name, value in (("n_proc_DA", "1"), ("def_n_proc", "1"), ("compile", "false")):
        patch.setenv(f"nnUNet_{name}", value)
    vs.export(brains, work / "raw" / "Dataset101_Brain", "nnunet")
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api
    from nnunetv2.paths import nnUNet_preprocessed

    assert str(nnUNet_preprocessed) == str(work / "preprocessed")
    (work / "preprocessed" / "Dataset101_Brain").mkdir()
    api.extract_fingerprint_dataset(101, num_processes=1, show_progress_bar=False)
    plans = api.plan_experiments([101])
    api.preprocess_dataset(101, plans, ("3d_fullres",), num_processes=(1,), show_progress_bar=False)
    patch.setenv("nnUNet_n_proc_DA", "0")
    yield {"work": work, "plans": plans}
    patch.undo()


@pytest.fixture
def settings(small_run: Run) -> MixingSettings:
    return MixingSettings(run=str(small_run.folder), targets=TARGETS, share=0.1, fresh=1, seed=5)


def managers(planned: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    folder = planned["work"] / "preprocessed" / "Dataset101_Brain"
    plans = PlansManager(str(folder / f"{planned['plans']}.json"))
    dataset = json.loads((folder / "dataset.json").read_text())
    return plans, plans.get_configuration("3d_fullres"), dataset


def pool_of(planned: dict[str, Any], settings: MixingSettings, folder: Path, places: int) -> Any:
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    plans, configuration, dataset = managers(planned)
    return SyntheticPool(
        settings, plans, configuration, dataset, str(folder), nnUNetDatasetBlosc2, places
    )


def test_a_case_reaches_the_network_as_it_would_from_disk(
    planned: dict[str, Any], settings: MixingSettings, tmp_path: Path
) -> None:
    """The same case, exported and preprocessed by nnU-Net from its files."""
    pool = pool_of(planned, settings, tmp_path / "pool", 1)
    plans, configuration, dataset = managers(planned)
    case = pool.cases.case(0)
    assert list(dataset["labels"].values()) == list(pool.cases.labels.values())
    image = case.save(tmp_path / "case.nii.gz")
    labels = tmp_path / "case_labels.nii.gz"
    expected, seg, properties = configuration.preprocessor_class(verbose=False).run_case(
        [str(image)], str(labels), plans, configuration, dataset
    )
    number = next(path.read_text() for path in (tmp_path / "pool").glob("synthetic_*.txt"))
    made = pool.among(type("Real", (), {"identifiers": []})()).made.load_case(number)
    np.testing.assert_allclose(made[0][:], expected, atol=0.02)
    np.testing.assert_array_equal(made[1][:], seg)
    assert made[3]["class_locations"].keys() == properties["class_locations"].keys()


def test_the_oldest_case_is_replaced_and_can_be_read_one_epoch_longer(
    planned: dict[str, Any], settings: MixingSettings, tmp_path: Path
) -> None:
    pool = pool_of(planned, settings, tmp_path / "pool", 2)
    real = type("Real", (), {"identifiers": ["a", "b"], "load_case": lambda _, name: name})()
    mixed = pool.among(real)
    assert mixed.identifiers == ["a", "b", "synthetic_0000", "synthetic_0001"]
    assert mixed["a"] == "a"
    first, second = (np.array(mixed[name][0][:]) for name in mixed.identifiers[2:])
    assert first.shape[0] == 1 and not np.array_equal(first, second)
    pool.refresh()
    assert not np.array_equal(np.array(mixed["synthetic_0000"][0][:]), first)
    assert np.array_equal(np.array(mixed["synthetic_0001"][0][:]), second)
    assert (tmp_path / "pool" / "case_000000.b2nd").exists()
    pool.refresh()
    assert not (tmp_path / "pool" / "case_000000.b2nd").exists()
    assert not np.array_equal(np.array(mixed["synthetic_0001"][0][:]), second)
    again = pool_of(planned, settings, tmp_path / "again", 2)
    np.testing.assert_array_equal(np.array(again.among(real)["synthetic_0000"][0][:]), first)
    pool.close()
    assert not (tmp_path / "pool").exists()


def test_nnunet_trains_on_them_and_validates_on_real_cases(
    planned: dict[str, Any], settings: MixingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from nnunetv2.utilities.find_class_by_name import recursive_find_python_class

    for name, value in {
        "RUN": settings.run, "TARGETS": "ventricle_volume_ml=20:40", "SHARE": "0.1", "FRESH": "1",
        "ALLOW_SEEN": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"VESALIUS_{name}", value)
    trainer_class = recursive_find_python_class(  # as nnU-Net looks through nnUNet_extTrainer
        str(FOLDER), "nnUNetTrainerVesalius", None, base_folder=str(FOLDER),
        cleanup_imports_from_base_folder=True,
    )  # fmt: skip
    folder = planned["work"] / "preprocessed" / "Dataset101_Brain"
    plans = json.loads((folder / f"{planned['plans']}.json").read_text())
    plans["continue_training"] = False
    _, _, dataset = managers(planned)
    trainer = trainer_class(
        plans=plans, configuration="3d_fullres", fold=0, dataset_json=dataset,
        device=torch.device("cpu"),
    )  # fmt: skip
    trainer.num_epochs, trainer.num_iterations_per_epoch = 2, 1
    trainer.num_val_iterations_per_epoch = 1
    kept: list[Any] = []
    among = SyntheticPool.among
    monkeypatch.setattr(SyntheticPool, "among", lambda *a: kept.append(among(*a)) or kept[-1])
    trainer.run_training()
    (mixed,) = kept
    assert any(name.startswith("synthetic_") for name in mixed.identifiers)
    assert trainer.pool.next == trainer.pool.places + 1
    _, validation = trainer.do_split()
    assert not any("synthetic" in name for name in validation)
    assert not trainer.pool.folder.exists()
    assert (Path(trainer.output_folder) / "checkpoint_final.pth").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "VESALIUS_RUN: is not set"),
        ({"VESALIUS_RUN": "x"}, "VESALIUS_TARGETS: is not set"),
        ({"VESALIUS_RUN": "x", "VESALIUS_TARGETS": "a=few"}, "VESALIUS_TARGETS: holds a=few"),
        ({"VESALIUS_RUN": "x", "VESALIUS_TARGETS": "a=1:2", "VESALIUS_SHARE": "2"}, "share"),
    ],
)
def test_settings_that_are_missing_or_none_are_told(given: dict[str, str], says: str) -> None:
    with pytest.raises(vs.InputError, match=says):
        MixingSettings.of_environment(given)


def test_a_data_set_of_other_labels_or_channels_is_refused(
    planned: dict[str, Any], settings: MixingSettings, tmp_path: Path
) -> None:
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    plans, configuration, dataset = managers(planned)
    for changed, says in (
        ({"labels": {"background": 0}}, "has no label"),
        ({"labels": dataset["labels"] | {"all": [1, 2]}}, "has regions"),
        ({"channel_names": {"0": "T1", "1": "T2"}}, "has 2 channels"),
    ):
        with pytest.raises(vs.InputError, match=says):
            SyntheticPool(
                settings, plans, configuration, dataset | changed, str(tmp_path / "p"),
                nnUNetDatasetBlosc2, 1,
            )  # fmt: skip


def test_a_run_that_has_learnt_from_a_validation_case_is_refused(
    settings: MixingSettings, small_run: Run
) -> None:
    fitted = json.loads((small_run.folder / "split.json").read_text())["fitted"]
    settings.require_unseen(["somebody-else"])
    with pytest.raises(vs.InputError, match=f"has learnt from {fitted[0]}"):
        settings.require_unseen(["somebody-else", fitted[0]])
    settings.changed(allow_seen=True).require_unseen(fitted)


def test_a_run_that_meets_no_request_is_told_and_does_not_hang(
    planned: dict[str, Any], settings: MixingSettings, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from vesalius.api.dataset import SyntheticDataset

    def missed(_: SyntheticDataset, index: int) -> None:
        raise vs.InputError(f"synthetic_{index}", "missed all tries", "fit longer")

    monkeypatch.setattr(SyntheticDataset, "case", missed)
    with pytest.raises(vs.InputError, match="synthetic_99: missed"):
        pool_of(planned, settings, tmp_path / "pool", 1)
