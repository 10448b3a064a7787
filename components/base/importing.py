"""Import of what a configuration names, as `package.module:name`."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.base.errors import ConfigError, one_line, user_line
from components.base.standard_error import quiet_stderr
from components.base.termination import Interrupted
from components.base.text import printable


def import_string(target: Any) -> str:
    """Return the name of a function or class as `use` in a configuration takes it.

    >>> import_string(import_string)
    'components.base.importing:import_string'
    """
    try:
        return f"{target.__module__}:{target.__qualname__}"
    except AttributeError:  # such as functools.partial
        problem, remedy = f"{target!r} is not a function", "define a function with `def`"
        raise ConfigError(problem, expected="a function or class", remedy=remedy) from None


def load_object(name: str | Callable[..., Any]) -> Any:
    """Import what `package.module:name` names, also from the working folder; raise ConfigError if it is not found.

    In Python, a configuration may have the class or function itself, which is returned.
    """
    if not isinstance(name, str):
        return name
    module_name, colon, attribute = name.partition(":")
    expected = "an import string such as my_package.my_module:my_name"
    if not (colon and module_name and attribute):
        raise ConfigError(
            f"`{printable(name)}` is not an import string", expected=expected, remedy="write `module:name`"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    # A module that imports TensorFlow at its top would otherwise make it log.
    has_tensorflow = "tensorflow" in sys.modules
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with quiet_stderr(keep=lambda: has_tensorflow or "tensorflow" not in sys.modules):
            module = importlib.import_module(module_name)
    except Interrupted:
        raise
    except BaseException as error:  # a user's module may raise anything when it is imported, such as SystemExit
        problem = f"{module_name} cannot be imported: {one_line(error)}"
        remedy = "check that Python can import the module from this folder"
        if module_name.partition(".")[0] in ("components", "job"):
            remedy = "correct the name, or rename a package of yours: `components` and `job` belong to mnist-job"
        if not isinstance(error, ImportError):
            problem, remedy = f"{problem}{user_line(error)}", "correct the module"
        raise ConfigError(problem, expected=expected, remedy=remedy) from error
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if found is None:
        problem = f"the module {module_name} has no `{attribute}`"
        raise ConfigError(problem, expected=expected, remedy="correct the name")
    return found
