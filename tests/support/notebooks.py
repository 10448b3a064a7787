"""Notebooks: run cells in a kernel, and return the text that they print and display."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def run_notebook(notebook: Any, folder: Path) -> list[str]:
    """Run a notebook in a folder, with this Python, and return the output of each cell; raise the error of a cell."""
    from nbclient import NotebookClient

    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.create_kernel_manager()
    client.km.kernel_spec.argv[0] = sys.executable
    client.execute()
    return ["".join(map(text_of, cell.get("outputs", ()))) for cell in notebook.cells]


def run_cells(cells: list[str], folder: Path) -> list[str]:
    """Run cells as a notebook."""
    import nbformat

    return run_notebook(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), folder)


def text_of(output: Any) -> str:
    """Return what a cell printed, the HTML of a value if it has one, or its text."""
    data = output.get("data", {})
    return str(output.get("text") or data.get("text/html") or data.get("text/plain") or "")
