"""Commands that use a trained model, or models that were pushed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from job.cli.app import AsJson, Destination, ModelName, Root, command, input_path, path
from job.options import DEFAULT_ROOT, ExportFormatOption, PredictionFormat, PredictOptions

if TYPE_CHECKING:
    from components.artifacts import ExportFormat


@command
def predict(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            parser=input_path,
            help="Pictures, IDX files of images, CSV files of pixels, and folders of pictures and IDX files.",
        ),
    ],
    root: Root = Path(DEFAULT_ROOT),
    model: ModelName = None,
    output_format: Annotated[
        PredictionFormat | None,
        typer.Option("--format", help="A table (the default), CSV, or one JSON object per line."),
    ] = None,
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
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            parser=path,
            help="Write the predictions to Parquet files in a new folder, and print a summary. "
            "The same command continues after an interruption, and reuses finished predictions.",
        ),
    ] = None,
    shard_rows: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="With --out, maximum images in a file; by default 10,000.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --out, print the summary as JSON.")] = False,
) -> None:
    """Classify new images with a trained model; exit with 3 if an image cannot be read.

    A photo or scan of one digit is normalized like MNIST: bright ink on dark, 20x20 pixels in 28x28, centered.

    An image of the model's size that is already bright on dark is not changed.

    If the run's evaluation scaled probabilities by a temperature, so does this command.
    """
    from job.commands.predict import predict
    from job.store.opened import open_root

    options = PredictOptions(
        paths=paths,
        root=open_root(root),
        model=model,
        output_format=output_format,
        show=show,
        as_is=as_is,
        transpose=transpose,
        out=out,
        shard_rows=shard_rows,
        as_json=as_json,
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
        typer.Option(
            "--format", help="Format; can be repeated. By default, every float32 format whose converter is installed."
        ),
    ] = None,
    model: ModelName = None,
    root: Root = Path(DEFAULT_ROOT),
    as_json: AsJson = False,
) -> None:
    """Export a trained model in formats for deployment, without training it again.

    Each exported model takes raw images, and is compared with the network in memory before it is kept.
    """
    from job.commands.export import export
    from job.store.opened import open_root

    names: list[ExportFormat] | None = None if formats is None else [name.value for name in formats]
    export(directory, names, model=model, root=open_root(root), as_json=as_json, signals=context.obj)


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
