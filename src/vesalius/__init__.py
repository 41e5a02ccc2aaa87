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
    from vesalius.api.experimenting import experiment
    from vesalius.api.fitting import fit, load, plan
    from vesalius.api.generating import balance, generate
    from vesalius.api.inpainting import inpaint
    from vesalius.api.proving import audit, prove
    from vesalius.api.using import classify, explain, forecast, segment
    from vesalius.methods import register
    from vesalius.scans.case import Case
    from vesalius.scans.cohort import Cohort
    from vesalius.scans.input_error import InputError
    from vesalius.scans.volume import Volume

__version__ = "0.1.0"

_PLACES = {
    "Case": "scans.case", "Cohort": "scans.cohort", "InputError": "scans.input_error",
    "Volume": "scans.volume", "audit": "api.proving", "balance": "api.generating",
    "classify": "api.using", "experiment": "api.experimenting", "explain": "api.using",
    "fit": "api.fitting", "forecast": "api.using", "generate": "api.generating",
    "inpaint": "api.inpainting", "load": "api.fitting", "plan": "api.fitting",
    "prove": "api.proving", "register": "methods", "segment": "api.using",
}  # fmt: skip

__all__ = [
    "Case", "Cohort", "InputError", "Volume", "audit", "balance", "classify", "experiment",
    "explain", "fit", "forecast", "generate", "inpaint", "load", "plan", "prove", "register",
    "segment",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load what is asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
