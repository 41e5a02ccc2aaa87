"""What a run of guided synthesis notes of its label maps."""

from __future__ import annotations

import numpy as np

from vesalius.training.recipe import Settings


class Losses(Settings):
    """Loss of the label denoiser on held-out cases, if there are any.

    Attributes:
        validation_loss_of_prior_alone: of the normal distribution of the codes.
        validation_loss: of that and the network.
        joined: whether the network adds to the normal distribution when label maps are generated.
    """

    validation_loss_of_prior_alone: float | None = None
    validation_loss: float | None = None
    joined: bool = True

    @property
    def line(self) -> str:
        """For a card; empty where the network works alone.

        >>> Losses(validation_loss_of_prior_alone=0.9, validation_loss=0.8).line.split(": ")[1]
        'held-out loss 0.900, 0.800 with the network'
        """
        alone, both = self.validation_loss_of_prior_alone, self.validation_loss
        if alone is None or both is None:
            return ""
        source = "normal distribution of the codes"
        if self.joined:
            source += " and a network"
        return (
            f"label maps come from the {source}: held-out loss {alone:.3f}, "
            f"{both:.3f} with the network"
        )

    @classmethod
    def compared(cls, alone: np.ndarray, together: np.ndarray) -> Losses:
        """The network joins where it lowers the loss of held-out cases, chance left aside.

        Where nothing shows that it does, it may have learnt its few extreme cases by heart.

        Args:
            alone, together: loss of each held-out case without the network and with it, `(H,)`.

        >>> alone = np.array([1.0, 0.9, 1.1, 1.0])
        >>> Losses.compared(alone, alone - [0.1, 0.12, 0.1, 0.09]).joined
        True
        >>> Losses.compared(alone, alone - [0.1, -0.12, 0.1, -0.05]).joined
        False
        """
        gain, count = alone - together, len(alone)
        error = gain.std(ddof=1) / count**0.5 if count > 1 else np.inf
        return cls(
            validation_loss_of_prior_alone=float(alone.mean()),
            validation_loss=float(together.mean()), joined=bool(gain.mean() > 2 * error),
        )  # fmt: skip


class Overlaps(Settings):
    """How well training label maps come back from a linear space.

    Attributes:
        dice: median overlap of each label.
    """

    dice: dict[str, float]

    @property
    def line(self) -> str:
        """For a card.

        >>> Overlaps(dice={"background": 1.0, "organ": 0.9, "tumour": 0.4}).line
        'label maps come back at a Dice of 0.90 organ, 0.40 tumour'
        """
        each = [f"{value:.2f} {name}" for name, value in self.dice.items() if name != "background"]
        return f"label maps come back at a Dice of {', '.join(each)}"
