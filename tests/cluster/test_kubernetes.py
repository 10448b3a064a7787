"""The shipped overlays in a real Kubernetes cluster; `make cluster-test` runs these tests.

Each test has another seed, because all tests share one volume, and would otherwise reuse the artifacts of others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import FAKES, TINY_NETWORK
from tests.support.kubernetes import KubernetesJob, Namespace, temporary_namespace

pytestmark = pytest.mark.cluster

TRAINING: dict[str, Any] = {
    **FAKES,
    "example_gen": {"source": {"kind": "digits"}},
    "transform": {},
    "trainer": {
        "network": TINY_NETWORK,
        "epochs": 60,
        "patience": 60,
        "exports": [],
        "checkpoint": {"every_steps": 20},
    },
}
"""A training that takes long enough to be interrupted."""
BROKEN = """\
from components import Context, Model, Stored, TransformedExamples
from components.testing import FakeTrainer

class BrokenTrainer(FakeTrainer):
    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        raise ZeroDivisionError
"""
FAILING: dict[int, dict[str, Any]] = {
    1: {**FAKES, "trainer": {"use": "broken:BrokenTrainer"}},
    2: {**FAKES, "trainer": {"use": "components.testing:FakeTrainer", "sede": 1}},
    3: {**FAKES, "example_gen": {"source": {"kind": "idx", "path": "/app/configs"}}},
    4: {**FAKES, "evaluator": {"use": "components.testing:FakeEvaluator", "accuracy": 0.5}},
    # Downloads MNIST, which the proxy of the test prevents.
    5: {**FAKES, "example_gen": {"source": {"kind": "tfds", "name": "mnist"}}},
}
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    with temporary_namespace(os.environ["JOB_IMAGE"]) as created:
        yield created


Submit = Callable[..., KubernetesJob]


@pytest.fixture
def submit(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Submit]:
    """Return a function that submits an overlay with a configuration; the Job is deleted at the end of the test."""

    def submitted(overlay: str, config: dict[str, Any], **changes: Any) -> KubernetesJob:
        return namespace.submit(tmp_path_factory.mktemp("manifests"), overlay, config, **changes)

    yield submitted
    kinds = "jobs,cronjobs,jobsets" if namespace.has_jobsets else "jobs,cronjobs"
    namespace.kubectl("delete", kinds, "--all", "--cascade=foreground")


def test_job_completes_and_its_pod_has_a_message(submit: Submit) -> None:
    job = submit("cpu", {**FAKES, "seed": 1})
    assert job.end()[0] == "Complete", job.describe()
    (pod,) = job.pods
    (status,) = pod["status"]["containerStatuses"]
    message = json.loads(status["state"]["terminated"]["message"])
    assert (message["outcome"], message["exit_code"]) == ("succeeded", 0)


def test_evicted_training_resumes_on_a_new_pod(submit: Submit, namespace: Namespace) -> None:
    job = submit("cpu", {**TRAINING, "seed": 2}, spec={"backoffLimit": 0})
    job.wait_for_event("epoch_finished")
    (pod,) = job.running
    namespace.evict(pod)
    assert job.end()[0] == "Complete", job.describe()
    assert "resumed" in job.events()
    assert job.get()["status"].get("failed", 0) == 0, "an eviction does not count"


def test_deadline_saves_progress_and_the_next_job_resumes(submit: Submit) -> None:
    job = submit("cpu", {**TRAINING, "seed": 3})
    job.wait_for_event("epoch_finished")
    job.namespace.kubectl("patch", "job", job.name, "--patch", '{"spec": {"activeDeadlineSeconds": 1}}')
    assert job.end() == ("Failed", "DeadlineExceeded"), job.describe()
    again = submit("cpu", {**TRAINING, "seed": 3})
    assert again.end()[0] == "Complete", again.describe()
    assert "resumed" in again.events()


@pytest.mark.parametrize("code", [2, 3, 4])
def test_exit_code_that_no_retry_changes_fails_the_job(submit: Submit, code: int) -> None:
    job = submit("cpu", {**FAILING[code], "seed": 4})
    assert job.end() == ("Failed", "PodFailurePolicy"), job.describe()
    assert job.exit_codes == [code]


@pytest.mark.parametrize("code", [1, 5])
def test_other_exit_code_is_retried_and_counted(submit: Submit, code: int) -> None:
    job = submit(
        "cpu", {**FAILING[code], "seed": 5}, spec={"backoffLimit": 1}, files={"broken.py": BROKEN}, variables=NO_NETWORK
    )
    assert job.end(seconds=600) == ("Failed", "BackoffLimitExceeded"), job.describe()  # a download is tried for minutes
    assert job.exit_codes == [code, code]


def workers_config(**changes: object) -> dict[str, Any]:
    return {**TRAINING, **changes, "trainer": {**TRAINING["trainer"], "strategy": "multi_worker"}}


def test_pods_train_together_and_resume_after_an_eviction(submit: Submit, namespace: Namespace) -> None:
    job = submit("multi-worker", workers_config(seed=6), spec={"backoffLimit": 0})
    job.wait_for_event("epoch_finished", index=1)
    namespace.evict(job.running[1])
    assert job.end(seconds=600)[0] == "Complete", job.describe()
    for index in (0, 1):
        assert "resumed" in job.events(index), job.describe()
    assert job.exit_codes.count(0) == 2, "the other pod exits with 143, and does not count either"


def test_lost_pod_ends_the_others_which_are_retried(submit: Submit, namespace: Namespace) -> None:
    job = submit("multi-worker", workers_config(seed=7))
    job.wait_for_event("epoch_finished", index=1)
    first = job.running[0]["metadata"]["name"]
    namespace.kubectl("exec", first, "--", "python", "-c", KILL_JOB)
    assert job.end(seconds=600)[0] == "Complete", job.describe()
    assert sorted(code for code in job.exit_codes if code) == [5, 137]
    assert job.events().count("resumed") >= 2


KILL_JOB = """\
import os, signal
for process in filter(str.isdecimal, os.listdir("/proc")):
    if int(process) not in (1, os.getpid()) and b"-m\\0job" in open(f"/proc/{process}/cmdline", "rb").read():
        os.kill(int(process), signal.SIGKILL)
"""
"""Process 1 is tini, which exits with the job."""


def test_jobset_trains_and_completes(submit: Submit, namespace: Namespace) -> None:
    if not namespace.has_jobsets:
        pytest.skip("the cluster has no JobSet controller")
    job = submit("jobset", workers_config(seed=8))
    assert job.end(seconds=600)[0] == "Complete", job.describe()
    assert job.exit_codes == [0, 0]


def test_cron_job_creates_jobs_that_complete(submit: Submit, namespace: Namespace) -> None:
    submit("cron", {**FAKES, "seed": 9})
    namespace.kubectl("create", "job", "mnist-job-now", "--from=cronjob/mnist-job")
    job = KubernetesJob(namespace, "mnist-job-now")
    assert job.end()[0] == "Complete", job.describe()


def test_root_in_object_storage_is_continued_by_another_pod(submit: Submit, namespace: Namespace) -> None:
    with namespace.object_store() as bucket:
        job = submit("object-store", {**TRAINING, "seed": 10}, bucket=bucket)
        job.wait_for_event("epoch_finished")
        namespace.evict(job.running[0])
        assert job.end()[0] == "Complete", job.describe()
        assert "resumed" in job.events()
