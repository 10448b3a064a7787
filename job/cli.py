"""The command line: `python -m job`, or `mnist-job`. It parses options; each command is a module in `job.commands`.

A command's module is imported when the command is called, so that `--help` is fast and only `run`, `predict`, `export`
and `doctor` import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from job.docstrings import docstring
from job.frame import Command, CommandLine
from job.options import (
    DEFAULT_ROOT,
    ROOT_ENV_VARIABLE,
    ExportFormatOption,
    LogFormat,
    PredictionFormat,
    PredictOptions,
    RunOptions,
)

if TYPE_CHECKING:
    from components.artifacts import ExportFormat

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

    try:
        return parse_path(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Root = Annotated[Path, typer.Option(envvar=ROOT_ENV_VARIABLE, parser=path, help="Folder of artifacts and runs.")]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="RUN",
        help="Run id, `latest`, or path of a run or sealed model; by default the latest blessed run.",
    ),
]
Destination = Annotated[
    Path, typer.Argument(metavar="DESTINATION", parser=path, help="Folder that models are pushed to.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@command
def run(
    context: typer.Context,
    config: Annotated[Path, typer.Option(parser=path, help="Configuration file in YAML, or the name of a preset.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one key, such as trainer.epochs=3; can be repeated."),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            envvar=ROOT_ENV_VARIABLE,
            parser=path,
            help="Folder of artifacts and runs; overrides the configuration's root.",
        ),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every step, even if it can be reused.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail if a sealed artifact is damaged, instead of producing it again.")
    ] = False,
    until: Annotated[
        str | None, typer.Option(metavar="COMPONENT", help="Stop after this component or custom step, such as trainer.")
    ] = None,
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
        root=root,
        no_cache=no_cache,
        strict=strict,
        until=until,
        as_json=as_json,
        log_format=log_format,
        debug=debug,
    )
    raise typer.Exit(run_job(options, context.obj))


@command
def show(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|ARTIFACT]",
            help="Run id, by default the newest run; `latest`, the last that has results; an artifact's path, digest "
            "or fingerprint (at least 4 characters); or the path of a pushed version.",
        ),
    ] = None,
    root: Root = Path(DEFAULT_ROOT),
    as_json: AsJson = False,
) -> None:
    """Show a run or an artifact, and its lineage back to the source.

    In JSON, `lineage` belongs to the artifact, or to the last of a run's five main steps. A run also has `lineages`,
    one for each artifact that it did not use as an input. An artifact has `runs`, the ids of the runs that use it.
    """
    from job.commands.show import show

    show(name, root, as_json=as_json)


@command
def verify(root: Root = Path(DEFAULT_ROOT), as_json: AsJson = False) -> None:
    """Hash every sealed artifact again; exit with 3 if one differs from its manifest."""
    from job.commands.verify import verify

    raise typer.Exit(verify(root, as_json=as_json))


@command
def predict(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            readable=False,  # unreadable files are reported and skipped
            help="Pictures, IDX files of images, CSV files of pixels, and folders of pictures and IDX files.",
        ),
    ],
    root: Root = Path(DEFAULT_ROOT),
    model: ModelName = None,
    output_format: Annotated[
        PredictionFormat, typer.Option("--format", help="A table, CSV, or one JSON object per line.")
    ] = PredictionFormat.TABLE,
    show: Annotated[
        Path | None,
        typer.Option(metavar="DIR", parser=path, help="Save each image beside the network's input, as a PNG file."),
    ] = None,
    as_is: Annotated[
        bool,
        typer.Option(
            "--as-is",
            help="Only resize images and convert them to the model's channels, as the source `image_folder` does.",
        ),
    ] = False,
    transpose: Annotated[
        bool, typer.Option("--transpose", help="Transpose the images of IDX and CSV files, such as EMNIST's.")
    ] = False,
) -> None:
    """Classify new images with a trained model; exit with 3 if an image cannot be read.

    A photo or scan of one digit is normalized like MNIST: bright ink on dark, 20x20 pixels in 28x28, centered.

    An image of the model's size that is already bright on dark is not changed.

    If the run's evaluation scaled probabilities by a temperature, so does this command.
    """
    from job.commands.predict import predict

    options = PredictOptions(
        paths=paths, root=root, model=model, output_format=output_format, show=show, as_is=as_is, transpose=transpose
    )
    raise typer.Exit(predict(options, context.obj))


@command
def export(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", parser=path, help="Output folder, empty or not existing yet.")
    ],
    formats: Annotated[
        list[ExportFormatOption] | None,
        typer.Option("--format", help="Format; can be repeated. By default all whose converters are installed."),
    ] = None,
    model: ModelName = None,
    root: Root = Path(DEFAULT_ROOT),
    as_json: AsJson = False,
) -> None:
    """Export a trained model in formats for deployment, without training it again.

    Each exported model takes raw images, and is compared with the network in memory before it is kept.
    """
    from job.commands.export import export

    names: list[ExportFormat] | None = None if formats is None else [name.value for name in formats]
    export(directory, names, model=model, root=root, as_json=as_json, signals=context.obj)


@command
def gc(
    root: Root = Path(DEFAULT_ROOT),
    keep: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Keep the N newest runs, `latest`, the newest blessed one of each data set, and their baselines; "
            "by default all.",
        ),
    ] = None,
    older_than: Annotated[
        str,
        typer.Option(
            metavar="AGE", help="Minimum age of partial and quarantined artifacts, such as 90s, 30m, 12h or 7d."
        ),
    ] = "7d",
    delete: Annotated[bool, typer.Option("--delete", help="Delete the items after they are listed.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what no kept run uses, and old partial or quarantined artifacts; delete them with --delete."""
    from job.commands.gc import collect_garbage

    collect_garbage(root, keep=keep, older_than=older_than, delete=delete, as_json=as_json)


@command
def doctor(
    root: Root = Path(DEFAULT_ROOT),
    require_gpu: Annotated[
        bool, typer.Option("--require-gpu", help="Exit with 5 if TensorFlow has no usable GPU.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check versions, devices, limits, and the folders that the job writes to."""
    from job.commands.doctor import doctor

    raise typer.Exit(doctor(root, require_gpu=require_gpu, as_json=as_json))


@command
def versions(destination: Destination, as_json: AsJson = False) -> None:
    """List the versions of a pushed model, with time, accuracy and state (served, copy, damaged)."""
    from job.commands.versions import show_versions

    show_versions(destination, as_json=as_json)


@command
def rollback(
    context: typer.Context,
    destination: Destination,
    to: Annotated[
        int | None, typer.Option(metavar="VERSION", help="Version to serve again; by default the one served before.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve an older version again: a copy of it becomes the newest version, in one step. Nothing is deleted.

    Exit code 143 means that nothing was changed. If the command is killed, `versions` shows whether it was done.

    With --to the command is safe to repeat: a version that is already served is refused.
    """
    from job.commands.versions import roll_back

    roll_back(destination, to, as_json=as_json, signals=context.obj)


@command
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from job.config.schema import config_schema
    from job.reporters.terminal import print_json

    print_json(config_schema())
