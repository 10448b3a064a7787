"""Commands that run the job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from job.cli.app import AsJson, Root, command, location, path
from job.options import DEFAULT_ROOT, ROOT_ENV_VARIABLE, LogFormat, RunOptions, SweepOptions

Config = Annotated[
    Any,
    typer.Option(
        parser=location,
        metavar="PATH",
        help="Configuration file in YAML, or the name of a preset or of an earlier run.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key, such as trainer.epochs=3; can be repeated."),
]
Only = Annotated[
    str | None,
    typer.Option(metavar="COMPONENT", help="Run only this component or custom step, on the artifacts of --from."),
]
FromRun = Annotated[str | None, typer.Option("--from", metavar="RUN", help="Earlier run, for --only.")]
ConfiguredRoot = Annotated[
    Any,
    typer.Option(
        envvar=ROOT_ENV_VARIABLE,
        parser=location,
        metavar="DIR|URL",
        help="Folder of artifacts and runs, or a URL such as s3://bucket/prefix; overrides the configuration's root.",
    ),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Run every step, even if it can be reused.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Fail if a sealed artifact is damaged, instead of producing it again.")
]
Until = Annotated[
    str | None, typer.Option(metavar="COMPONENT", help="Stop after this component or custom step, such as trainer.")
]


@command
def run(
    context: typer.Context,
    config: Config = None,
    overrides: Overrides = None,
    only: Only = None,
    from_run: FromRun = None,
    root: ConfiguredRoot = None,
    no_cache: NoCache = False,
    strict: Strict = False,
    until: Until = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the run, for other commands.")] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Remark about the run, for its record.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print run.json on standard output, all else on standard error.")
    ] = False,
    log_format: Annotated[
        LogFormat, typer.Option(help="Text for people, or one JSON object per line.")
    ] = LogFormat.TEXT,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of a failure.")] = False,
) -> None:
    """Run the whole job: from images to a model, its verdict and its figures."""
    from job.commands.run import run_job

    options = RunOptions(
        config=config,
        overrides=overrides or (),
        only=only,
        from_run=from_run,
        root=root,
        no_cache=no_cache,
        strict=strict,
        until=until,
        name=name,
        note=note,
        as_json=as_json,
        log_format=log_format,
        debug=debug,
    )
    raise typer.Exit(run_job(options, context.obj))


@command
def plan(
    config: Config = None,
    overrides: Overrides = None,
    only: Only = None,
    from_run: FromRun = None,
    root: ConfiguredRoot = None,
    no_cache: NoCache = False,
    strict: Strict = False,
    until: Until = None,
    as_json: AsJson = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 0 if nothing would run or be published, otherwise with 10.")
    ] = False,
) -> None:
    """Show what a run with the same options would do: which steps it reuses, which ones run and why.

    The time, memory and disk space are estimated from earlier runs. Nothing is written.
    """
    from job.commands.plan import plan

    options = RunOptions(
        config=config,
        overrides=overrides or (),
        only=only,
        from_run=from_run,
        root=root,
        no_cache=no_cache,
        strict=strict,
        until=until,
        as_json=as_json,
    )
    raise typer.Exit(plan(options, with_exit_code=exit_code))


@command
def reproduce(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, `latest`, tag, name, or folder of a run.")],
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            parser=path,
            help="Empty folder to rebuild it in, which is kept; else one in the root or cache, deleted if identical.",
        ),
    ] = None,
    root: Root = Path(DEFAULT_ROOT),
    as_json: AsJson = False,
) -> None:
    """Rebuild a run in an empty root, and compare its artifacts digest by digest; exit with 3 if one differs.

    It stops at the first artifact that differs, and prints the reasons that are known. Nothing is published.

    After an interruption (exit code 143), the same command continues.
    """
    from job.commands.reproduce import reproduce_run
    from job.store.opened import open_root

    raise typer.Exit(reproduce_run(run, open_root(root), into, context.obj, as_json=as_json))


@command
def sweep(
    context: typer.Context,
    config: Annotated[
        Any,
        typer.Option(
            parser=location, metavar="PATH", help="Configuration file with a section `sweep`: the values to try."
        ),
    ],
    overrides: Overrides = None,
    root: ConfiguredRoot = None,
    index: Annotated[int, typer.Option(metavar="INDEX", help="Share of the trials to run, from 0.")] = 0,
    count: Annotated[int, typer.Option(metavar="COUNT", help="Number of shares, one for each machine.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print trials and ranking on standard output, all else on standard error.")
    ] = False,
) -> None:
    """Run many trials that differ in chosen keys, rank them by validation, and evaluate the best one."""
    from job.commands.sweep import run_sweep

    options = SweepOptions(
        config=config, overrides=overrides or (), root=root, index=index, count=count, as_json=as_json
    )
    raise typer.Exit(run_sweep(options, context.obj))
