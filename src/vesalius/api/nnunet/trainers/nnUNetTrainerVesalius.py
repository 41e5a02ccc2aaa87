"""The trainer `nnUNetTrainerVesalius`; nnU-Net finds it by `nnUNet_extTrainer`."""

from __future__ import annotations

from typing import Any

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from vesalius.api.nnunet.pool import SyntheticPool
from vesalius.api.nnunet.settings import MixingSettings


class nnUNetTrainerVesalius(nnUNetTrainer):
    """nnU-Net as it is, with synthetic cases among those that it trains on.

    Settings come from the environment, see `MixingSettings`. Validation stays with real cases.
    """

    pool: SyntheticPool | None = None

    def get_tr_and_val_datasets(self) -> tuple[Any, Any]:
        """Training cases with synthetic ones among them; validation cases as they are."""
        training, validation = super().get_tr_and_val_datasets()
        settings = MixingSettings.of_environment()
        settings.require_unseen(validation.identifiers)
        self.pool = SyntheticPool(
            settings, self.plans_manager, self.configuration_manager, self.dataset_json,
            f"{self.output_folder}/synthetic_{self.local_rank}", self.dataset_class,
            settings.slots(len(training.identifiers)),
            first=self.current_epoch * settings.fresh, rank=self.local_rank,
        )  # fmt: skip
        self.print_to_log_file(self.pool.said)
        return self.pool.among(training), validation

    def on_epoch_start(self) -> None:
        """Replace the oldest synthetic cases by new ones."""
        super().on_epoch_start()
        if self.pool is not None and self.current_epoch:
            self.pool.refresh()

    def on_train_end(self) -> None:
        """Leave no generated case behind."""
        super().on_train_end()
        if self.pool is not None:
            self.pool.close()
