"""A fit that was killed ends as one that never was; a fit that diverges stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vesalius.scans.input_error import InputError
from vesalius.training.loop import _State, fit_network
from vesalius.training.objective import Objective
from vesalius.training.plan import Plan, PlannedFit, StepCost, step_cost
from vesalius.training.recipe import FitRecipe

FIT = """
import sys, time, torch
from pathlib import Path
from safetensors.torch import save_file
from torch import nn
from vesalius.training import loop
from vesalius.training.objective import Objective
from vesalius.training.recipe import FitRecipe

loop.SECONDS_BETWEEN_STATES = 0.05
torch.set_num_threads(1)

class Task(Objective):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.3), nn.Tanh(), nn.Linear(16, 1))
        self.x = torch.randn(50, 6, generator=torch.Generator().manual_seed(1))
        self.register_buffer("followed", torch.zeros(6))
    def batch(self, rows, rng):
        return self.x[rows] + 0.1 * torch.randn(len(rows), 6, generator=rng)
    def forward(self, batch, rng):
        time.sleep(float(sys.argv[2]))
        x = batch - self.followed
        self.followed.lerp_(batch.mean(0), 0.1)
        noise = 0.1 * torch.randn(len(batch), 1, generator=rng)
        return ((self.net(x) - x.sum(1, keepdim=True) + noise) ** 2).mean()
    def validation_loss(self):
        return float((self.net(self.x) - self.x.sum(1, keepdim=True)).square().mean())

recipe = FitRecipe(steps=120, batch_size=8, validate_every=30, precision="32-true")
out = Path(sys.argv[1])
tell = lambda what, done, total: print(done, flush=True)
task = loop.fit_network(Task(), 50, recipe, 7, "task", out, tell)
save_file(task.state_dict(), out / "weights.safetensors")
"""


def run(folder: Path, pause: float, kill_at: int | None = None) -> None:
    """Run the fit in a process of its own; kill it without warning once it tells step `kill_at`."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", FIT, str(folder), str(pause)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if kill_at is not None and line.strip() == str(kill_at):
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait(60)
    time.sleep(0.05)


def test_killed_twice_and_resumed_it_ends_with_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    run(tmp_path / "whole", pause=0.0)
    run(tmp_path / "killed", pause=0.02, kill_at=35)
    assert (tmp_path / "killed/state/task.safetensors").is_file()
    run(tmp_path / "killed", pause=0.02, kill_at=80)
    assert not (tmp_path / "killed/weights.safetensors").exists()
    run(tmp_path / "killed", pause=0.0)
    whole, resumed = (
        load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "killed")
    )
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    logs = [(tmp_path / name / "log.csv").read_text() for name in ("whole", "killed")]
    assert logs[0] == logs[1]


class Diverging(Objective):
    """Its loss stops being a number at the sixth step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.calls = nn.Parameter(torch.ones(1)), 0

    def batch(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        return rows

    def forward(self, batch: Tensor, rng: torch.Generator) -> Tensor:
        self.calls += 1
        return self.weight.sum() * (float("nan") if self.calls > 5 else 1.0)


def test_a_loss_that_is_no_number_stops_the_fit_and_keeps_the_last_good_state(
    tmp_path: Path,
) -> None:
    recipe = FitRecipe(steps=20, batch_size=2, precision="32-true")
    with pytest.raises(InputError, match="loss of nan at step 5"):
        fit_network(Diverging(), 4, recipe, 0, "task", tmp_path)
    kept = load_file(tmp_path / "state/task.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*[nn.Sequential(nn.Conv3d(16, 16, 3, padding=1), nn.SiLU())
                                      for _ in range(6)])  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


MEASURE = """
import torch
from pathlib import Path
from tests.training.test_loop import Convolutions
torch.set_num_threads(1)
torch.backends.mkldnn.enabled = True
net = Convolutions()
peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
before = peak()
optimizer = torch.optim.AdamW(net.parameters())
for _ in range(2):
    net(torch.rand(2, 16, 64, 64, 64)).square().mean().backward()
    optimizer.step()
