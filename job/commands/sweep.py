"""Command `sweep`: run many trials, rank them by validation, evaluate the winner, and return the exit code."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout, suppress
from pathlib import Path

from components.base.errors import ConfigError, ExitCode, IntegrityError
from job.commands.run import warn_on_os_error
from job.config.run_config import load_file_or_run
from job.config.sweep_document import SweepDocument
from job.errors import as_job_error
from job.options import DEFAULT_ROOT, SweepOptions
from job.reporters.streams import treat_standard_output_as_log
from job.reporters.terminal import make_console, print_json
from job.reporters.termination_log import clear_termination_log, write_termination_log
from job.signals import REMEDY, Signals
from job.store.runs import Runs
from job.sweep.reporter import SweepReporter, sweep_json
from job.sweep.runner import Share, SweepRunner
from job.sweep.state import Sweep, SweepFolder


def run_sweep(options: SweepOptions, signals: Signals) -> int:
    """Run a share of a sweep, and return the exit code: that of the winner's run, or 0 if there is none yet.

    Raises:
        JobError: if the sweep is not valid, was interrupted, or cannot continue.
    """
    signals.shield()  # each run interrupts its steps itself
    signals.remedy = REMEDY
    standard_output = sys.stdout
    if not options.as_json:
        treat_standard_output_as_log()
    reporter = SweepReporter(make_console(stderr=options.as_json))
    with warn_on_os_error(reporter):
        clear_termination_log()
    with redirect_stdout(sys.stderr) if options.as_json else nullcontext():
        try:
            sweep, folder = _run(options, reporter, signals)
        except BaseException as error:
            failure = as_job_error(error)
            with warn_on_os_error(reporter):
                write_termination_log(failure.exit_code, failure, resume=options.command())
            raise failure from error
    exit_code = ExitCode.SUCCEEDED if sweep.winner is None else ExitCode(sweep.winner.exit_code)
    record = None
    with suppress(ConfigError, IntegrityError):  # the run of an earlier winner was deleted
        record = None if sweep.winner is None else Runs(folder.root).read(sweep.winner.run_id)
    with warn_on_os_error(reporter):
        write_termination_log(exit_code, record=record)
    if options.as_json:
        print_json(sweep_json(sweep, folder), standard_output)
    return int(exit_code)


def _run(options: SweepOptions, reporter: SweepReporter, signals: Signals) -> tuple[Sweep, SweepFolder]:
    with signals.interruptible_at_once():
        share = Share(index=options.index, count=options.count)
        values = load_file_or_run(options.config, options.root or Path(DEFAULT_ROOT)).overridden(options.overrides)
        document = SweepDocument.read(values, root=options.root)
    runner = SweepRunner(document=document, signals=signals, reporter=reporter, share=share, command=options.command())
    sweep = runner.run()
    reporter.end(sweep, runner.folder)
    return sweep, runner.folder
