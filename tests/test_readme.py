"""The examples of each README file run in the order in which they appear, in one folder with one root."""

from __future__ import annotations

import contextlib
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.main

from components.base.errors import ExitCode
from job.cli import app
from job.config.config import load_config
from job.config.sweep_document import SweepDocument
from job.config.yaml_config import SWEEP, YamlConfig
from tests.conftest import FinishedRun, run_job_in_process
from tests.support.processes import REPOSITORY, start_module
from tests.support.readme import Block, blocks, fenced_block, find_block, readmes
from tests.support.roots import copy_root

JOB = re.compile(r"(?:\.venv/bin/)?(?:python -m job|mnist-job)(?= |$)")
PLACEHOLDERS = re.compile(r"[A-Z]{3,}|\.\.\.|[\[|]")
"""Words in capitals, alternatives and optional parts: a synopsis, not a command."""
MAKE_VARIABLE = re.compile(r"\b[A-Z]+=")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, digits_run: FinishedRun) -> Iterator[Callable[[str], Path]]:
    """Return a function: the folder for the examples of a README, with `digits_run` in `output`.

    Its configs/digits.yaml is that of this run. At the end, forget the modules of the examples.
    """
    before = {*sys.modules}

    @cache
    def folder_of(readme: str) -> Path:
        folder = tmp_path_factory.mktemp(readme.replace("/", "-"))
        for name in ("docker", "components", "job", "Makefile"):
            (folder / name).symlink_to(REPOSITORY / name)
        shutil.copytree(REPOSITORY / "configs", folder / "configs")
        shutil.copy(digits_run.config, folder / "configs" / "digits.yaml")
        copy_root(digits_run.root, folder / "output")
        return folder

    yield folder_of
    for name in {*sys.modules} - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(tmp_path_factory.getbasetemp()):
            del sys.modules[name]


@pytest.fixture
def trainer_folder(folders: Callable[[str], Path]) -> Path:
    """Return the folder of the README with the example of a swapped trainer, with its module."""
    block = find_block("python", "class LogisticTrainer(")
    folder = folders(block.readme)
    (folder / "my_trainer.py").write_text(block.text)
    return folder


def marked(block: Block) -> object:
    marks = [pytest.mark.thorough] if block.directive == "thorough" else []
    return pytest.param(block, id=f"{block.readme}:{block.line}", marks=marks)


