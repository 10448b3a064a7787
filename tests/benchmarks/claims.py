"""What must be seen: each claim with what was asked, what was seen, and whether that is enough."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.contestants import BARE, FAST, PLAIN, PRESETS, RECORD
from tests.benchmarks.samples import Sample, Summary, summarize
from tests.benchmarks.table import percent, print_table

TIMES_FEWER = 10.0
OF_RECORD = 0.9
BESIDE_SECONDS = 12.0
OF_BARE = 1.15
PEAK = 1.5e9


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim, held against the samples.

    Attributes:
        what: what is compared.
        asked: the bound, in words.
        seen: what was measured, in words.
        value: the same as a number; None if it was not measured.
        holds: whether it is enough; None if it was not measured.
    """

    what: str
    asked: str
    seen: str = "not measured"
    value: float | None = None
    holds: bool | None = None


def judge(samples: Sequence[Sample]) -> list[Claim]:
    """Return every claim, in the order in which they are told."""
    good = [sample for sample in samples if not sample.failure]
    summaries = summarize(good)
    return [
        _against_plain_keras(summaries, good),
        *_against_record(summaries),
        _at_most(
            "all of mnist-fast that is not training",
            f"at most {BESIDE_SECONDS:g} CPU-seconds",
            summaries,
            lambda fast: fast.beside,
            BESIDE_SECONDS,
            "{:.2f} CPU-seconds",
        ),
        _against_bare(summaries),
        _peak(summaries),
    ]


def to_accuracy(sample: Sample, accuracy: float) -> float | None:
    """Return the CPU-seconds of a whole process that ends its training when it first has an accuracy; None if never.

    What it does beside training is counted as it was.
    """
    for point in sample.curve:
        if point["accuracy"] >= accuracy and sample.beside is not None:
            return sample.beside + point["cpu_seconds"]
    return None


def _against_plain_keras(summaries: Mapping[str, Summary], samples: Sequence[Sample]) -> Claim:
    what = "whole mnist-fast job against the plain Keras script, to the same accuracy"
    asked = f"at least {TIMES_FEWER:g} times fewer CPU-seconds"
    fast, plain = summaries.get(FAST), summaries.get(PLAIN.name)
    if not fast or not plain or fast.accuracy is None:
        return Claim(what=what, asked=asked)
    target = fast.accuracy
    own = [sample for sample in samples if sample.contestant == PLAIN.name]
    reached = [to_accuracy(sample, target) for sample in own]
    # One that never gets there takes at least all that it took.
    times = statistics.median(
        sample.cpu if seconds is None else seconds for sample, seconds in zip(own, reached, strict=True)
    )
    never = reached.count(None)
    return Claim(
        what=what,
        asked=asked,
        seen=f"{times / fast.cpu:.1f} times ({fast.cpu:.1f} against {times:.1f}, to {percent(target)} %"
        + (f"; {never} of {len(own)} never got there" if never else "")
        + f"); {plain.cpu / fast.cpu:.1f} times to its own end ({plain.cpu:.1f}, {percent(plain.accuracy)} %)",
        value=times / fast.cpu,
        holds=times / fast.cpu >= TIMES_FEWER,
    )


def _against_record(summaries: Mapping[str, Summary]) -> list[Claim]:
    seconds = Claim(what="training of mnist-fast against the record recipe", asked=f"at most {OF_RECORD:g} of its CPU")
    right = Claim(what="accuracy of mnist-fast against the record recipe", asked="equal or better on average")
    fast, record = summaries.get(FAST), summaries.get(RECORD.name)
    if fast and record and fast.training is not None and record.training:
        ratio = fast.training / record.training
        seconds = Claim(
            what=seconds.what,
            asked=seconds.asked,
            seen=f"{ratio:.2f} ({fast.training:.2f} against {record.training:.2f} CPU-seconds)",
            value=ratio,
            holds=ratio <= OF_RECORD,
        )
    if fast and record and fast.accuracy is not None and record.accuracy is not None:
        right = Claim(
            what=right.what,
            asked=right.asked,
            seen=f"{percent(fast.accuracy, 3)} against {percent(record.accuracy, 3)} %",
            value=fast.accuracy - record.accuracy,
            holds=fast.accuracy >= record.accuracy,
        )
    return [seconds, right]


def _against_bare(summaries: Mapping[str, Summary]) -> Claim:
    bare = summaries.get(BARE.name)
    beside = bare.beside if bare else None
    return _at_most(
        "the same against a bare script",
        f"at most {OF_BARE:g} times its CPU-seconds",
        summaries if beside else {},
        lambda fast: fast.beside / beside if fast.beside is not None and beside else None,
        OF_BARE,
        f"{{:.2f}} times ({beside or 0:.2f} CPU-seconds there)",
    )


def _at_most(
    what: str,
    asked: str,
    summaries: Mapping[str, Summary],
    of: Callable[[Summary], float | None],
    bound: float,
    told: str,
) -> Claim:
    value = of(summaries[FAST]) if FAST in summaries else None
    if value is None:
        return Claim(what=what, asked=asked)
    return Claim(what=what, asked=asked, seen=told.format(value), value=value, holds=value <= bound)


def _peak(summaries: Mapping[str, Summary]) -> Claim:
    what, asked = "peak memory of a MNIST job", f"at most {PEAK / 1e9:g} GB"
    peaks = {preset.name: summaries[preset.name].peak for preset in PRESETS if preset.name in summaries}
    if not peaks:
        return Claim(what=what, asked=asked)
    seen = ", ".join(f"{name} {peak / 1e9:.2f} GB" for name, peak in peaks.items())
    highest = max(peaks.values())
    return Claim(what=what, asked=asked, seen=seen, value=float(highest), holds=highest <= PEAK)


def print_claims(claims: Sequence[Claim]) -> None:
    """Print them as one section."""
    words = {True: "yes", False: "NO", None: "-"}
    print("What must be seen")
    print_table(
        ("", "asked", "seen", "enough"), [(claim.what, claim.asked, claim.seen, words[claim.holds]) for claim in claims]
    )
