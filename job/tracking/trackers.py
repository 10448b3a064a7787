"""The tools that follow a run, as one tracker, which costs the run no time but a little at its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from components.base.errors import one_line
from job.tracking.background import InThread
from job.tracking.redact import without_passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from components.base.termination import Termination
    from job.reporters.listener import RunListener
    from job.store.records import RunRecord, StepRecord
    from job.store.store import SealedArtifact
    from job.tracking.tracker import Tool

PATIENCE = 20.0
"""Seconds that the end of a run waits for all tools together to hear what they have not heard yet."""
HASTE = 3.0
"""The same, from when the job was asked to end, as who asks kills it some seconds later, or all tools have failed."""
SILENCE = 2.0
"""Seconds of these before the run says what it waits for."""
POLL = 0.1
"""Seconds between two looks at whether the job was asked to end."""


class Trackers:
    """Tells each tool what it hears, and the run once of each that fails, where the run itself is told.

    Args:
        makers: make the tools, by their names, when a run of that id begins; that can fail too.
        report: told what failed.
        termination: asked whether to hurry at the end.
    """

    def __init__(
        self, makers: Mapping[str, Callable[[str], Tool]], report: RunListener, termination: Termination
    ) -> None:
        self._makers, self._report, self._termination = makers, report, termination
        self._tools: list[InThread] = []
        self._unmade: list[str] = []
        self._warned: set[str] = set()

    @property
    def places(self) -> Mapping[str, str]:
        return {
            **dict.fromkeys(self._unmade, "not followed"),
            **{
                name: place if tool.failure is None else f"{place} (not followed to its end)"
                for tool in self._tools
                for name, place in tool.places.items()
            },
        }

    def begin(self, record: RunRecord) -> None:
        for name, make in self._makers.items():
            try:
                self._tools.append(InThread(name, make(record.run_id)))
            except Exception as error:  # an installation that is broken, or a configuration
                self._unmade.append(name)
                self._warn(name, without_passwords(one_line(error)))
        self._tell(lambda tool: tool.begin(record))

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        taken_down = dict(metrics)
        self._tell(lambda tool: tool.end_epoch(epoch, taken_down))

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        self._tell(lambda tool: tool.end_step(step, sealed))

    def end(self, record: RunRecord, directory: Path) -> None:
        self._tell(lambda tool: tool.end(record, directory))
        self._tell(None)
        waited = self._wait()
        for tool in self._tools:
            if tool.is_busy:
                tool.abandon(f"it did not hear how the run ended within {waited:.0f} s")
        self._warn_of_failures()

    def _tell(self, call: Callable[[Tool], None] | None) -> None:
        for tool in self._tools:
            tool.tell(call)
        self._warn_of_failures()

    def _wait(self) -> float:
        """Wait for all tools, but not for long, and return for how many seconds."""
        began = time.monotonic()
        until, said, hurried = began + PATIENCE, False, False
        while (busy := [tool for tool in self._tools if tool.is_busy]) and (now := time.monotonic()) < until:
            hearing = [tool.name for tool in busy if tool.failure is None]
            if (self._termination.requested or not hearing) and not hurried:
                until, hurried = min(until, now + HASTE), True
            if now - began > SILENCE and hearing and not said:
                names = " and ".join(hearing)
                most = f"{until - now:.0f} s at most"
                self._report.message(f"{names} still has to hear how the run went; waits until it has, {most}")
                said = True
            busy[0].wait(min(POLL, until - now))
        return time.monotonic() - began

    def _warn_of_failures(self) -> None:
        for tool in self._tools:
            if tool.failure is not None and tool.name not in self._warned:
                self._warn(tool.name, tool.failure)

    def _warn(self, name: str, why: str) -> None:
        self._warned.add(name)
        self._report.warning(
            f"{name} does not follow the run any more, which takes no harm: {why}; "
            f"see to that before the next run, or take tracking.{name} away"
        )
