"""Command `sweep`: run many trials, rank them by validation, evaluate the winner, and return the exit code."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

from components.base.errors import ExitCode
from job.config.run_config import load_file_or_run
from job.config.sweep_document import SweepDocument
from job.options import DEFAULT_ROOT, SweepOptions
from job.reporters.streams import treat_standard_output_as_log
from job.reporters.terminal import make_console, print_json
from job.signals import REMEDY, Signals
from job.sweep.reporter import SweepReporter, sweep_json
from job.sweep.runner import Share, SweepRunner


def run_sweep(options: SweepOptions, signals: Signals) -> int:
    """Run a share of a sweep, and return the exit code: that of the winner's run, or 0 while there is none.

    Raises:
        JobError: if the sweep is not valid, was interrupted, or cannot continue.
    """
    signals.shield()  # each run interrupts its steps itself
    signals.remedy = REMEDY
    standard_output = sys.stdout
    if not options.as_json:
        treat_standard_output_as_log()
    with redirect_stdout(sys.stderr) if options.as_json else nullcontext(), termination_log(options):
        with signals.interruptible_at_once():
            share = Share(index=options.index, count=options.count)
            values = load_file_or_run(options.config, options.root or Path(DEFAULT_ROOT)).overridden(options.overrides)
            document = SweepDocument.read(values, root=options.root)
        reporter = SweepReporter(make_console(stderr=options.as_json))
        runner = SweepRunner(
            document=document, signals=signals, reporter=reporter, share=share, command=options.command()
        )
        sweep = runner.run()
        reporter.end(sweep, runner.folder)
    if options.as_json:
        print_json(sweep_json(sweep, runner.folder), standard_output)
    return int(ExitCode.SUCCEEDED if sweep.winner is None else sweep.winner.exit_code)
