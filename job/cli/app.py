"""The typer application, and the options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from job.docstrings import docstring
from job.frame import Command, CommandLine
from job.options import ROOT_ENV_VARIABLE

if TYPE_CHECKING:
    from components.object_storage import Location

app = typer.Typer(
    cls=CommandLine,
    name="mnist-job",
    help="Train a convolutional network to read handwritten digits, as a pipeline of components.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Add a function as a command; its docstring is the help text."""
    return app.command(cls=Command, help=docstring(function))(function)


def path(text: str) -> Path:
    """Return the path in an argument, an option or an environment variable."""
    from components.base.paths import parse_path

    with _usage_error():
        return parse_path(text)


def input_path(text: str) -> Path:
    """Return the path of a file that is read, also with a name that no file can have: it is reported and skipped."""
    from components.base.paths import check_no_url

    with _usage_error():
        check_no_url(text)
    return Path(text)


def location(text: str) -> Location:
    """Return the path or URL in an argument, an option or an environment variable."""
    from components.object_storage.location import parse_location

    with _usage_error():
        return parse_location(text)


@contextmanager
def _usage_error() -> Iterator[None]:
    """Report a ValueError as an error of the command line."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Root = Annotated[
    Any,
    typer.Option(
        envvar=ROOT_ENV_VARIABLE,
        parser=location,
        metavar="DIR|URL",
        help="Folder of artifacts and runs, or a URL such as s3://bucket/prefix.",
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="RUN",
        help="Id, tag, name or folder of a run, `latest`, or path of a sealed model; by default `latest-blessed`.",
    ),
]
Destination = Annotated[
    Any,
    typer.Argument(
        metavar="DESTINATION",
        parser=location,
        help="Folder that models are pushed to, or a URL such as s3://bucket/models.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
