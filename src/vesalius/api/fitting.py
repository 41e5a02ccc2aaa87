"""Fit a method to a cohort, and load the run that a fit left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from vesalius.api.console import bars
from vesalius.methods import method as method_named
from vesalius.methods import method_of
from vesalius.scans.cohort import Cohort
from vesalius.scans.computing import chosen_precision
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress
from vesalius.training.device import compute_device as require_device
from vesalius.training.fit import Prepared
from vesalius.training.fit import fit as fit_prepared
from vesalius.training.fit import prepare as prepare_fit
from vesalius.training.method import Method, Reading, keywords
from vesalius.training.recipe import Settings, read_recipe
from vesalius.training.run import Run, require_place


def plan(
    method: str, cohort: str | Path | Cohort, *, out: str | Path | None = None,
    reading: Reading | None = None, recipe: str | Path | None = None, **options: Any,
) -> Prepared:  # fmt: skip
    """Read a cohort and plan a fit; nothing is written.

    Parameters
    ----------
    method
        its name, such as `guided`.
    cohort
        what is learnt from.
    out
        folder that the run shall be written to, checked beforehand.
    reading
        who is called with progress, and where the faults of cases that are left out go.
    recipe
        file of all settings in place of `preset` and what goes with it: the `recipe.json` of a
        run with any entry changed, or the like in YAML.
    options
        the method's own, such as `preset` and `seed`; `vesalius fit METHOD --help`
        lists them.

    Returns
    -------
    What was read, with `.plan.lines()`: memory and time of the fit.

    Raises
    ------
    InputError
        for data that cannot be learnt from, or a plan that does not fit this machine.
    """
    own = method_named(method)
    inputs = {
        name: _typed(options.pop(name), one.annotation)
        for name, one in keywords(own.read).items() if name in options
    }  # fmt: skip
    if out is not None:
        chosen = (*inputs.values(), *options.values())
        require_place(out, Path(cohort), *(one for one in chosen if isinstance(one, Path)))
    settings = own.recipe(**options) if recipe is None else _of_file(own, Path(recipe), options)
    precision = chosen_precision()
    if precision is not None:
        settings = settings.at_precision(precision)
    given = cohort if isinstance(cohort, Cohort) else Path(cohort)
    return prepare_fit(own, given, settings, reading, **inputs)


def _of_file(own: Method[Any], path: Path, options: Mapping[str, Any]) -> Settings:
    """The settings in a file, which leave no others to be chosen."""
    if options:
        names = ", ".join(sorted(options))
        raise InputError(path, f"leaves no {names} to choose", "set them in the file")
    return read_recipe(path, own.settings)


def fit(
    method: str, cohort: str | Path | Cohort, out: str | Path, *,
    progress: Progress | None = None, **options: Any,
) -> Run[Any]:  # fmt: skip
    """Fit a method to a cohort. Killed at any point, the same call goes on where it was.

    Parameters
    ----------
    method
        its name: `guided`, `inpainting`, `volumes`, `segmentation`, `classification`,
        `progression`, `pretraining`, or that of a registered one.
    cohort
        what is learnt from.
    out
        folder of the run.
    progress
        called after each case and step; bars if `None`.
    options
        the method's own, such as `preset` and `seed`; `vesalius fit METHOD --help`
        lists them. `recipe` is a file of all settings in their place.

    Returns
    -------
    The run, which `load` opens.

    Raises
    ------
    InputError
        for data that cannot be learnt from, a folder of another run, a plan that does
        not fit this machine, or a loss that is not finite.

    >>> fit("alchemy", "my-scans", "runs/gold")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: alchemy: is no method; choose one of guided, ...
    """
    require_device()
    with bars(progress) as report:
        return fit_prepared(plan(method, cohort, out=out, reading=Reading(report), **options), out,
                            report)  # fmt: skip


def _typed(value: Any, kind: Any) -> Any:
    """A path that was given as text as the path that a method takes."""
    takes_path = Path in (kind, *get_args(kind))
    return Path(value) if takes_path and isinstance(value, str) else value


def load(run: str | Path | Run[Any], **how: Any) -> Any:
    """Load a run as a pipeline, whatever method it was fitted for.

    Parameters
    ----------
    run
        folder of a finished fit, or the run itself.
    how
        settings of the pipeline, such as `guidance`.

    Returns
    -------
    A callable pipeline on the device that is there. One of guided synthesis, whole volumes or
    inpainting returns a case with `.image`, `.label_map`, `.measured`, `.provenance` and
    `.save(path)`.

    Raises
    ------
    InputError
        if the folder holds no run, or one that is damaged or of an unknown method.

    >>> load("no-such-folder")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: no-such-folder: holds no recipe.json; ...
    """
    folder = run.folder if isinstance(run, Run) else run
    return method_of(folder).load(folder, **how)


def run_folder(model: Any) -> Path:
    """The folder of a run, of a pipeline's run, or as it is given.

    Raises
    ------
    InputError
        for anything else.
    """
    if isinstance(model, str | Path):
        return Path(model)
    run = model if isinstance(model, Run) else getattr(model, "run", None)
    if not isinstance(run, Run):
        raise InputError(type(model).__name__, "is no run and no pipeline", "give what fit left")
    return run.folder


def loaded(model: Any, **how: Any) -> Any:
    """A pipeline as it is, or the one in a folder."""
    return load(model, **how) if isinstance(model, str | Path | Run) else model


def generator(model: Any) -> Any:
    """A pipeline that generates scans of its own.

    Raises
    ------
    InputError
        for a run of a method that does not.
    """
    pipeline = loaded(model)
    if not hasattr(pipeline, "sampler"):
        folder = run_folder(model)
        fault = f"is a run of {method_of(folder).name}, which generates no scans of its own"
        raise InputError(folder, fault, "point at a run of guided synthesis or of whole volumes")
    return pipeline
