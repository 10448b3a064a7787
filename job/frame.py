"""The frame around every command: safe standard streams, signals, and one message for every failure.

`CommandLine` is the frame of the process, also for help texts and usage errors; `Command` is that of one command.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from job.reporters.streams import PipeSafeStream, pipe_safe_streams

INTERNAL_ERROR = 1
"""`ExitCode.INTERNAL_ERROR`, whose import would slow down `--help`."""


class CommandLine(TyperGroup):
    """The command line. Its standard streams raise no error; a full disk under standard output is exit code 1."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        with pipe_safe_streams():
            try:
                exit_code = super().main(*args, **kwargs | {"standalone_mode": False}) or 0
            except typer.TyperException as error:
                exit_code = error.exit_code
                _print_usage_error(error)
            sys.stdout.flush()
            if isinstance(sys.stdout, PipeSafeStream) and (problem := sys.stdout.problem):
                sys.stderr.write(f"error: cannot write to standard output: {problem}\n")
                if not sys.stdout.is_log:
                    exit_code = exit_code or INTERNAL_ERROR
            sys.stderr.flush()
        sys.exit(exit_code)


class Command(TyperCommand):
    """A command that signals interrupt at once. Every exception that ends it is printed as a JobError.

    `context.obj` is its `Signals`, with which it can defer signals until it has saved its progress.
    """

    def invoke(self, ctx: Any) -> Any:
        from components.object_storage.reports import transfers_reported_to
        from job.errors import as_job_error, check_working_directory
        from job.reporters.terminal import make_console, print_error
        from job.reporters.transfers import TransferReporter
        from job.signals import Signals

        ctx.obj = signals = Signals(remedy="run the same command again")
        with signals.installed():
            try:
                with signals.interruptible_at_once(), transfers_reported_to(TransferReporter()):
                    check_working_directory()
                    return super().invoke(ctx)
            except (typer.Exit, typer.TyperException):
                raise
            except BaseException as error:  # a component, or the import of its module, may raise anything
                failure = as_job_error(error)
        print_error(make_console(stderr=True), failure)
        raise typer.Exit(int(failure.exit_code))


def _print_usage_error(error: typer.TyperException) -> None:
    from components.base.errors import ConfigError
    from job.reporters.terminal import make_console, print_error

    if not (message := error.format_message()):
        return  # without arguments, typer has printed the help text
    context = getattr(error, "ctx", None)
    remedy = f"`{context.command_path} --help` lists what is possible" if context else ""
    # The rest is pydantic's, such as `Input should be greater than or equal to 1`.
    problem, _, limit = message.rstrip(".").replace("Value error, ", "").partition(": Input should be ")
    limit = limit.partition(", unable to")[0]
    expected = f"a number {limit}" if limit.startswith(("greater", "less")) else limit
    print_error(make_console(stderr=True), ConfigError(problem, expected=expected, remedy=remedy))
