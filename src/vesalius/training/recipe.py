"""All settings of a fit, frozen and written down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from vesalius.scans.formats.yaml_file import read_yaml
from vesalius.scans.input_error import InputError

MOST = 2**62
BOUNDS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**62),
    "widths": (1, 2048), "width": (1, 2048), "filters": (1, 2048), "channels": (0, 2048),
    "codes": (1, 2**16), "components": (1, 2**14), "noise": (0, 4096), "style": (1, 4096),
    "blocks": (0, 64), "layers": (1, 64), "levels": (0, 64), "heads": (0, 64), "folds": (1, 64),
    "slices": (0, 512), "crop": (0, 2048), "side": (1, 4096), "shape": (1, 4096),
    "steps": (0, 1e9), "batch": (1, 2**16), "size": (0, 2**20), "calls": (0, 10_000),
    "spacing_mm": (1e-3, 1000.0), "downsampling": (1, 64), "rate": (0, 10.0),
}  # fmt: skip
"""What a setting of this name, or of a name that ends in this word, may be.

Nothing in use comes near; a damaged or absurd recipe is refused before it asks for memory or time.
"""


def _numbers(value: object) -> Iterator[float]:
    """The numbers in a setting, of however nested tuples."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _numbers(one)


def once_called(old: str, new: str, default: Any) -> Any:
    """A setting that files, and the hash of a run, know by the name that it had first."""
    return Field(default, serialization_alias=old, validation_alias=AliasChoices(new, old))


class Settings(BaseModel):
    """Frozen settings that refuse unknown names and have a hash.

    >>> FitRecipe(steps=10, batch_size=2).digest == FitRecipe(batch_size=2, steps=10).digest
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    unhashed: ClassVar[frozenset[str]] = frozenset()
    """Settings that came later and do not change which run this is."""
    later: ClassVar[frozenset[str]] = frozenset()
    """Settings that came later: hashed where they differ from their default, so that earlier runs
    keep their names."""

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        for name in type(self).model_fields:
            low, high = BOUNDS.get(name) or BOUNDS.get(name.rsplit("_", 1)[-1], (-MOST, MOST))
            for value in _numbers(getattr(self, name)):
                if not low <= value <= high:
                    raise ValueError(f"{name}: {value:g} is not within {low:g} to {high:g}")
        return self

    def changed(self, **settings: Any) -> Self:
        """The same with other settings, which are checked.

        Raises:
            InputError: for a setting that is unknown or out of bounds.

        >>> FitRecipe(steps=10, batch_size=2).changed(steps=-1)
        Traceback (most recent call last):
        vesalius.scans.input_error.InputError: steps: Input should be greater than or equal to 0...
        """
        known = {name: getattr(self, name) for name in type(self).model_fields}
        try:
            return type(self).model_validate(known | settings)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            said = first["msg"].removeprefix("Value error, ")
            name = str(first["loc"][0]) if first["loc"] else said.partition(":")[0]
            raise InputError(
                name, said.removeprefix(f"{name}: "), "choose another value"
            ) from error

    def at_precision(self, precision: str) -> Self:
        """The same with every fit in it at another precision.

        >>> FitRecipe(steps=1, batch_size=1).at_precision("32-true").precision
        '32-true'
        """
        own = {name: getattr(self, name) for name in type(self).model_fields}
        inner = {
            name: one.at_precision(precision)
            for name, one in own.items() if isinstance(one, Settings)
        }  # fmt: skip
        return self.changed(**inner, **({"precision": precision} if "precision" in own else {}))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """`changed`, since pydantic's own copy would skip the checks."""
        return self.changed(**(update or {}))

    def dumped(self, exclude: set[str] | None = None) -> dict[str, Any]:
        """As files keep it; a setting that was renamed keeps its first name there."""
        return self.model_dump(mode="json", by_alias=True, exclude=exclude)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any setting."""
        fields = type(self).model_fields
        usual = {name for name in self.later if getattr(self, name) == fields[name].default}
        text = json.dumps(self.dumped(exclude=usual | self.unhashed), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


S = TypeVar("S", bound=Settings)


def read_recipe(path: Path, settings: type[S]) -> S:
    """Settings of a fit from a file: the `recipe.json` of a run, or the like in YAML.

    What the file leaves out keeps its default. Of a run's own file the number of its form and the
    seal are passed over, since changing it is what it is read for.

    Args:
        path: of the file.
        settings: of the method.

    Raises:
        InputError: naming the entry that is unknown or out of bounds, or for the recipe of another
            method.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "recipe.yaml"
    >>> _ = file.write_text("steps: 10\\nbatch_size: 0\\n")
    >>> read_recipe(file, FitRecipe)
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: ...batch_size: Input should be greater than or equal...
    """
    content = read_yaml(path, "recipe")
    own = {name: value for name, value in content.items() if name not in ("format", "seal")}
    method = settings.model_fields.get("method")
    if method is not None and own.get("method", method.default) != method.default:
        fault = f"is the recipe of {own['method']}, not of {method.default}"
        raise InputError(path, fault, f"name that of a run of {method.default}")
    try:
        return settings.model_validate(own)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        fault = f"{place}: {said}" if place else said
        raise InputError(path, fault, "correct the entry") from error


class FitRecipe(Settings):
    """How one network is fitted.

    Attributes:
        steps: optimiser steps.
        batch_size: cases a step, over all processes.
        learning_rate: highest, after `warmup_steps`; falls to zero along a cosine.
        moving_average: decay of the average of the weights that is kept in the end.
        betas: of Adam's moments.
        gradient_clip: largest norm of a gradient.
        precision: of the arithmetic in Lightning Fabric's words.
        validate_every: steps between looks at held-out cases, 0 for none. With it the weights of
            the best look are kept.
    """

    steps: int = Field(ge=0)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup_steps: int = 20
    weight_decay: float = 1e-4
    moving_average: float = Field(default=0.99, ge=0, lt=1)
    betas: tuple[float, float] = (0.9, 0.99)
    gradient_clip: float = 1.0
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    validate_every: int = 0
