"""The site builds without a warning, and every link of a page leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from vesalius.report.front_page import pages

ROOT = Path(__file__).parents[2]
PAGES = [*pages(ROOT / "README.md", ROOT / "docs"), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [one.partition("#")[0] for one in re.findall(r"\]\(([^)\s]+)\)", text)]
    lost = [
        one for one in targets
        if one and not one.startswith(("http:", "https:")) and not (page.parent / one).exists()
    ]  # fmt: skip
    assert not lost


def test_the_site_builds_without_warnings_and_shows_every_command(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet",
             "-D", "sphinx_gallery_conf.plot_gallery=0", "-d", str(tmp_path / "trees"),
             str(ROOT / "docs"), str(tmp_path / "html")]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    commands = (tmp_path / "html/reference/command-line.html").read_text(encoding="utf-8")
    for command in ("cohort check", "fit guided", "fit volumes", "inpaint", "readers serve"):
        assert f"vesalius {command}" in commands
    python = (tmp_path / "html/reference/python.html").read_text(encoding="utf-8")
    for name in ("vesalius.fit", "vesalius.audit", "GuidedPipeline", "VolumesRecipe"):
        assert name in python
