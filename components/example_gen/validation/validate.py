"""All checks of the data: made, told, listed, and stated in the manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from components.artifacts import Anomaly, Level
from components.base.errors import DataError
from components.example_gen.validation.balance import check_balance
from components.example_gen.validation.drift import check_drift, measure_drift
from components.example_gen.validation.images import check_images
from components.example_gen.validation.listing import first_places, image_id, write_listing

if TYPE_CHECKING:
    from components.artifacts import Examples
    from components.base.component import Context
    from components.example_gen.validation.anomalies import Finding
    from components.example_gen.validation.config import ChecksConfig
    from components.example_gen.validation.image_index import ImageIndex

LISTING = "anomalies.csv"
NAMED = 20
"""Images that the manifest names of each anomaly."""
TOLD = 3
"""Images that are named to a person."""


def check_examples(
    examples: Examples, seen: ImageIndex, checks: ChecksConfig, context: Context, *, baseline: Examples | None
) -> Examples:
    """Make the checks, tell what is a warning or an error, and list the images in `anomalies.csv`.

    Args:
        examples: what was written to `context.output`.
        seen: its images; empty if no check looks at images.
        checks: which checks, and how grave their findings are.
        context: whom to tell, and where to write.
        baseline: what to measure drift against, if there is anything.

    Returns:
        The examples with their anomalies and drift.

    Raises:
        DataError: if something was found that is an error, once all was told.
        StorageError: if the disk is full.
    """
    findings = [*check_images(seen, checks, examples.class_names), *check_balance(examples, checks.class_imbalance)]
    drift = None
    if baseline is not None and checks.drift.level != "off":
        drift = measure_drift(examples, baseline, checks.drift)
        findings += check_drift(examples, baseline, drift, checks.drift)
    gravest_first = get_args(Level)[::-1]
    findings.sort(key=lambda finding: gravest_first.index(finding.level))
    for finding in findings:
        if finding.level != "note":
            context.progress.warning(f"{finding.message}{_such_as(finding, seen)}")
    if findings and findings[0].level == "error":
        raise _error(findings[0], seen, examples, context)
    listed = any(len(finding.images) for finding in findings)
    if listed:
        write_listing(findings, seen, examples, context.output, LISTING)
    return examples.model_copy(
        update={
            "anomalies": tuple(_anomaly(finding, seen) for finding in findings),
            "anomalies_file": LISTING if listed else None,
            "drift": drift,
        }
    )


def _anomaly(finding: Finding, seen: ImageIndex) -> Anomaly:
    return Anomaly(
        check=finding.check,
        level=finding.level,
        message=finding.message,
        count=finding.count,
        examples=first_places(finding, seen, NAMED),
    )


def _such_as(finding: Finding, seen: ImageIndex) -> str:
    """Return a few of the images that a finding is about, in brackets, and nothing for one that is about none."""
    more = ", ..." if len(finding.images) > TOLD else ""
    return f" ({', '.join(first_places(finding, seen, TOLD))}{more})" if len(finding.images) else ""


def _error(finding: Finding, seen: ImageIndex, examples: Examples, context: Context) -> DataError:
    setting = f"example_gen.checks.{finding.setting}"
    where, listed = "", ""
    if len(finding.images):
        (place,) = first_places(finding, seen, 1)
        split, row = place.split("/")
        where = f"; the first is row {row} of {split}, which is {image_id(finding, seen, examples, context.output)}"
        where += " in the source"
        listed = f", and find all of them in {LISTING}"
    return DataError(
        f"{examples.source.title}: {finding.message}{where}",
        expected=f"data without {finding.check.replace('_', ' ')}, for {setting} is `error`",
        remedy=f"correct the data, or set {setting} to `warning`{listed}",
    )
