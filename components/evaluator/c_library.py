"""TensorFlow's C library, found without importing TensorFlow."""

from importlib.util import find_spec
from pathlib import Path

from components.base.errors import ConfigError


def c_library() -> Path:
    """Return the file of the library, which is in all TensorFlow packages for Linux and macOS.

    Raises:
        ConfigError: if there is none.
    """
    found = find_spec("tensorflow")
    folders = [] if found is None else [*(found.submodule_search_locations or ())]
    for folder in folders:
        for path in Path(folder).glob("libtensorflow_cc.*"):
            return path
    raise no_c_library(f"{', '.join(folders) or 'tensorflow'} has no libtensorflow_cc", expected="that contains it")


def no_c_library(problem: str, *, expected: str) -> ConfigError:
    """Return the error for a library that is missing or unusable."""
    return ConfigError(
        f"evaluator.infra_validation needs TensorFlow's C library, but {problem}",
        expected=f"a TensorFlow package {expected}, such as tensorflow or tensorflow-cpu",
        remedy="reinstall TensorFlow, or set evaluator.infra_validation.images to 0",
    )
