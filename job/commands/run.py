"""Command `run`: run the job, report it, and return the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.base.errors import ConfigError, ExitCode, IntegrityError
from components.base.timing import Elapsed
from job import IMPORTED_AT_SECONDS
from job.options import DEFAULT_ROOT, LogFormat, RunOptions
from job.reporters.streams import treat_standard_output_as_log
from job.reporters.termination_log import clear_termination_log, write_termination_log
from job.signals import REMEDY, Signals

if TYPE_CHECKING:
    from job.config.config import JobConfig
    from job.reporters.console import ConsoleReporter
    from job.reporters.json_log import JsonLog
    from job.reporters.listener import RunListener
    from job.runner.runner import Runner
    from job.runner.worker import Worker
    from job.sweep.reporter import SweepReporter


def run_job(options: RunOptions, signals: Signals) -> int:
    """Run the job and return the exit code."""
    signals.shield()  # the runner interrupts its steps itself
    signals.remedy = REMEDY
    from components.object_storage.reports import transfers_reported_to
    from job.errors import as_job_error
    from job.pipeline.slots import find_slot
    from job.reporters.terminal import make_console, print_json
    from job.runner.cluster import pipeline_cluster
    from job.runner.runner import Runner
    from job.runner.worker import Worker

    standard_output = sys.stdout
    if not options.as_json:
        treat_standard_output_as_log()
    reporter = make_reporter(options)
    with warn_on_os_error(reporter):
        clear_termination_log()
    process: Runner | Worker | None = None
    failure = None
    # Output of libraries must not mix with JSON.
    json_out = options.as_json or options.log_format is LogFormat.JSON
    with transfers_reported_to(reporter), redirect_stdout(sys.stderr) if json_out else nullcontext():
        try:
            with signals.interruptible_at_once():
                config, selection = read_config(options)
            selection |= {"use_cache": not options.no_cache, "strict": options.strict}
            if options.until is not None:
                selection["until"] = find_slot(options.until, config.pipeline.step_names())
            cluster = pipeline_cluster(config.pipeline, selection.get("only"))
            if cluster is None or cluster.is_chief:
                process = Runner(
                    config,
                    reporter,
                    signals,
                    **selection,
                    began=Elapsed(seconds=IMPORTED_AT_SECONDS),  # counts the whole process, including imports
                    command=options.command(),
                    name=options.name,
                    note=options.note,
                )
            else:
                process = Worker(config, reporter, signals, cluster, **selection)
            process.run()
        except BaseException as error:  # a component may raise anything, such as SystemExit
            failure = as_job_error(error, process.root if process else None)
            if options.debug:
                make_console(stderr=True).print_exception()
    record = process.record if isinstance(process, Runner) and process.has_begun else None
    exit_code = failure.exit_code if failure else ExitCode((record and record.exit_code) or 0)
    resume = ""
    is_damaged = isinstance(failure, IntegrityError)
    # An artifact of the earlier run stays damaged: no resume would help.
    if failure is not None and record is not None and not (is_damaged and options.only is not None):
        strict = options.strict and not is_damaged  # would fail again
        resume = replace(options, strict=strict, from_run=record.from_run).command()
    elif failure is not None and isinstance(process, Worker):
        resume = options.command()
    with warn_on_os_error(reporter):
        write_termination_log(exit_code, failure, record, resume)
    if failure is not None:
        reporter.failed(failure, resume=resume)
    if options.as_json and record is not None:
        print_json(json.loads(record.to_json()), standard_output)
    return int(exit_code)


def read_config(options: RunOptions) -> tuple[JobConfig, dict[str, Any]]:
    """Return the configuration, and which steps to run: `only` and `from_run` of the runner, or nothing for all."""
    from job.config.config import load_config
    from job.config.only import SingleStep
    from job.store.opened import open_root

    if options.only is None and options.from_run is None:
        if options.config is None:
            remedy = "name it with --config, or run one component of an earlier run with --only and --from"
            raise ConfigError("there is no configuration to run", expected="a file, a preset or a run", remedy=remedy)
        return load_config(options.config, options.overrides, root=options.root), {}
    if options.only is None or options.from_run is None or options.until is not None:
        if options.only is None:
            problem = f"--from {options.from_run} needs --only: the component to run on the artifacts of that run"
            remedy = f"add --only COMPONENT; to run all steps of that run again, use --config {options.from_run}"
        elif options.from_run is None:
            problem = f"--only {options.only} needs --from: the run whose artifacts the component reads"
            remedy = "add --from RUN, such as --from latest"
        else:
            problem = f"--until {options.until} cannot be used with --only, which runs one component"
            remedy = "remove --until"
        raise ConfigError(problem, expected="--only COMPONENT --from RUN", remedy=remedy)
    root = open_root(options.root or Path(DEFAULT_ROOT))
    single = SingleStep.load(
        options.only, options.from_run, root=root, config=options.config, overrides=options.overrides
    )
    return single.config, {"only": single.component, "from_run": single.run}


@contextmanager
def warn_on_os_error(reporter: RunListener | SweepReporter) -> Iterator[None]:
    """Report an OSError of the termination log as a warning; it does not fail the run."""
    try:
        yield
    except OSError as error:
        reporter.warning(f"cannot write the termination log {error.filename}: {error.strerror}")


def make_reporter(options: RunOptions) -> ConsoleReporter | JsonLog:
    """Return the reporter for the log format; with --json it leaves standard output to run.json."""
    if options.log_format is LogFormat.JSON:
        from job.reporters.json_log import JsonLog

        return JsonLog(sys.stderr if options.as_json else sys.stdout)
    from job.reporters.console import ConsoleReporter
    from job.reporters.terminal import make_console

    return ConsoleReporter(make_console(stderr=options.as_json), errors=make_console(stderr=True))
