"""Docstrings as text for users: help texts and descriptions. They are read from the source where Python drops them."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from itertools import pairwise
from typing import Any


def docstring(documented: type | Callable[..., Any]) -> str:
    """Return the docstring of a class or function, also in a Python without docstrings (`-OO`, PYTHONOPTIMIZE=2)."""
    text = documented.__doc__ or ast.get_docstring(_definition(documented)) or ""
    return inspect.cleandoc(text)


def attribute_docstrings(cls: type) -> dict[str, str]:
    """Return the docstring below each annotated attribute of a class, in one line."""
    return {
        attribute.target.id: " ".join(below.value.value.split())
        for attribute, below in pairwise(_definition(cls).body)
        if isinstance(attribute, ast.AnnAssign)
        and isinstance(attribute.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _definition(documented: type | Callable[..., Any]) -> ast.ClassDef | ast.FunctionDef:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(documented))).body
    if not isinstance(definition, ast.ClassDef | ast.FunctionDef):
        raise TypeError(f"{documented} is neither a class nor a function")
    return definition
