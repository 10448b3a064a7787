"""The command line: `python -m job`, or `mnist-job`.

Each command imports what it needs when it is called: `--help` stays quick, and none but `run`
and `predict` ever reaches TensorFlow.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from job.options import DEFAULT_ROOT, ROOT_ENV_VARIABLE, ExportFormatOption, LogFormat, PredictionFormat, RunOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.artifacts import ExportFormat

app = typer.Typer(
    name="mnist-job",
    help="Train a convolutional network to read handwritten digits, as a pipeline of components.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Root = Annotated[
    Path, typer.Option(envvar=ROOT_ENV_VARIABLE, readable=False, help="Where artifacts and runs are kept.")
]
ChosenModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="RUN",
        help="A run's id, or the path of a run or of a sealed model; by default the latest blessed run.",
    ),
]
Destination = Annotated[
    Path, typer.Argument(metavar="DIR", readable=False, help="The folder that models are pushed to.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="The configuration, a YAML file.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one key: trainer.epochs=3."),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            envvar=ROOT_ENV_VARIABLE,
            readable=False,  # the job itself says in a sentence what it cannot do there
            help="Where artifacts and runs are kept; overrides the configuration's root.",
        ),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every step, also what could be reused.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where a sealed artifact is damaged, rather than make it again.")
    ] = False,
    until: Annotated[str | None, typer.Option(metavar="COMPONENT", help="Stop after this component.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print run.json on standard output, all else on standard error.")
    ] = False,
    log_format: Annotated[
        LogFormat, typer.Option(help="How to tell what is done: for a person, or one JSON object a line.")
    ] = LogFormat.TEXT,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """Run the whole job: images in; a model, its verdict and its pictures out."""
    from job.commands.run import run_job

    raise typer.Exit(
        run_job(
            RunOptions(
                config=config,
                overrides=overrides or (),
                root=root,
                no_cache=no_cache,
                strict=strict,
                until=until,
                as_json=as_json,
                log_format=log_format,
                debug=debug,
            )
        )
    )


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[RUN|ARTIFACT]",
            help="A run's id, by default the newest; or an artifact's path, digest or fingerprint, "
            "or at least 4 characters of these; or the path of a version that was pushed.",
        ),
    ] = "latest",
    root: Root = Path(DEFAULT_ROOT),
    as_json: AsJson = False,
) -> None:
    """Show a run or an artifact, and its lineage back to the source.

    As JSON, `lineage` is that of the artifact, or of the last of a run's five steps; a run has `lineages` too, of all
    that it made nothing else of. Of an artifact, `runs` are the ids of those that made or reused it.
    """
    import json

    from job.pipeline.slots import OPTIONAL_SLOTS
    from job.reporters.lineage_tree import lineage_trees
    from job.reporters.tables import make_console, print_run
    from job.store.lineage import (
        describe,
        final_outputs,
        find_artifact,
        lineage,
        sealed_artifacts,
        step_manifests,
    )
    from job.store.runs import LATEST, RECORD, Runs
    from job.store.store import Store

    with exit_on_job_error():
        store, runs, console = Store(root), Runs(root), make_console()
        name = Path(name).resolve().name if (Path(name) / RECORD).is_file() else name
        if name != LATEST and not runs.has_record(name) and store.artifacts.is_dir():
            sealed = find_artifact(store, name)
            manifests = {other.manifest.digest: other.manifest for other in (*sealed_artifacts(store), sealed)}
            made_of: dict[str, Any] | None = lineage(manifests, sealed.manifest.digest)
            leaves = [made_of] if made_of else []
            found_in = runs.using(sealed.manifest.digest)
            shown = sealed.manifest.model_dump(mode="json") | {"runs": found_in}
            for label, text in {**describe(sealed), "runs": ", ".join(reversed(found_in)) or "none any more"}.items():
                if not as_json:
                    console.print(f"{label:<13} {text}", highlight=False, markup=False, soft_wrap=True)
        else:
            record = runs.read(name)
            manifests = step_manifests(store, record)
            if any(step.references for step in record.steps):  # what other runs made
                manifests |= {other.manifest.digest: other.manifest for other in sealed_artifacts(store)}
            line = [step.digest for step in record.steps if step.component not in OPTIONAL_SLOTS]
            made_of = lineage(manifests, line[-1]) if line else None
            leaves = [lineage(manifests, digest) for digest in final_outputs(record, manifests)]
            alive = runs.is_alive(record.run_id)
            shown = json.loads(record.to_json()) | {"lineages": leaves}
            if record.outcome == "running" and not alive:
                shown["outcome"] = "killed"  # it could not say so itself
            if not as_json:
                began = f"{record.started:%Y-%m-%d %H:%M} UTC"
                console.print(f"run [bold]{record.run_id}[/]  {began}  root {root}", highlight=False, soft_wrap=True)
                print_run(console, record, runs.path(record.run_id), alive=alive)
        if as_json:
            typer.echo(json.dumps(shown | {"lineage": made_of}, indent=2))
        elif leaves:
            console.print()
            for tree in lineage_trees(leaves):
                console.print(tree, highlight=False, soft_wrap=True)


@app.command()
def verify(root: Root = Path(DEFAULT_ROOT), as_json: AsJson = False) -> None:
    """Re-hash every sealed artifact of a root; exit 3 if one is not what its manifest says."""
    from components.base.errors import ExitCode, IntegrityError
    from job.store.integrity import verify as verify_files
    from job.store.store import Store

    with exit_on_job_error():
        store = Store(root)
        store.check_exists()
        checked, failures = 0, []
        for slot, directory in store.sealed_directories():
            checked += 1
            try:
                verify_files(directory, store.read(slot, directory).manifest)
            except IntegrityError as error:
                if not os.path.lexists(directory):
                    continue  # removed, or set aside, since it was listed
                failures.append({"artifact": str(directory), "failure": f"{error.headline}; expected {error.expected}"})
        if as_json:
            import json

            typer.echo(json.dumps({"checked": checked, "failures": failures}, indent=2))
        else:
            for failure in failures:
                typer.echo(f"FAILED {failure['failure']}")
            typer.echo(f"{checked} artifacts re-hashed, {len(failures)} failed")
        if failures:
            raise typer.Exit(int(ExitCode.BAD_DATA))


@app.command()
def predict(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            readable=False,  # what cannot be read is told and skipped
            help="PNG and JPEG files, IDX files of images, CSV files of pixels, and folders of such images.",
        ),
    ],
    root: Root = Path(DEFAULT_ROOT),
    model: ChosenModel = None,
    answer_format: Annotated[
        PredictionFormat,
        typer.Option("--format", help="A table for a person, CSV, or one JSON object a line."),
    ] = PredictionFormat.TABLE,
    show: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Save for each image what it is beside what the network saw, as a PNG file."),
    ] = None,
    as_is: Annotated[
        bool,
        typer.Option(
            "--as-is",
            help="Only make images grey and resize them, for a model that learned from such and not from MNIST.",
        ),
    ] = False,
) -> None:
    """Read new images with a trained model; exit 3 if one of them could not be read.

    A photo or a scan of one digit is brought to MNIST's convention first: ink bright on dark, 20x20 in 28x28, centred.

    What has the size of the model's images and is bright on dark already is left as it is.

    Probabilities are those of the run's evaluation: if it scaled them by a temperature, so does this.
    """
    from job.commands.predict import predict as answer
    from job.options import PredictOptions

    question = PredictOptions(paths=paths, root=root, model=model, output_format=answer_format, show=show, as_is=as_is)
    with exit_on_job_error():
        raise typer.Exit(answer(question))


@app.command()
def export(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", readable=False, help="Where to write: an empty folder, or one to be made.")
    ],
    forms: Annotated[
        list[ExportFormatOption] | None,
        typer.Option("--format", help="Which form; may be given many times. By default all whose converters are here."),
    ] = None,
    model: ChosenModel = None,
    root: Root = Path(DEFAULT_ROOT),
    as_json: AsJson = False,
) -> None:
    """Write a trained model in the forms that are deployed, without training it again.

    Each takes raw images, and is tried against the network in memory before it is kept, as when the Trainer writes it.
    """
    import json

    from job.commands.export import available, export_model
    from job.reporters.tables import make_console, print_exports
    from job.signals import Signals

    asked = cast("list[ExportFormat]", list(dict.fromkeys(form.value for form in forms or ExportFormatOption)))
    formats = asked if forms else available(asked)
    signals = Signals(remedy="run the same command again")
    with exit_on_job_error(), signals.installed(), signals.interruptible():
        exports = export_model(directory, formats, root=root, asked=model, termination=signals)
        if as_json:
            typer.echo(json.dumps([export.model_dump(mode="json") for export in exports], indent=2))
        else:
            print_exports(make_console(), directory, exports)
        for name in asked:
            if name not in formats:
                typer.echo(f"{name} is left out: what converts to it is not installed (`make extras`)", err=True)


@app.command()
def gc(
    root: Root = Path(DEFAULT_ROOT),
    keep: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Keep the N newest runs only; by default all.")
    ] = None,
    older_than: Annotated[
        str,
        typer.Option(
            metavar="AGE", help="What was left half-made, or set aside, goes when it is older: 90s, 30m, 12h, 7d."
        ),
    ] = "7d",
    delete: Annotated[bool, typer.Option("--delete", help="Delete it, rather than only list it.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what no kept run refers to, and what was left half-made or set aside; with --delete, delete it."""
    from job.reporters.tables import print_garbage
    from job.store.gc import GarbageCollector, parse_age
    from job.store.runs import Runs
    from job.store.store import Store

    with exit_on_job_error():
        store = Store(root)
        store.check_exists()
        keeping = GarbageCollector(store, Runs(root), keep=keep, older_than=parse_age(older_than))
        found = list(keeping.find())
        gone = [garbage for garbage in found if delete and keeping.delete(garbage)]
        if as_json:
            import json

            listed = [
                {"kind": it.kind, "path": str(it.path), "size": it.size, "age_seconds": round(it.age)} for it in found
            ]
            typer.echo(json.dumps({"garbage": listed, "deleted": [str(garbage.path) for garbage in gone]}, indent=2))
        else:
            print_garbage(found, gone if delete else None)


