"""Command `predict --out`: bulk inference, whose predictions are a sealed artifact in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.markup import escape

from components import BulkInferrer
from components.artifacts import Predictions
from components.base.errors import ConfigError, ExitCode
from components.base.formatting import format_size
from job.options import PredictOptions
from job.reporters.model import print_model
from job.reporters.progress import ProgressBar, ProgressReporter
from job.reporters.terminal import make_console, print_field, print_json, print_path
from job.runner.step import StepRun
from job.signals import Signals
from job.store.fingerprint import fingerprint_inputs
from job.store.folder import FolderStore, OtherArtifactError
from job.store.records import StepRecord
from job.store.resolve import ArtifactResolver, resolve_model
from job.store.runs import Runs
from job.store.store import SealedArtifact

SLOT = "predictions"
MAX_DIFFERENCES = 4


def infer_in_bulk(options: PredictOptions, directory: Path, signals: Signals) -> ExitCode:
    """Predict images into a folder, or reuse the predictions in it; print a summary, and return the exit code.

    Raises:
        ConfigError: if the folder contains anything else, such as the predictions of another model.
        DataError: if no image can be read, or an image changes meanwhile.
    """
    signals.shield()
    signals.remedy = "run the same command again: it continues after the last finished shard"
    with signals.interruptible():
        model = resolve_model(options.root, options.model)
        store = FolderStore(directory)
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
            store=store,
            resolver=ArtifactResolver(store, Runs(options.root)),
            listener=progress,
            signals=signals,
            use_cache=True,
            strict=False,
        )
        try:
            record, sealed = step.run({"model": model.sealed}, run_id="another command", commit=lambda _: None)
        except OtherArtifactError as error:
            digests = {"model": model.sealed.manifest.digest}
            key = fingerprint_inputs(step.component, digests)
            differences = key.differences(error.manifest.fingerprint_inputs)[:MAX_DIFFERENCES]
            raise ConfigError(
                f"{directory} has other predictions: {'; '.join(differences)}",
                expected="a folder that does not exist yet, is empty, or has the same predictions",
                remedy="name another folder, or delete this one",
            ) from error
    predictions: Predictions = sealed.stored().artifact
    _print_summary(predictions, record, sealed, directory, as_json=options.as_json)
    return ExitCode.BAD_DATA if predictions.skipped else ExitCode.SUCCEEDED


def _print_summary(
    predictions: Predictions, record: StepRecord, sealed: SealedArtifact, directory: Path, *, as_json: bool
) -> None:
    manifest = sealed.manifest
    counts = dict(zip(predictions.class_names, predictions.label_counts, strict=True))
    reasons = {skipped.reason: skipped.count for skipped in predictions.skipped_reasons}
    if as_json:
        values: dict[str, Any] = {
            "directory": str(directory),
            "status": record.status,
            "reason": record.reason,
            "digest": manifest.digest,
            "fingerprint": manifest.fingerprint,
            "model": manifest.inputs["model"],
            "input": manifest.producer.config["input"],
            "predicted": predictions.predicted,
            "skipped": predictions.skipped,
            "skipped_reasons": reasons,
            "label_counts": counts,
            "files": [shard.file for shard in predictions.shards],
            "seconds": record.seconds,
        }
        print_json(values)
        return
    console = make_console()
    print_field(console, "predictions", f"{predictions.predicted:,} images, {predictions.skipped:,} skipped")
    if reasons:
        print_field(console, "skipped", escape(", ".join(f"{count:,} {reason}" for reason, count in reasons.items())))
    print_field(console, "by class", escape(",  ".join(f"{name}: {count:,}" for name, count in counts.items())))
    size = format_size(sum(file.size for file in manifest.files))
    print_field(console, "files", f"{len(manifest.files):,}, {size}")
    print_field(console, "status", f"{record.status} in {record.seconds:.1f} s [dim]({escape(record.reason)})[/]")
    print_field(console, "digest", manifest.digest)
    print_path(console, "directory", directory)
