"""What a method is: what it reads, the parts it learns, and the pipeline that comes of them.

A method knows nothing of folders, seeds, devices, plans, resuming or progress bars: `training.fit`
does, once for all of them. A new method is one folder under `methods/` or anywhere else:

1. `recipe` turns what a user may choose into frozen settings;
2. `read` reads and measures a cohort, and writes nothing;
3. `parts` builds the networks, each with what it learns from and what it minimises;
4. `finish` measures the fitted run where that is needed, such as for calibration;
5. `card` describes the run, `open` loads it as a callable pipeline.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_type_hints

from torch import nn

from vesalius.scans.input_error import InputProblem
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.objective import Objective
from vesalius.training.recipe import FitRecipe, Settings
from vesalius.training.run import Run


def _nothing(run: Run[Any], progress: Progress) -> None:
    """Done where a part has nothing more to do."""


@dataclass
class Part:
    """One network of a run, and how it is learnt.

    Attributes:
        name: of its weights, in the log and in the plan.
        network: untrained; holds the weights once the part is finished.
        recipe: steps, batch and the rest.
        cases: rows are generated from `range(cases)`.
        objective: what is minimised, see `Objective`, from what the part learns from.
        inputs: what the part learns from; asked for once all earlier parts are finished.
        blank: the same in shape and without data, from which the plan is made.
        solve: a closed form that takes the place of steps, once there are inputs; the first process
            does it alone, and then the others.
        after: done when the part is finished, and again when an unfinished run is taken up.
        kept: whether the weights stay in the run; others serve later parts alone.
        early: share of the steps at which the average of the weights is kept as well, as
            `<name>_early`, 0 for none; a worse network of the same kind to guide from.
    """

    name: str
    network: nn.Module
    recipe: FitRecipe | None = None
    cases: int = 0
    objective: Callable[[Any], Objective] | None = None
    inputs: Callable[[Run[Any], Progress], Any] | None = None
    blank: Callable[[], Any] | None = None
    solve: Callable[[Run[Any], Progress], None] | None = None
    after: Callable[[Run[Any], Progress], None] = _nothing
    kept: bool = True
    early: float = 0.0


@dataclass(frozen=True)
class Data:
    """What was read of a cohort and measured on it. Nothing is written yet.

    Attributes:
        recipe: the settings, completed by what the data decides, such as a spacing.
        fingerprint: what a run must know of the data, so that it needs nothing but its folder.
        held_bytes: that stay in memory during the fit.
        disk_bytes: of cases and codes in the folder of the run, until it is finished.
        decisions: that the data led to, a line each, for the plan.
        notes: written into the run at its beginning, such as who was held out.
    """

    recipe: Any
    fingerprint: Any
    held_bytes: float = 0.0
    decisions: tuple[str, ...] = ()
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    disk_bytes: float = field(default=0.0, kw_only=True)


@dataclass
class Reading:
    """How a cohort is read: who is called, and what was left out.

    Attributes:
        progress: called after each case.
        faults: those of cases that were left out.
    """

    progress: Progress = no_progress
    faults: list[InputProblem] = field(default_factory=list)


D = TypeVar("D", bound=Data)


class Method(ABC, Generic[D]):
    """One way to learn from a cohort; see the module for what belongs to it.

    Attributes:
        name: in commands, recipes and registry.
        title: in words, for cards.
        aliases: further names of the command.
        settings: class of the recipe.
        measured: class of the fingerprint.
        caution: last words of a card.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    settings: ClassVar[type[Settings]]
    measured: ClassVar[type[Settings]]
    caution: ClassVar[str] = "Not for diagnosis."

    recipe: Callable[..., Settings]
    """Settings from what a user may choose, by keywords with defaults, `preset` and `seed` among
    them. Signature and docstring make the options of the command."""

    read: Callable[..., D]
    """`read(source, recipe, reading)` reads and measures a path, or what was read of one. Further
    keywords are options of the command, too."""

    @abstractmethod
    def parts(self, data: D) -> Sequence[Part]:
        """The networks in the order in which they are fitted."""

    def finish(self, data: D, run: Run[Any], progress: Progress) -> None:
        """Calibrate or score a run whose parts are all there; what is noted is not done again."""

    @abstractmethod
    def card(self, data: D, run: Run[Any]) -> list[str]:
        """What a reader of the card must know beside the counts, a line each."""

    @abstractmethod
    def open(self, run: Run[Any]) -> Any:
        """The run as a pipeline, on the device that is there; further settings by keywords."""

    def load(self, folder: str | Path, **how: Any) -> Any:
        """Open the run in a folder as a pipeline."""
        return self.open(Run.open(folder, self.settings, self.measured), **how)


def keywords(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What a method's function lets a user choose: its keywords, with their types."""
    types = get_type_hints(function)
    return {
        name: one.replace(annotation=types[name])
        for name, one in inspect.signature(function).parameters.items()
        if one.kind is inspect.Parameter.KEYWORD_ONLY
    }