@app.command()
def doctor(
    root: Root = Path(DEFAULT_ROOT),
    require_gpu: Annotated[
        bool, typer.Option("--require-gpu", help="Exit with 5 if there is no GPU that TensorFlow can use.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Try what the job rests on: versions, devices, limits, and the places that it writes to."""
    from job.commands.doctor import diagnose
    from job.reporters.tables import make_console, print_diagnosis, print_error

    diagnosis = diagnose(root)
    failures = list(diagnosis.failures(require_gpu=require_gpu))
    if as_json:
        import dataclasses
        import json

        told = [{"headline": failure.headline, "exit_code": int(failure.exit_code)} for failure in failures]
        typer.echo(json.dumps(dataclasses.asdict(diagnosis) | {"failures": told}, indent=2))
    else:
        print_diagnosis(make_console(), diagnosis)
        for failure in failures:
            print_error(make_console(stderr=True), failure)
    if failures:
        raise typer.Exit(int(failures[0].exit_code))


@app.command()
def versions(
    destination: Destination,
    as_json: AsJson = False,
) -> None:
    """List the versions of a pushed model: when each came, what it is, which is served, a copy, or damaged."""
    from job.commands.versions import show_versions

    with exit_on_job_error():
        show_versions(destination, as_json=as_json)


@app.command()
def rollback(
    destination: Destination,
    to: Annotated[
        int | None,
        typer.Option(
            metavar="VERSION",
            help="Serve the model of this version; by default of the one that was in use before what is served now.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve an older version again: its copy becomes the newest, in one step, and nothing is deleted.

    Exit 143 is that it was ended before that step. Where it was killed, `versions` tells whether it was done.

    The version named with --to, it can be repeated: what is served already is refused.
    """
    from job.commands.versions import roll_back
    from job.signals import Signals

    signals = Signals(remedy="run the same command again: nothing was changed")
    with exit_on_job_error(), signals.installed():
        roll_back(destination, to, as_json=as_json, termination=signals)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    import json

    from job.config.schema import config_schema

    typer.echo(json.dumps(config_schema(), indent=2))


@contextmanager
def exit_on_job_error() -> Iterator[None]:
    """Print a JobError as a user should read it, and exit with its code."""
    from components.base.errors import ConfigError, JobError
    from job.reporters.tables import make_console, print_error
    from job.signals import Interrupted

    try:
        yield
    except JobError as error:
        failure = error
    except Interrupted as broken:
        failure = broken.error
    except OSError as error:
        failure = ConfigError(
            f"{error.filename} cannot be read: {error.strerror}",
            expected="a root that the user may read",
            remedy="name another with --root, or give permission",
        )
    else:
        return
    print_error(make_console(stderr=True), failure)
    raise typer.Exit(int(failure.exit_code))
