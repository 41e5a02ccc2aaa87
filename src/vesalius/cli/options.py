"""Options that several commands share, with the values they may have."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter, validators

Seed = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=2**62))]
Side = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=4096))]
Count = Annotated[
    int, Parameter(name=["-n", "--count"], validator=validators.Number(gte=1, lte=10**7))
]
Tries = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=10**6))]
Flag = Annotated[bool, Parameter(negative="")]
Millimetres = Annotated[float, Parameter(validator=validators.Number(gte=0.001, lte=1000))]
Millilitres = Annotated[float, Parameter(validator=validators.Number(gte=1e-6, lte=1e5))]
Tolerance = Annotated[float, Parameter(validator=validators.Number(gt=0, lte=1e6))]
Guidance = Annotated[float, Parameter(validator=validators.Number(gte=0, lte=1000))]
Steps = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=10**6))]
Share = Annotated[float, Parameter(validator=validators.Number(gte=0, lte=1))]