print((peak() - before) * 1024)
"""


def test_the_planned_memory_is_what_a_step_takes() -> None:
    class Squared(Objective):
        def __init__(self) -> None:
            super().__init__()
            self.network = Convolutions()

        def batch(self, rows: Tensor, rng: torch.Generator) -> Tensor:
            return torch.rand(len(rows), 16, 64, 64, 64)

        def forward(self, batch: Tensor, rng: torch.Generator) -> Tensor:
            found: Tensor = self.network(batch).square().mean()
            return found

    cost = step_cost(Squared(), 2, "32-true")
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "src")])
    took = float(
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", MEASURE], capture_output=True, text=True,
            check=True, cwd=root, env=os.environ | {"PYTHONPATH": path},
        ).stdout
    )  # fmt: skip
    assert cost.peak_bytes == pytest.approx(took, rel=0.35)


def test_a_plan_that_does_not_fit_is_refused_before_any_work() -> None:
    huge = PlannedFit("image_autoencoder", 10, StepCost(1, 1e15, 1.0), 1.0)
    with pytest.raises(InputError, match=r"needs 1000000\.9 GB"):
        Plan((huge,), 0.0).require_room()


def test_what_lies_on_the_host_is_not_asked_of_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vesalius.training.plan.gpu_free_bytes", lambda: 8e9)
    monkeypatch.setattr("vesalius.training.plan.free_memory_bytes", lambda: 64e9)
    step = PlannedFit("denoiser", 10, StepCost(1, 4e9, 1.0), 1.0)
    Plan((step,), 40e9).require_room()
    with pytest.raises(InputError, match=r"GB on the host, 64\.0 GB are free"):
        Plan((step,), 70e9).require_room()
    large = PlannedFit("denoiser", 10, StepCost(1, 9e9, 1.0), 1.0)
    with pytest.raises(InputError, match=r"GB on the GPU, 8\.0 GB are free"):
        Plan((large,), 0.0).require_room()


def test_a_state_of_weights_that_no_loss_has_reached_is_gone_on_with(tmp_path: Path) -> None:
    class Half(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = (torch.nn.Linear(2, 1) for _ in range(2))

    recipe = FitRecipe(steps=5, batch_size=1)
    path = tmp_path / "state" / "half.safetensors"
    network = Half()
    state, optimizer = _State(network, recipe, path), torch.optim.AdamW(network.parameters())
    network.used(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state.save(optimizer, 1)
    other = Half()
    again = _State(other, recipe, path)
    assert again.resume(torch.optim.AdamW(other.parameters())) == 1
    assert torch.equal(other.used.weight, network.used.weight)


class _Line(Objective):
    """A number that follows another."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(1, 1)

    def batch(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        return torch.randn(len(rows), 1, generator=rng)

    def forward(self, batch: Tensor, rng: torch.Generator) -> Tensor:
        return (self.net(batch) - 3 * batch).square().mean()


def _line(folder: Path, stop_after: int = 0) -> tuple[_Line, dict[int, dict[str, Tensor]]]:
    """A fit that keeps its averages of step 6, and all averages on its way; killed once."""
    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    objective, seen = _Line(), {}
    recipe = FitRecipe(steps=12, batch_size=4, precision="32-true")

    class Watched(_State):
        def average(self, step: int) -> None:
            super().average(step)
            seen[step + 1] = {name: weight.clone() for name, weight in self.mean.items()}

    def progress(_what: str, done: int, _total: int) -> None:
        if done == stop_after:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vesalius.training.loop._State", Watched)
        patch.setattr("vesalius.training.loop.SECONDS_BETWEEN_STATES", 0.0)
        fit_network(objective, 8, recipe, 1, "line", folder, progress, early_at=6)
    return objective, seen


def test_weights_of_an_early_step_are_kept_over_a_kill(tmp_path: Path) -> None:
    whole, seen = _line(tmp_path / "whole")
    assert whole.early is not None
    for name, weight in whole.early.items():
        assert torch.equal(weight, seen[6][name])
        assert not torch.equal(weight, dict(whole.named_parameters())[name])
    with pytest.raises(KeyboardInterrupt):
        _line(tmp_path / "killed", stop_after=9)
    resumed, _ = _line(tmp_path / "killed")
    assert resumed.early is not None
    assert all(torch.equal(resumed.early[name], weight) for name, weight in whole.early.items())
