"""The line that states which model a command uses."""

import time
from contextlib import suppress

from rich.console import Console
from rich.markup import escape

from components.artifacts import TransformedExamples
from components.base.errors import IntegrityError
from components.base.formatting import format_age
from components.base.text import printable
from job.reporters.terminal import print_parts
from job.store.lineage import find_training_examples
from job.store.resolved_model import MODEL_OPTION, ResolvedModel
from job.store.root import address


def print_model(console: Console, model: ResolvedModel) -> None:
    """Print the run, data set, test accuracy and age of a model, and the data sets with other blessed models."""
    record, evaluation = model.record, model.evaluation
    if record is None:
        name, created = address(model.sealed.directory), model.sealed.modified
    else:
        name, created = f"run {record.run_id}", record.started.timestamp()
    accuracy = "unknown" if evaluation is None else f"{evaluation.metrics.accuracy:.4f}"
    parts = [name, f"trained on {_data_set(model)}", f"test accuracy {accuracy}"]
    parts += ["NOT BLESSED"] if record is not None and record.blessed is False else []
    parts.append(f"{format_age(max(0.0, time.time() - created))} old")
    print_parts(console, "model: ", [escape(part) for part in parts])
    for data_set, run_id in model.others.items():
        others = [f"{MODEL_OPTION} {run_id}", f"trained on {data_set or 'other data'}"]
        print_parts(console, "also blessed: ", [escape(part) for part in others])


def _data_set(model: ResolvedModel) -> str:
    if model.record is not None and model.record.data_set is not None:
        return model.record.data_set
    with suppress(IntegrityError):
        examples: TransformedExamples = find_training_examples(model.sealed).artifact
        return printable(examples.title)
    return "unknown data"
