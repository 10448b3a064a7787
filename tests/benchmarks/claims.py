"""Claims about the job's speed and memory: requirement, measured value, and whether the claim holds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from tests.benchmarks.programs import BARE, FAST, FAST_ON_ONE_THREAD, PLAIN, PRESETS, RECORD, RECORD_ON_ONE_THREAD
from tests.benchmarks.samples import Sample, Summary, ratio, summarize
from tests.benchmarks.table import percent, print_table

MIN_RATIO_TO_PLAIN = 10.0
MAX_CPU_RATIO_TO_RECORD = 0.65
MAX_TIME_RATIO_TO_RECORD = 0.9
MAX_ONE_THREAD_RATIO_TO_RECORD = 0.6
MAX_JOB_CPU_SECONDS = 15.0
MAX_JOB_SECONDS = 12.0
MAX_RATIO_TO_BARE = 1.15
MAX_PEAK_BYTES = 1.5e9


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim, checked against the samples.

    Attributes:
        title: the compared quantity.
        requirement: the bound, in words.
        measured: the result, in words.
        value: the result; None if it was not measured.
        holds: whether the bound is met; None if it was not measured.
    """

    title: str
    requirement: str
    measured: str = "not measured"
    value: float | None = None
    holds: bool | None = None


def check_claims(samples: Sequence[Sample]) -> list[Claim]:
    """Return all claims in the order of the printed table."""
    valid = [sample for sample in samples if not sample.failure]
    summaries = summarize(valid)
    fast = summaries.get(FAST)
    return [
        _ratio_to_plain_keras(summaries, valid),
        *_ratios_to_record(valid),
        _accuracy_compared_with_record(summaries),
        _upper_bound(
            "whole mnist-fast job",
            f"at most {MAX_JOB_CPU_SECONDS:g} CPU-seconds",
            fast.cpu if fast else None,
            MAX_JOB_CPU_SECONDS,
            "{:.2f} CPU-seconds",
        ),
        _upper_bound(
            "whole mnist-fast job, time",
            f"at most {MAX_JOB_SECONDS:g} s",
            fast.wall if fast else None,
            MAX_JOB_SECONDS,
            "{:.2f} s",
        ),
        _ratio_to_bare(summaries),
        _peak_memory(summaries),
        *_preset_claims(summaries),
    ]


def cpu_to_accuracy(sample: Sample, accuracy: float) -> float | None:
    """Return the CPU-seconds of a process whose training ends when it first reaches an accuracy; None if it never does.

    Work outside of training counts as measured.
    """
    for point in sample.curve:
        if point["accuracy"] >= accuracy and sample.other_cpu is not None:
            return sample.other_cpu + point["cpu_seconds"]
    return None


def _ratio_to_plain_keras(summaries: Mapping[str, Summary], samples: Sequence[Sample]) -> Claim:
    title = "whole mnist-fast job and plain Keras script, to the same accuracy"
    requirement = f"at least {MIN_RATIO_TO_PLAIN:g} times fewer CPU-seconds"
    fast, plain = summaries.get(FAST), summaries.get(PLAIN.name)
    if not fast or not plain or fast.accuracy is None:
        return Claim(title=title, requirement=requirement)
    target = fast.accuracy
    own = [sample for sample in samples if sample.program == PLAIN.name]
    reached = [cpu_to_accuracy(sample, target) for sample in own]
    # A run that never reaches the accuracy counts with its whole time, which is a lower bound.
    median = statistics.median(
        sample.cpu if seconds is None else seconds for sample, seconds in zip(own, reached, strict=True)
    )
    never = reached.count(None)
    return Claim(
        title=title,
        requirement=requirement,
        measured=f"{median / fast.cpu:.1f} times ({fast.cpu:.1f} and {median:.1f}, to {percent(target)} %"
        + (f"; {never} of {len(own)} never reached it" if never else "")
        + f"); {plain.cpu / fast.cpu:.1f} times for its whole run ({plain.cpu:.1f}, {percent(plain.accuracy)} %)",
        value=median / fast.cpu,
        holds=median / fast.cpu >= MIN_RATIO_TO_PLAIN,
    )


