"""The process in which nnU-Net runs: `python -m vesalius.methods.segmentation.nnunet_process WORK`.

`WORK/job.json` says what to do. nnU-Net's own trainer is used as it is; only its numbers of epochs
and iterations are set. Any other trainer would make nnU-Net import all of them, and some of those
need packages that a machine without torchvision lacks.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

FOLD = 0


def main(work: Path) -> None:
    """Plan, preprocess, train and predict."""
    job: dict[str, Any] = json.loads((work / "job.json").read_text(encoding="utf-8"))
    for folder in ("raw", "preprocessed", "results"):
        (work / folder / job["dataset"]).mkdir(parents=True, exist_ok=True)
    dataset = json.loads(
        (work / "raw" / job["dataset"] / "dataset.json").read_text(encoding="utf-8")
    )
    plans = _plan(work, job)
    model = _train(job, plans)
    _predict(job, model, dataset)


def _plan(work: Path, job: dict[str, Any]) -> str:
    """Fingerprint, plans, preprocessed cases and the split; returns the name of the plans."""
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api

    number = int(job["dataset"].removeprefix("Dataset").split("_")[0])
    api.extract_fingerprint_dataset(number, num_processes=1, show_progress_bar=False)
    plans: str = api.plan_experiments([number], job["planner"])
    api.preprocess_dataset(
        number, plans, (job["configuration"],), num_processes=(1,), show_progress_bar=False
    )
    splits = [{"train": job["train_cases"], "val": job["val_cases"]}]
    target = work / "preprocessed" / job["dataset"] / "splits_final.json"
    target.write_text(json.dumps(splits, indent=2), encoding="utf-8")
    return plans


def _train(job: dict[str, Any], plans: str) -> str:
    """Train; returns the folder that nnU-Net's predictor loads from."""
    import numpy as np
    import torch
    from nnunetv2.run.run_training import get_trainer_from_args

    os.environ["nnUNet_n_proc_DA"] = "0"  # augment in this process; planning refuses 0
    random.seed(job["seed"])
    np.random.seed(job["seed"])
    torch.manual_seed(job["seed"])
    trainer = get_trainer_from_args(
        job["dataset"], job["configuration"], FOLD, plans_identifier=plans, device=_device()
    )
    trainer.num_epochs = job["epochs"]
    trainer.num_iterations_per_epoch = job["iterations"]
    trainer.num_val_iterations_per_epoch = job["validation_iterations"]
    trainer.run_training()
    return str(trainer.output_folder_base)


def _predict(job: dict[str, Any], model: str, dataset: dict[str, Any]) -> None:
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    images, ending = Path(job["test_images"]), dataset["file_ending"]
    names = sorted(
        path.name.removesuffix(f"_0000{ending}") for path in images.glob(f"*_0000{ending}")
    )
    channels = range(len(dataset["channel_names"]))
    out = Path(job["predictions"])
    out.mkdir(parents=True, exist_ok=True)
    predictor = nnUNetPredictor(
        use_mirroring=job["mirroring"], perform_everything_on_device=False, device=_device(),
        allow_tqdm=False,
    )  # fmt: skip
    predictor.initialize_from_trained_model_folder(model, (FOLD,), "checkpoint_final.pth")
    predictor.predict_from_files_sequential(
        [[str(images / f"{name}_{c:04d}{ending}") for c in channels] for name in names],
        [str(out / name) for name in names],
    )


def _device() -> Any:
    from vesalius.training.device import compute_device

    return compute_device()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
