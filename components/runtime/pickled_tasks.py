"""Pickled tasks, which an engine sends to another process, and their results or errors, which it receives."""

import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from components.base.errors import one_line


class TaskTraceback(Exception):  # noqa: N818  (the cause of an error)
    """The traceback of an error in another process, as text."""


@dataclass(frozen=True)
class _TaskError:
    error: BaseException
    traceback: str


def is_portable(task: Callable[[], Any]) -> bool:
    """Return whether another process can run a task: it cannot import functions of a main script or a notebook."""
    try:
        return b"__main__" not in pickle.dumps(task)
    except Exception:  # such as a nested function; a user's classes may raise any error
        return False


def run_pickled(task: bytes) -> bytes:
    """Run a pickled task; return its result or its error for `unpickled_result`.

    An error that cannot be pickled becomes a RuntimeError.
    """
    try:
        return pickle.dumps(pickle.loads(task)())  # noqa: S301  (from the job)
    except BaseException as error:  # also SystemExit
        text = "".join(traceback.format_exception(error))
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301
        except Exception:
            return pickle.dumps(_TaskError(RuntimeError(one_line(error)), text))
        return pickle.dumps(_TaskError(error, text))


def unpickled_result(outcome: bytes) -> Any:
    """Return the result of a task, or raise its error; the traceback of the other process is the cause."""
    result = pickle.loads(outcome)  # noqa: S301  (of a process of the job)
    if isinstance(result, _TaskError):
        raise result.error from TaskTraceback(f"\n{result.traceback}")
    return result
