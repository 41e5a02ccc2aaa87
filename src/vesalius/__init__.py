"""Vesalius makes labelled synthetic medical images and proves what they are worth.

    import vesalius as vs

    cohort = vs.Cohort.open("my-scans")
    run = vs.fit("guided", cohort, out="runs/brain", preset="workstation", seed=0)
    model = vs.load(run)
    case = model(ventricle_volume_ml=90, seed=1)
    made = vs.balance(model, cohort, {"ventricle_volume_ml": (20, 160)}, out="more")
    vs.audit(cohort, made, holdout=unseen)
    vs.prove(cohort, made, test=unseen).report("proof/report.html")

Nothing is loaded before it is asked for, so that the import is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vesalius.api.computing import computing
    from vesalius.api.dataset import SyntheticDataset
    from vesalius.api.doctor import doctor
    from vesalius.api.experimenting import experiment
    from vesalius.api.exporting import export
    from vesalius.api.fitting import fit, load, plan
    from vesalius.api.generating import balance, generate, images_for_labels, lacking, requested
    from vesalius.api.importing import find_cohort, import_cohort
    from vesalius.api.information import info
    from vesalius.api.inpainting import inpaint
    from vesalius.api.phantoms import phantom
    from vesalius.api.preparing import check, measure, split
    from vesalius.api.proving import audit, prove
    from vesalius.api.using import classify, explain, forecast, segment
    from vesalius.methods import register
    from vesalius.scans.case import Case
    from vesalius.scans.cohort import Cohort
    from vesalius.scans.input_error import InputError
    from vesalius.scans.volume import Volume

__version__ = "0.1.0"

_PLACES = {
    name: place
    for place, names in {
        "api.computing": ("computing",),
        "api.dataset": ("SyntheticDataset",),
        "api.doctor": ("doctor",),
        "api.experimenting": ("experiment",),
        "api.exporting": ("export",),
        "api.fitting": ("fit", "load", "plan"),
        "api.generating": ("balance", "generate", "images_for_labels", "lacking", "requested"),
        "api.importing": ("find_cohort", "import_cohort"),
        "api.information": ("info",),
        "api.inpainting": ("inpaint",),
        "api.phantoms": ("phantom",),
        "api.preparing": ("check", "measure", "split"),
        "api.proving": ("audit", "prove"),
        "api.using": ("classify", "explain", "forecast", "segment"),
        "methods": ("register",),
        "scans.case": ("Case",),
        "scans.cohort": ("Cohort",),
        "scans.input_error": ("InputError",),
        "scans.volume": ("Volume",),
    }.items()
    for name in names
}

__all__ = [
    "Case", "Cohort", "InputError", "SyntheticDataset", "Volume", "audit", "balance", "check",
    "classify", "computing", "doctor", "experiment", "explain", "export", "find_cohort", "fit",
    "forecast", "generate", "images_for_labels", "import_cohort", "info", "inpaint", "lacking",
    "load", "measure", "phantom", "plan", "prove", "register", "requested", "segment", "split",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load what is asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _PLACES[name].startswith(("api", "methods")):
        import_module(f"{__name__}.scans.computing").be_friendly()
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
