"""`vesalius readers`: from design to results as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from conftest import DESIGNS, Making  # type: ignore[import-not-found]

from vesalius.cli import main
from vesalius.readers.answers.store import Answer, Store, now
from vesalius.readers.study import Study


def test_a_study_from_design_to_results(
    make: Making, sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    design = sources / "command.yaml"
    content = {"design": "saliency", "title": "Maps", "readers": 2} | DESIGNS["saliency"]
    design.write_text(yaml.safe_dump(content))
    out = tmp_path / "maps"
    main(["readers", "create", str(design), "--out", str(out)])
    study = Study.open(out)
    with pytest.raises(SystemExit) as ended:
        main(["readers", "results", str(out)])
    assert ended.value.code == 2 and "no reader" in capsys.readouterr().err
    main(["readers", "export", str(out), "--out", str(tmp_path / "pages")])
    said = {"usefulness_1": 4, "usefulness_2": 1}
    answers = [
        {"step": step, "key": f"key-0000{step}", "sitting": "sitting-1", "seconds": 3.0,
         "received": now().isoformat(), "content": said}
        for step in range(len(study.steps(0)))
    ]  # fmt: skip
    file = tmp_path / "answers-1.json"
    whole = {"study": "x", "reader": 1, "token": study.tokens()[0], "answers": answers}
    file.write_text(json.dumps(whole))
    main(["readers", "collect", str(out), str(file)])
    main(["readers", "results", str(out)])
    printed = " ".join(capsys.readouterr().out.split())
    assert f"{len(answers)} new answers of reader 1" in printed and "dual/usefulness" in printed
    assert {"results.json", "report.html", "answers.csv", "made.json"} == {
        path.name for path in (out / "results").iterdir()
    }


def test_another_database_and_an_open_address_are_looked_at_first(
    make: Making, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = make("saliency")
    for wrong, reported in (
        (["serve", str(study.folder), "--host", "0.0.0.0"], "without TLS"),
        (["serve", str(study.folder), "--certificate", "none.pem"], "does not exist"),
        (["serve", str(tmp_path)], "holds no study"),
        (["results", str(study.folder), "--database", "nonsense"], "cannot be used"),
        (["results", str(study.folder), "--database", "postgresql://user:secret@nowhere.invalid/x"],
         "cannot be used"),
    ):  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            main(["readers", *wrong])
        complaint = capsys.readouterr().err
        assert ended.value.code == 2 and reported in complaint and "secret" not in complaint
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"
    store = Store.at(study, elsewhere)
    store.add(Answer(0, 0, "s", "k", {"usefulness_1": 1}, 1.0, now()))
    assert len(Store(elsewhere, study.identity).every()) == 1 and Store.at(study).every() == []
