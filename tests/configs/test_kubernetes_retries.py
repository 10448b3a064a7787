"""The pod failure policy retries and fails as the exit codes of the job require."""

from __future__ import annotations

from typing import Any

from components.base.errors import ExitCode
from components.trainer.config import CheckpointConfig
from job.reporters.termination_log import VARIABLE
from job.signals import GRACE_SECONDS
from tests.configs.kubernetes import WORKERS, Rendered, require_kubectl

require_kubectl()

OUT_OF_MEMORY = 137
ACTIONS: dict[int, str] = {
    ExitCode.INTERNAL_ERROR: "Count",
    ExitCode.USAGE: "FailJob",
    ExitCode.BAD_DATA: "FailJob",
    ExitCode.NOT_BLESSED: "FailJob",
    ExitCode.MISSING_RESOURCE: "Count",
    ExitCode.TERMINATED: "Count",
    OUT_OF_MEMORY: "Count",
}


def decided(rules: list[dict[str, Any]], *, exit_code: int, conditions: tuple[str, ...] = ()) -> str:
    """Return the action for a failed pod: that of the first matching rule, otherwise Count."""
    for rule in rules:
        codes = rule.get("onExitCodes", {"operator": "In", "values": []})
        if (exit_code in codes["values"]) is (codes["operator"] == "In"):
            return str(rule["action"])
        if any(one["type"] in conditions and one["status"] == "True" for one in rule.get("onPodConditions", ())):
            return str(rule["action"])
    return "Count"


def test_every_exit_code_has_its_action(overlay: str, rendered: Rendered) -> None:
    assert set(ACTIONS) - {OUT_OF_MEMORY} == set(ExitCode) - {ExitCode.SUCCEEDED}
    rules = rendered.job["podFailurePolicy"]["rules"]
    # The termination of one worker ends all of them.
    expected = ACTIONS | ({int(ExitCode.TERMINATED): "Ignore"} if overlay in WORKERS else {})
    assert {code: decided(rules, exit_code=code) for code in ACTIONS} == expected
    assert rendered.pod["restartPolicy"] == "Never", "a failure policy requires it"
    assert {rule["onExitCodes"]["containerName"] for rule in rules if "onExitCodes" in rule} == {
        rendered.container["name"]
    }


def test_disruptions_never_count_as_failures(rendered: Rendered) -> None:
    rules = rendered.job["podFailurePolicy"]["rules"]
    for code in ACTIONS:
        assert decided(rules, exit_code=code, conditions=("DisruptionTarget",)) == "Ignore", code


def test_failures_are_retried_a_few_times(overlay: str, rendered: Rendered) -> None:
    if overlay == "jobset":
        retries = rendered.documents["JobSet"]["spec"]["failurePolicy"]["maxRestarts"]
    else:
        retries = rendered.job["backoffLimitPerIndex" if overlay == "sweep" else "backoffLimit"]
    assert 1 <= retries <= 12


def test_finished_job_is_deleted_after_a_while(rendered: Rendered) -> None:
    lifetime = rendered.documents[rendered.kind]["spec"] if rendered.kind == "JobSet" else rendered.job
    assert lifetime["ttlSecondsAfterFinished"] >= 3600


def test_grace_period_allows_a_last_checkpoint(rendered: Rendered) -> None:
    # Writing a checkpoint never takes longer than the interval between two.
    assert rendered.pod["terminationGracePeriodSeconds"] >= GRACE_SECONDS + CheckpointConfig().every_seconds


def test_termination_message_is_where_kubernetes_reads_it(rendered: Rendered) -> None:
    path = rendered.container["terminationMessagePath"]
    assert rendered.variables[VARIABLE] == path
    assert rendered.mounted_below(path) == {}, "the kubelet mounts it, writable"
    assert rendered.container["terminationMessagePolicy"] == "FallbackToLogsOnError"
