"""What guided synthesis of brains will take at 3, 2 and 1 mm, on this machine and on a GPU.

    python -m benchmarks.plans OUT

Makes phantoms at each spacing, plans the preset that is meant for it, and fits nothing. Writes
`docs/results/plans.json`. Times of the processor hang on the speed that is measured here, so the
machine should have nothing else to do; those of a GPU on a share of its peak that is assumed.
"""

from __future__ import annotations

import math
import shutil
import sys
from pathlib import Path

import vesalius as vs
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.provenance import Code
from vesalius.evidence.results import Results
from vesalius.report.front_page import fill_pages
from vesalius.scans.writing import make_folder
from vesalius.training import plan as planning

HERE = Path(__file__).resolve().parents[1]
PRESETS = {3.0: "demo", 2.0: "workstation", 1.0: "published"}
DEVICES = ("cpu", "h100")
CASES = 10


def main(out: Path) -> None:
    """Plan, and keep the figures with the documents."""
    planning.free_memory_bytes = lambda: math.inf  # what does not fit here is of interest too
    figures: dict[str, Figure] = {}
    for spacing, preset in PRESETS.items():
        cohort = vs.phantom("brain", out / f"brains-{spacing:g}", CASES, spacing_mm=spacing)
        for device in DEVICES:
            vs.computing(device=device)
            planned = vs.plan("guided", cohort, preset=preset).plan
            memory = planned.peak_bytes if device == "cpu" else planned.step_bytes
            for name, value, unit in (
                ("minutes", planned.seconds / 60, "min"), ("memory_gb", memory / 1e9, "GB"),
            ):  # fmt: skip
                key = f"plan/{preset}/{spacing:g}_mm/{device}/{name}"
                figures[key] = counted(value, unit, CASES, "cases", "planned, not measured")
                print(f"{key:<48}{value:10.3g} {unit}", flush=True)
    code = Code.of("vesalius.methods.guided.method")
    results = Results("plans", "", 0, True, figures, {"devices": list(DEVICES)}, code=code)
    results.write(make_folder(out / "results"))
    shutil.copyfile(out / "results" / "results.json", HERE / "docs/results/plans.json")
    fill_pages(results, HERE / "README.md", HERE / "docs")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