@pytest.mark.parametrize("block", [marked(block) for block in blocks() if block.is_run])
def test_example_runs(block: Block, folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folders(block.readme)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    if block.directive == "thorough":
        prepare(block, folder)
    if block.file_name:
        write_example(block, folder)
    elif block.language == "yaml":
        (folder / "example.yaml").write_text(block.text)
        check_config(folder / "example.yaml")
    elif block.language == "python":
        run_script(block)
    else:
        for line in block.commands:
            run_line(line, folder, monkeypatch)


def prepare(block: Block, folder: Path) -> None:
    """Write the files of the blocks before a thorough one, and run their scripts: the everyday tests are deselected."""
    for earlier in blocks():
        if earlier.readme == block.readme and earlier.line < block.line and earlier.is_run:
            if earlier.file_name:
                (folder / earlier.file_name).write_text(earlier.text)
                sys.modules.pop(Path(earlier.file_name).stem, None)
            elif earlier.language == "python" and earlier.directive != "thorough":
                run_script(earlier)


def run_script(block: Block) -> None:
    exec(compile(block.text, f"{block.readme}:{block.line}", "exec"), {"__name__": "__main__"})  # noqa: S102


def write_example(block: Block, folder: Path) -> None:
    """Write the file of a block and check it: configurations load, modules import, tests pass."""
    path = folder / block.file_name
    path.write_text(block.text)
    if path.suffix == ".yaml":
        check_config(path)
    elif path.name.startswith("test_"):
        run_tests(path)
    else:
        sys.modules.pop(path.stem, None)
        importlib.import_module(path.stem)


def check_config(path: Path) -> None:
    """Load a configuration; of one with a sweep, the part that all trials have."""
    document = YamlConfig.load(path)
    if SWEEP in document.values:
        SweepDocument.read(document).config()
    else:
        load_config(path)


def run_tests(path: Path) -> None:
    """Run a test module with pytest; that of a component has to run all tests of the contract."""
    with start_module("pytest", "-q", "-p", "no:cacheprovider", path.name, folder=path.parent) as process:
        stdout, _ = process.communicate(timeout=120)
    assert process.returncode == 0, stdout
    assert ("8 passed" if "ComponentContract" in path.read_text() else " passed") in stdout


def run_line(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one line of a shell block, if it is a command of the job; follow `export` and `mkdir`."""
    command, _, comment = line.partition("  #")
    words = shlex.split(command)
    if words[:1] == ["export"]:
        for setting in words[1:]:
            monkeypatch.setenv(*setting.split("=", 1))
    elif words[:1] == ["mkdir"]:
        for name in words[1:]:
            if not name.startswith("-"):
                (folder / name).mkdir(parents=True, exist_ok=True)
    is_synopsis = PLACEHOLDERS.search(MAKE_VARIABLE.sub("", command))
    arguments = None if is_synopsis else job_arguments(command)
    if arguments is None:
        return
    parse(arguments)
    if needs_network(arguments):
        return
    expected = re.search(r"exit code (\d+)", comment)
    result = run_job_in_process(*arguments)
    assert result.exit_code == (int(expected[1]) if expected else 0), result.stdout + result.stderr


def job_arguments(command: str) -> list[str] | None:
    """Return the arguments of the job in `python -m job ...`, `mnist-job ...` or `make run ...`, or None."""
    if found := JOB.match(command.strip()):
        return shlex.split(command.strip()[found.end() :])
    words = shlex.split(command)
    if words[:2] != ["make", "run"]:
        return None
    variables = dict(word.split("=", 1) for word in words[2:])
    root = ["--root", variables["ROOT"]] if "ROOT" in variables else []
    config = variables.get("CONFIG", "configs/digits.yaml")
    return ["run", "--config", config, *root, *shlex.split(variables.get("ARGS", ""))]


def parse(arguments: list[str]) -> None:
    """Fail if the command or an option does not exist."""
    if arguments[0].startswith("-"):
        return
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    with contextlib.suppress(typer.Exit):
        commands[arguments[0]].make_context(arguments[0], arguments[1:])


def needs_network(arguments: list[str]) -> bool:
    """Return whether a command runs a configuration that downloads data; the configuration has to load all the same."""
    if arguments[0] != "run":
        return False
    overrides = [arguments[place + 1] for place, word in enumerate(arguments) if word == "--set"]
    config = load_config(Path(arguments[arguments.index("--config") + 1]), overrides)
    source = getattr(config.pipeline.example_gen.config, "source", None)
    return source is not None and source.kind == "tfds"


COMMANDS = sorted(
    {
        command
        for block in blocks()
        for line in block.commands
        if (command := line.partition("  #")[0].split(" | ")[0].strip())
        and JOB.match(command)
        and not PLACEHOLDERS.search(command)
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_options_of_every_command_exist(command: str) -> None:
    arguments = job_arguments(command)
    assert arguments is not None
    parse(arguments)


@pytest.mark.parametrize("block", [pytest.param(block, id=f"{block.readme}:{block.line}") for block in blocks()])
def test_directives_are_known(block: Block) -> None:
    before = (REPOSITORY / block.readme).read_text().splitlines()[block.line - 2]
    assert before.startswith("<!--") == bool(block.directive)


EXIT_CODES = [
    rows
    for path in readmes()
    for rows in re.findall(r"^\| [Ee]xit code \|.*\n\| -.*\n((?:\|.*\n)+)", path.read_text(), re.MULTILINE)
]


def test_exit_codes_are_those_of_the_code() -> None:
    tables = [[int(code) for code in re.findall(r"^\| (\d+) \|", rows, re.MULTILINE)] for rows in EXIT_CODES]
    tables = [codes for codes in tables if codes]
    assert tables
    assert all(codes == sorted(ExitCode) for codes in tables)


SUBSTITUTIONS = sorted(
    {
        line
        for path in readmes()
        for line in re.findall(r"^(sed .+) > mine\.\w+$", path.read_text().replace("\\\n", " "), re.MULTILINE)
    }
)
REPLACED = (
    "IMAGE NFS_SERVER FILE_SYSTEM ACCESS_POINT CLUSTER ACCOUNT SHARE BUCKET CONTAINER REGION ROLE SERVICE_ACCOUNT"
)


@pytest.mark.parametrize("line", SUBSTITUTIONS)
def test_batch_files_have_no_placeholders_left(line: str) -> None:
    done = subprocess.run(shlex.split(line), cwd=REPOSITORY, capture_output=True, text=True, check=True)
    words = {word for line in done.stdout.splitlines() for word in re.findall(r"\w+", line.partition("# ")[0])}
    assert not words & {*REPLACED.split()}


def test_every_batch_file_has_its_substitutions() -> None:
    assert len(SUBSTITUTIONS) == 6


@pytest.mark.parametrize("path", readmes(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_and_pictures_exist(path: Path) -> None:
    text = path.read_text()
    assert "@@" not in text, "a placeholder was left"
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_swapped_trainer_runs(trainer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trainer_folder / "mine.yaml").write_text(fenced_block("yaml", "my_trainer:LogisticTrainer"))
    monkeypatch.chdir(trainer_folder)
    monkeypatch.syspath_prepend(str(trainer_folder))
    result = run_job_in_process("run", "--config", "mine.yaml", "--json")
    assert result.exit_code == 0, result.stderr
    assert result.record["metrics"]["accuracy"] > 0.9
    assert result.record["config"]["trainer"] == {"use": "my_trainer:LogisticTrainer", "regularization": 10.0}


def test_python_example_imports_existing_names(trainer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(trainer_folder))
    lines = fenced_block("python", "LogisticTrainer.Config(").splitlines()
    imports = [line for line in lines if line.startswith("from")]
    exec("\n".join(imports), {})  # noqa: S102  (lines of our own README)


def test_short_configuration_loads(tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(fenced_block("yaml", "path: /data/mnist"))
    load_config(tmp_path / "short.yaml")


def test_configuration_of_thresholds_loads(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(fenced_block("yaml", "class_thresholds"))
    config = load_config(tmp_path / "mine.yaml").pipeline.evaluator.config
    assert config.class_thresholds["7"]["precision"].minimum == 0.98
    assert config.slice_thresholds["thickness/least"]["accuracy"].minimum == 0.95
    assert config.baseline == "latest-blessed"


def test_configuration_of_tracking_loads(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(fenced_block("yaml", "tracking:"))
    tracking = load_config(tmp_path / "mine.yaml").tracking
    assert tracking.tensorboard is not None
    assert tracking.mlflow is not None
    assert tracking.mlflow.experiment == "digits"
