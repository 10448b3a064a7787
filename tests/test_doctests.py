"""The examples in docstrings, one test for each module: `make test ARGS="tests/test_doctests.py -k numbers"`.

pytest's own `--doctest-modules` imports every module in every worker, TensorFlow included; this imports only those
with examples, and only in the worker that runs them.
"""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY

FOLDERS = ("components", "job", "tests")
WITH_EXAMPLES = sorted(
    str(path.relative_to(REPOSITORY))
    for folder in FOLDERS
    for path in (REPOSITORY / folder).rglob("*.py")
    if ">>> " in path.read_text() and path != Path(__file__)
)


@pytest.mark.parametrize("path", WITH_EXAMPLES)
def test_docstring_examples_run(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    failed, attempted = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert failed == 0, capsys.readouterr().out
    assert attempted > 0
