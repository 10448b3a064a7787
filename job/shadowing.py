"""Shadowing: a package `components` in the working folder hides the one that is installed beside `job`."""

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

COMPONENTS = "components"


def import_installed_components() -> None:
    """Make `import components` find the package beside `job`; raise ImportError if another one is imported already."""
    path = Path(__file__).parents[1] / COMPONENTS / "__init__.py"
    found = find_spec(COMPONENTS)
    if found is None or found.origin == str(path) or not path.is_file():
        return
    if COMPONENTS in sys.modules:
        raise ImportError(
            f"{found.origin} shadows the package `{COMPONENTS}` of mnist-job in {path.parent}: "
            "rename it, or import `job` first"
        )
    spec = spec_from_file_location(COMPONENTS, path)
    if spec is not None and spec.loader is not None:
        module = sys.modules[COMPONENTS] = module_from_spec(spec)
        spec.loader.exec_module(module)