def _ratios_to_record(samples: Sequence[Sample]) -> list[Claim]:
    return [
        _training_ratio(samples, FAST, RECORD.name, "CPU-seconds", MAX_CPU_RATIO_TO_RECORD, attrgetter("training")),
        _training_ratio(samples, FAST, RECORD.name, "time", MAX_TIME_RATIO_TO_RECORD, attrgetter("training_wall")),
        _training_ratio(
            samples,
            FAST_ON_ONE_THREAD.name,
            RECORD_ON_ONE_THREAD.name,
            "CPU-seconds, one thread",
            MAX_ONE_THREAD_RATIO_TO_RECORD,
            attrgetter("training"),
        ),
    ]


def _training_ratio(
    samples: Sequence[Sample],
    program: str,
    record: str,
    quantity: str,
    bound: float,
    value: Callable[[Sample], float | None],
) -> Claim:
    title = f"training of mnist-fast and record recipe, {quantity}"
    requirement = f"at most {bound:g} times the recipe's"
    found = ratio(samples, program, record, value)
    if found is None:
        return Claim(title=title, requirement=requirement, measured="no undisturbed pair of runs")
    return Claim(
        title=title,
        requirement=requirement,
        measured=f"{found:.2f} times, median of rounds",
        value=found,
        holds=found <= bound,
    )


def _accuracy_compared_with_record(summaries: Mapping[str, Summary]) -> Claim:
    title, requirement = "accuracy of mnist-fast and record recipe", "equal or better on average"
    fast, record = summaries.get(FAST), summaries.get(RECORD.name)
    if not fast or not record or fast.accuracy is None or record.accuracy is None:
        return Claim(title=title, requirement=requirement)
    return Claim(
        title=title,
        requirement=requirement,
        measured=f"{percent(fast.accuracy, 3)} and {percent(record.accuracy, 3)} %",
        value=fast.accuracy - record.accuracy,
        holds=fast.accuracy >= record.accuracy,
    )


def _ratio_to_bare(summaries: Mapping[str, Summary]) -> Claim:
    own, bare = ((summaries[name].other_cpu if name in summaries else None) for name in (FAST, BARE.name))
    return _upper_bound(
        "all of mnist-fast except training, and the bare script",
        f"at most {MAX_RATIO_TO_BARE:g} times its CPU-seconds",
        own / bare if own is not None and bare else None,
        MAX_RATIO_TO_BARE,
        f"{{:.2f}} times ({bare or 0:.2f} CPU-seconds of the script)",
    )


def _preset_claims(summaries: Mapping[str, Summary]) -> Iterator[Claim]:
    for preset in PRESETS:
        found = summaries.get(preset.name)
        if (least := preset.min_accuracy) is not None:
            claim = Claim(title=f"mean test accuracy of {preset.name}", requirement=f"at least {percent(least)} %")
            if found and (mean := found.accuracy) is not None:
                claim = replace(claim, measured=f"{percent(mean, 3)} %", value=mean, holds=mean >= least)
            yield claim
        if (most := preset.max_training) is not None:
            title, requirement = f"training of {preset.name}", f"at most {most:g} CPU-seconds"
            yield _upper_bound(title, requirement, found.training if found else None, most, "{:.1f} CPU-seconds")


def _upper_bound(title: str, requirement: str, value: float | None, bound: float, template: str) -> Claim:
    claim = Claim(title=title, requirement=requirement)
    if value is None:
        return claim
    return replace(claim, measured=template.format(value), value=value, holds=value <= bound)


def _peak_memory(summaries: Mapping[str, Summary]) -> Claim:
    title, requirement = "peak memory of a MNIST job", f"at most {MAX_PEAK_BYTES / 1e9:g} GB"
    peaks = {preset.name: summaries[preset.name].peak for preset in PRESETS if preset.name in summaries}
    if not peaks:
        return Claim(title=title, requirement=requirement)
    measured = ", ".join(f"{name} {peak / 1e9:.2f} GB" for name, peak in peaks.items())
    highest = max(peaks.values())
    return Claim(
        title=title, requirement=requirement, measured=measured, value=float(highest), holds=highest <= MAX_PEAK_BYTES
    )


def print_claims(claims: Sequence[Claim]) -> None:
    """Print all claims as one table."""
    words = {True: "yes", False: "NO", None: "-"}
    print("Claims")
    print_table(
        ("", "requirement", "measured", "holds"),
        [(claim.title, claim.requirement, claim.measured, words[claim.holds]) for claim in claims],
    )
