"""One run as a command asks for it: from the request to the exit code, telling whoever waits for it."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.errors import ExitCode, IntegrityError
from components.base.timing import Elapsed
from job import IMPORTED_AT_SECONDS
from job.options import LogFormat
from job.reporters.streams import ignore_broken_pipes
from job.reporters.termination_log import clear_termination_log, write_termination_log
from job.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.base.errors import JobError
    from job.options import RunOptions
    from job.reporters.listener import RunListener
    from job.runner.runner import Runner


def run_job(request: RunOptions) -> int:
    """Run what is asked for, tell how it ended, and return the exit code."""
    signals = Signals()
    # First of all: the first process of a container is deaf to a signal that it does not handle.
    with signals.installed():
        exit_code = _run_job(request, signals)
    if signals.requested:  # a second Ctrl-C while Python winds up must not change how the process ends
        signals.ignore()
    return exit_code


def _run_job(request: RunOptions, signals: Signals) -> int:
    from job.config.config import load_config
    from job.options import DEFAULT_ROOT
    from job.pipeline.slots import find_slot
    from job.reporters.tables import make_console
    from job.runner.errors import RUN_ENDING_EXCEPTIONS, as_job_error
    from job.runner.runner import Runner

    ignore_broken_pipes()
    standard_output = sys.stdout
    report = make_reporter(request)
    with warn_on_os_error(report):
        clear_termination_log()
    runner: Runner | None = None
    failure = None
    # Libraries that print must not come between a reader and JSON.
    json_out = request.as_json or request.log_format is LogFormat.JSON
    with redirect_stdout(sys.stderr) if json_out else nullcontext():
        try:
            config = load_config(request.config, request.overrides, root=request.root)
            until = None if request.until is None else find_slot(request.until)
            runner = Runner(
                config,
                report,
                signals,
                use_cache=not request.no_cache,
                strict=request.strict,
                until=until,
                began=Elapsed(seconds=IMPORTED_AT_SECONDS),  # the whole process counts, what it took to load included
                command=request.command(),
            )
            runner.run()
        except RUN_ENDING_EXCEPTIONS as error:
            failure = as_job_error(error, runner.config.root if runner else request.root or Path(DEFAULT_ROOT))
            if request.debug:
                make_console(stderr=True).print_exception()
    record = runner.record if runner is not None and runner.has_begun else None
    exit_code = failure.exit_code if failure else ExitCode((record and record.exit_code) or 0)
    resume = "" if failure is None or record is None else resume_options(request, failure).command()
    with warn_on_os_error(report):
        write_termination_log(exit_code, failure, record, resume)
    if failure is not None:
        report.failed(failure, resume=resume)
    if request.as_json and record is not None:
        standard_output.write(record.to_json() + "\n")
        standard_output.flush()
        if getattr(standard_output, "lost", False) and exit_code == ExitCode.SUCCEEDED:
            report.warning("run.json, which was asked for, could not be written to standard output")
            return int(ExitCode.DEFECT)
    return int(exit_code)


def resume_options(request: RunOptions, failure: JobError) -> RunOptions:
    """Return what is to be asked for to go on after a failure: a strict run would fail again where it did."""
    return replace(request, strict=request.strict and not isinstance(failure, IntegrityError))


@contextmanager
def warn_on_os_error(report: RunListener) -> Iterator[None]:
    """Make a warning of what keeps the termination log from being written: it is no reason to fail."""
    try:
        yield
    except OSError as error:
        report.warning(f"the termination log {error.filename} could not be written: {error.strerror}")


def make_reporter(request: RunOptions) -> RunListener:
    """Return who tells of the run, where JSON on standard output leaves room for it."""
    if request.log_format is LogFormat.JSON:
        from job.reporters.json_log import JsonLog

        return JsonLog(sys.stderr if request.as_json else sys.stdout)
    from job.reporters.console import ConsoleReporter
    from job.reporters.tables import make_console

    return ConsoleReporter(make_console(stderr=request.as_json), errors=make_console(stderr=True))
