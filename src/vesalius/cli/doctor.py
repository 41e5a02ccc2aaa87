"""`vesalius doctor`: does it work here?"""

from __future__ import annotations

from vesalius.api.console import console

MARKS = {"works": "✓", "missing": "–", "look": "!"}


def doctor() -> None:
    """Say what works on this machine: devices, memory, packages, browser, speed.

    `vesalius doctor` marks with ! what is slow or scarce, and with – what is not installed.
    """
    from vesalius.api.doctor import doctor as look

    for one in look():
        line = f"{MARKS[one.state]} {one.name}: {one.said}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
