"""One run as a command asks for it: from the request to the exit code, telling whoever waits for it."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from job.request import LogFormat
from job.signals import Signals
from job.telling.streams import make_lasting

if TYPE_CHECKING:
    from job.request import Request
    from job.runner import Runner
    from job.telling.report import Report


def run_job(request: Request) -> int:
    """Run what is asked for, tell how it ended, and return the exit code."""
    signals = Signals()
    # First of all: the first process of a container is deaf to a signal that it does not handle.
    with signals.listening():
        return _run_job(request, signals)


def _run_job(request: Request, signals: Signals) -> int:
    from components.errors import ExitCode
    from job.config import load_config
    from job.defaults import ROOT
    from job.runner import ENDINGS, Runner, foreseen
    from job.slots import find_slot
    from job.telling.printing import make_console
    from job.telling.termination_log import write_termination_log

    make_lasting()
    standard_output = sys.stdout
    report = make_report(request)
    runner: Runner | None = None
    failure = None
    # Libraries that print must not come between a reader and JSON.
    json_out = request.as_json or request.log_format is LogFormat.JSON
    with redirect_stdout(sys.stderr) if json_out else nullcontext():
        try:
            config = load_config(request.config, request.overrides, root=request.root)
            until = None if request.until is None else find_slot(request.until)
            runner = Runner(config, report, signals, use_cache=not request.no_cache, strict=request.strict, until=until)
            runner.run()
        except ENDINGS as error:
            failure = foreseen(error, runner.config.root if runner else request.root or Path(ROOT))
            if request.debug:
                make_console(stderr=True).print_exception()
    record = runner.record if runner is not None and runner.has_begun else None
    exit_code = failure.exit_code if failure else ExitCode((record and record.exit_code) or 0)
    try:
        write_termination_log(exit_code, failure, record)
    except OSError as error:
        report.warning(f"the termination log {error.filename} could not be written: {error.strerror}")
    if failure is not None:
        report.failed(failure, resume="" if record is None else request.command())
    if request.as_json and record is not None:
        standard_output.write(record.to_json() + "\n")
    return int(exit_code)


def make_report(request: Request) -> Report:
    """Return who tells of the run, where JSON on standard output leaves room for it."""
    if request.log_format is LogFormat.JSON:
        from job.telling.json_log import JsonLog

        return JsonLog(sys.stderr if request.as_json else sys.stdout)
    from job.telling.console import ConsoleReport
    from job.telling.printing import make_console

    return ConsoleReport(make_console(stderr=request.as_json), errors=make_console(stderr=True))
