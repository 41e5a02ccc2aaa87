"""`vesalius doctor`: what is there is told, what is missing has its remedy."""

from __future__ import annotations

from collections import namedtuple

import pytest
import torch

import vesalius as vs
from vesalius.api import doctor as module
from vesalius.cli import main


def test_every_part_of_the_machine_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    said = capsys.readouterr().out.splitlines()
    for name in ("Vesalius", "processor", "device", "speed", "disk", "extra formats", "browser"):
        assert any(line[2:].startswith(f"{name}: ") for line in said), name
    assert all(line[0] in "✓–!" for line in said)
    assert torch.__version__ in said[0]


def test_what_is_missing_comes_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    found = module.find_spec
    monkeypatch.setattr(
        module, "find_spec", lambda name: None if name == "nnunetv2" else found(name)
    )
    extras = {one.name: one for one in vs.doctor() if one.name.startswith("extra")}
    assert extras["extra nnunet"].state == "missing"
    assert "pip install 'vesalius[nnunet]'" in extras["extra nnunet"].said


def test_scarce_memory_and_disk_are_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = namedtuple("memory", "available total")(2 * module.GIB, 8 * module.GIB)
    monkeypatch.setattr(module.psutil, "virtual_memory", lambda: memory)
    disk = namedtuple("disk", "free")(module.GIB)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: disk)
    states = {one.name: one.state for one in vs.doctor()}
    assert states["processor"] == states["disk"] == "look"


def test_a_device_that_is_not_there_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vesalius.training.device.chosen_device", lambda: "cuda:99")
    states = {one.name: one.state for one in vs.doctor()}
    assert states["device"] == states["speed"] == "missing"
