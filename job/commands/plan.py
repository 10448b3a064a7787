"""Command `plan`: what a run would do."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from components.base.formatting import format_size
from components.runtime.disk import free_bytes
from job.commands.run import read_config
from job.options import RunOptions
from job.pipeline.slots import find_slot
from job.reporters.terminal import LABEL_WIDTH, make_console, print_field, print_json, print_parts, print_text
from job.runner.estimate import Estimate
from job.runner.plan import Plan, PlannedStep, Planner

if TYPE_CHECKING:
    from rich.console import Console

    from job.store.store import Store

WOULD_RUN = 10
"""Exit code with --exit-code if something would or may run or be published."""
ACTION_STYLE = {"reused": "cyan", "runs": "green", "may run": "yellow"}


def plan(options: RunOptions, *, with_exit_code: bool) -> int:
    """Print what a run with these options would do, and return the exit code."""
    config, selection = read_config(options)
    until = None if options.until is None else find_slot(options.until, config.pipeline.step_names())
    planner = Planner(config, **selection, use_cache=not options.no_cache, strict=options.strict, until=until)
    plan = planner.plan()
    if options.as_json:
        print_json({"root": str(config.root), **plan_values(plan), "free_disk_bytes": free_bytes(planner.store.root)})
    else:
        print_plan(make_console(), plan, planner.store)
    return WOULD_RUN if with_exit_code and not plan.does_nothing else 0


def plan_values(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON values."""
    at_least, at_most = _estimates(plan)
    steps = [
        asdict(step) | {"references": {name: each.model_dump(mode="json") for name, each in step.references.items()}}
        for step in plan.steps
    ]
    return {
        "does_nothing": plan.does_nothing,
        "steps": steps,
        "at_least": None if at_least is None else asdict(at_least),
        "at_most": None if at_most is None else asdict(at_most),
        "not_estimated": plan.not_estimated,
    }


def _estimates(plan: Plan) -> tuple[Estimate | None, Estimate | None]:
    """Return the estimate of the steps that are certain to run, and that of all that may run."""
    return plan.estimate("runs"), plan.estimate("runs", "may run")


def print_plan(console: Console, plan: Plan, store: Store) -> None:
    """Print one row per step, and the estimate of time, memory and disk space."""
    print_parts(console, "plan ", ["of the next run", f"root {escape(store.address(store.root))}"])
    width = max(len(step.component) for step in plan.steps)
    for step in plan.steps:
        head = f"{step.component:<{width}}  [{ACTION_STYLE[step.action]}]{step.action:<7}[/]  "
        print_text(console, head, escape(_describe(step)))
        if step.publishes:
            print_text(console, f"{'':<{width}}  publishes ", escape(step.publishes))
        elif step.withheld:
            print_text(console, f"{'':<{width}}  publishes nothing: ", escape(step.withheld))
    if plan.does_nothing:
        print_field(console, "estimate", "nothing to run, nothing to publish")
    _print_estimate(console, plan, store.root)


def _describe(step: PlannedStep) -> str:
    if step.action == "reused":
        return step.reason if step.run_id is None or step.run_id in step.reason else f"from run {step.run_id}"
    time = "" if step.estimate is None else f"about {step.estimate.cpu_seconds:,.1f} CPU-s"
    workers = "" if step.workers is None else f"{len(step.workers) or 'several'} workers together"
    resumes = "continues from a checkpoint" if step.resumes else ""
    return "; ".join(filter(None, [step.reason, resumes, workers, time]))


def _print_estimate(console: Console, plan: Plan, root: Path) -> None:
    at_least, at_most = _estimates(plan)
    if at_most is not None:
        if at_least is not None and at_least != at_most:
            print_parts(console, f"{'at least':<{LABEL_WIDTH}} ", _amounts(at_least))
        label = "estimate" if at_least == at_most else "at most"
        print_parts(console, f"{label:<{LABEL_WIDTH}} ", _amounts(at_most))
        if at_most.disk_bytes > (free := free_bytes(root)):
            text = f"only {format_size(free)} are free on the disk of {escape(str(root))}"
            print_text(console, "[bold yellow]warning:[/] ", text)
    if plan.not_estimated:
        print_field(
            console, "no estimate", escape(f"of {', '.join(plan.not_estimated)}: no earlier run has measured it")
        )


def _amounts(estimate: Estimate) -> list[str]:
    count = len(estimate.run_ids)
    memory = estimate.peak_memory_bytes
    return [
        f"{estimate.cpu_seconds:,.1f} CPU-s",
        f"{estimate.seconds / 60:,.1f} minutes",
        *([] if memory is None else [f"{format_size(memory)} of memory"]),
        f"{format_size(estimate.disk_bytes)} of disk",
        f"(from {count} run{'' if count == 1 else 's'}{'' if estimate.same_machine else ' on another machine'})",
    ]
