"""Command `predict --out`: bulk inference, whose predictions are a sealed artifact in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.markup import escape

from components import BulkInferrer
from components.artifacts.predictions import CONTINUED_FILES
from components.base.errors import ConfigError, ExitCode
from components.base.formatting import counted, format_size
from job.options import PredictOptions
from job.reporters.model import print_model
from job.reporters.predictions import describe_predictions
from job.reporters.progress import ProgressBar, ProgressReporter
from job.reporters.terminal import make_console, print_field, print_json, print_path
from job.runner.look_up import StepFinder, why_it_runs
from job.runner.step import StepRun
from job.signals import Signals
from job.store.artifact_resolver import ArtifactResolver
from job.store.fingerprint import fingerprint_inputs
from job.store.folder import FolderStore, OtherArtifactError
from job.store.records import StepRecord
from job.store.resolved_model import resolve_model
from job.store.runs import Runs
from job.store.sealed import SealedArtifact

SLOT = "predictions"


def infer_in_bulk(options: PredictOptions, directory: Path, signals: Signals) -> ExitCode:
    """Predict images into a folder, or reuse the predictions in it; print a summary, and return the exit code.

    Raises:
        ConfigError: if the folder contains anything else, such as the predictions of another model.
        DataError: if no image can be read, or an image changes before the end.
    """
    signals.shield()
    signals.remedy = "run the same command again: it continues after the last finished shard"
    with signals.interruptible():
        model = resolve_model(options.root, options.model)
        store = FolderStore(directory)
        store.check_outside(options.root)
        store.prepare()
    errors = make_console(stderr=True)
    print_model(errors, model)
    with ProgressBar(errors, make_console()) if errors.is_terminal else ProgressReporter(errors) as progress:
        values = {"shard_rows": options.shard_rows} if options.shard_rows is not None else {}
        config = BulkInferrer.Config(
            paths=tuple(options.paths),
            as_is=options.as_is,
            transpose=options.transpose,
            temperature=model.temperature,
            graph=model.graph,
            **values,
        )
        step = StepRun(
            slot=SLOT,
            component=BulkInferrer(config, observer=progress),
            finder=StepFinder(store, ArtifactResolver(store, Runs(options.root))),
            listener=progress,
            signals=signals,
        )
        try:
            inputs = {"model": model.sealed}
            record, sealed = step.run(inputs, run_id="another command", commit=lambda _: store.delete_partial())
        except OtherArtifactError as error:
            key = fingerprint_inputs(step.component, {"model": model.sealed.manifest.digest})
            raise ConfigError(
                f"{directory} has other predictions: {why_it_runs(key, error.manifest.fingerprint_inputs)}",
                expected="a folder that does not exist yet, is empty, or has the same predictions",
                remedy="name another folder, or delete this one",
            ) from error
    if options.as_json:
        print_json(_summary(record, sealed, directory))
    else:
        _print_summary(record, sealed, directory)
    return ExitCode.BAD_DATA if sealed.stored().artifact.skipped else ExitCode.SUCCEEDED


def _print_summary(record: StepRecord, sealed: SealedArtifact, directory: Path) -> None:
    manifest = sealed.manifest
    console = make_console()
    fields = describe_predictions(sealed.stored().artifact)
    fields["status"] = f"{record.status} in {record.seconds:.1f} s ({_reason(record, sealed)})"
    fields["digest"] = manifest.digest
    fields["files"] = f"{len(manifest.files):,}, {format_size(sum(file.size for file in manifest.files))}"
    for label, text in fields.items():
        print_field(console, label, escape(text))
    print_path(console, "directory", directory)


def _reason(record: StepRecord, sealed: SealedArtifact) -> str:
    continued = record.observations.get(CONTINUED_FILES)
    if continued is None:
        return record.reason
    return f"continued after {continued:,.0f} of {counted(len(sealed.stored().artifact.shards), 'file')}"


def _summary(record: StepRecord, sealed: SealedArtifact, directory: Path) -> dict[str, Any]:
    manifest, predictions = sealed.manifest, sealed.stored().artifact
    return {
        "directory": str(directory),
        "status": record.status,
        "reason": _reason(record, sealed),
        "seconds": record.seconds,
        "digest": manifest.digest,
        "fingerprint": manifest.fingerprint,
        "model": manifest.inputs["model"],
        "input": manifest.producer.config["input"],
        "predicted": predictions.predicted,
        "skipped": predictions.skipped,
        "skipped_reasons": {one.reason: one.count for one in predictions.skipped_reasons},
        "label_counts": dict(zip(predictions.class_names, predictions.label_counts, strict=True)),
        "files": [shard.file for shard in predictions.shards],
    }
