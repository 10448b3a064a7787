"""Command `run`: run the job, report it, and return the exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.errors import ExitCode, IntegrityError
from components.base.timing import Elapsed
from job import IMPORTED_AT_SECONDS
from job.options import DEFAULT_ROOT, LogFormat, RunOptions
from job.reporters.streams import ignore_broken_pipes
from job.reporters.termination_log import clear_termination_log, write_termination_log
from job.signals import Signals

if TYPE_CHECKING:
    from job.reporters.listener import RunListener
    from job.runner.runner import Runner


def run_job(options: RunOptions) -> int:
    """Run the job and return the exit code."""
    signals = Signals()
    # Before anything else: the first process of a container ignores signals without a handler.
    with signals.installed():
        exit_code = _run_job(options, signals)
    if signals.requested:  # a second Ctrl-C during the shutdown of Python must not change the exit code
        signals.ignore()
    return exit_code


def _run_job(options: RunOptions, signals: Signals) -> int:
    from job.config.config import load_config
    from job.pipeline.slots import find_slot
    from job.reporters.terminal import make_console
    from job.runner.errors import RUN_ENDING_EXCEPTIONS, as_job_error
    from job.runner.runner import Runner

    ignore_broken_pipes()
    standard_output = sys.stdout
    reporter = make_reporter(options)
    with warn_on_os_error(reporter):
        clear_termination_log()
    runner: Runner | None = None
    failure = None
    # Output of libraries must not mix with JSON.
    json_out = options.as_json or options.log_format is LogFormat.JSON
    with redirect_stdout(sys.stderr) if json_out else nullcontext():
        try:
            config = load_config(options.config, options.overrides, root=options.root)
            until = None if options.until is None else find_slot(options.until)
            runner = Runner(
                config,
                reporter,
                signals,
                use_cache=not options.no_cache,
                strict=options.strict,
                until=until,
                began=Elapsed(seconds=IMPORTED_AT_SECONDS),  # counts the whole process, including imports
                command=options.command(),
            )
            runner.run()
        except RUN_ENDING_EXCEPTIONS as error:
            failure = as_job_error(error, runner.config.root if runner else options.root or Path(DEFAULT_ROOT))
            if options.debug:
                make_console(stderr=True).print_exception()
    record = runner.record if runner is not None and runner.has_begun else None
    exit_code = failure.exit_code if failure else ExitCode((record and record.exit_code) or 0)
    resume = ""
    if failure is not None and record is not None:  # without --strict if that would fail again
        resume = replace(options, strict=options.strict and not isinstance(failure, IntegrityError)).command()
    with warn_on_os_error(reporter):
        write_termination_log(exit_code, failure, record, resume)
    if failure is not None:
        reporter.failed(failure, resume=resume)
    if options.as_json and record is not None:
        standard_output.write(record.to_json() + "\n")
        standard_output.flush()
        if getattr(standard_output, "failure", None) and exit_code == ExitCode.SUCCEEDED:
            reporter.warning("cannot write run.json to standard output, which --json requires")
            return int(ExitCode.INTERNAL_ERROR)
    return int(exit_code)


@contextmanager
def warn_on_os_error(reporter: RunListener) -> Iterator[None]:
    """Report an OSError of the termination log as a warning; it does not fail the run."""
    try:
        yield
    except OSError as error:
        reporter.warning(f"cannot write the termination log {error.filename}: {error.strerror}")


def make_reporter(options: RunOptions) -> RunListener:
    """Return the reporter for the log format; with --json it leaves standard output to run.json."""
    if options.log_format is LogFormat.JSON:
        from job.reporters.json_log import JsonLog

        return JsonLog(sys.stderr if options.as_json else sys.stdout)
    from job.reporters.console import ConsoleReporter
    from job.reporters.terminal import make_console

    return ConsoleReporter(make_console(stderr=options.as_json), errors=make_console(stderr=True))
