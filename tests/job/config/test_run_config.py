"""The configuration of an earlier run, named in place of a file."""

from pathlib import Path

import pytest

from components.base.errors import ConfigError
from job.config.config import load_config
from job.store.resolve import find_run
from job.store.run_names import Tags
from tests.conftest import FAKES, Command, WriteConfig


def test_run_names_its_resolved_configuration(finished_root: Path) -> None:
    run = find_run(finished_root)
    for name in (run.run_id, "latest", finished_root / "runs" / "latest"):
        resolved = load_config(name, root=finished_root).resolved()
        assert resolved == run.config | {"root": str(finished_root)}


def test_root_is_where_the_run_is_unless_another_is_named(finished_root: Path, tmp_path: Path) -> None:
    folder = finished_root / "runs" / find_run(finished_root).run_id
    assert load_config(folder).root == finished_root
    assert load_config(folder, root=tmp_path / "other").root == tmp_path / "other"


def test_overrides_and_sections_are_merged_over_a_run(finished_root: Path) -> None:
    config = load_config("latest", ["transform.limit=7"], root=finished_root, evaluator={"minimum": 0.5})
    resolved = config.resolved()
    assert (resolved["transform"]["limit"], resolved["evaluator"]["minimum"]) == (7, 0.5)


def test_new_seed_reaches_the_components_of_a_run(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path
) -> None:
    root, config = tmp_path / "root", write_config({"seed": 3, **FAKES, "trainer": {**FAKES["trainer"], "seed": 5}})
    mnist_job("run", "--config", config, "--root", root, "--until", "example_gen")
    resolved = load_config("latest", ["seed=4"], root=root).resolved()
    assert resolved["example_gen"]["seed"] == 4
    assert resolved["trainer"]["seed"] == 5, "the configuration of the run set it for the trainer alone"


def test_file_and_preset_precede_a_run(finished_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, run_id = finished_root, find_run(finished_root).run_id
    for tag in ("digits", "mine"):
        Tags(root).write(tag, run_id)
    monkeypatch.chdir(tmp_path)
    assert "use" in load_config("mine", root=root).resolved()["example_gen"], "a run"
    assert load_config("digits", root=root).resolved()["example_gen"]["source"]["kind"] == "digits", "a preset"
    Path("digits").write_text("seed: 42")
    Path("mine").mkdir()
    assert load_config("digits", root=root).seed == 42, "a file"
    assert "use" in load_config("mine", root=root).resolved()["example_gen"], "a folder is no configuration"


def test_mistake_names_the_run_as_its_origin(finished_root: Path) -> None:
    run_id = find_run(finished_root).run_id
    record = finished_root / "runs" / run_id / "run.json"
    record.write_text(record.read_text().replace('"limit": 1000', '"limt": 1000'))
    with pytest.raises(ConfigError) as caught:
        load_config(run_id, root=finished_root)
    assert caught.value.headline == f"run {run_id}: transform.limt is not a key of the configuration"
    assert "transform.limit" in caught.value.remedy


def test_unknown_name_is_neither_file_nor_preset_nor_run(finished_root: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("digit", root=finished_root)
    assert "the configuration digit cannot be read: No such file" in caught.value.headline
    assert f"{finished_root} has no run of this name" in caught.value.headline
    assert "or a run" in caught.value.expected
