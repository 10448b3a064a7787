"""Publishing to object storage with kills, zombies and concurrent pushes: each version is complete, and there once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Literal

import pytest

from components.object_storage import ObjectUrl
from components.pusher.servable import servable_digest
from components.pusher.version_store import list_versions
from tests.components.pusher.support import bytes_below, make_servable
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.object_servers import Bucket
from tests.support.processes import REPOSITORY, environment, wait_until

pytestmark = pytest.mark.thorough

PUSHING = """
import json, os, sys
from pathlib import Path
from components.base.progress import NoProgress
from components.object_storage import ObjectUrl
from components.object_storage import obstore_objects, transfer
from components.pusher import object_versions
from components.pusher.publish import publish
from components.pusher.servable import servable_digest

print("ready", flush=True)
for line in sys.stdin:
    url, *folders = json.loads(line)
    child = os.fork()
    if child == 0:
        results = []
        for folder in map(Path, folders):
            done = publish(folder, ObjectUrl.parse(url), digest=servable_digest(folder), progress=NoProgress())
            results.append([folder.name, done.version.number, done.new])
        print(json.dumps(results), flush=True)
        os._exit(0)
    print(child, flush=True)
    status = os.waitpid(child, 0)[1]
    print("killed" if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status), flush=True)
"""


class Pushing:
    """A process that forks one child for each push: a push takes a tenth of a second, and its imports a second."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PUSHING],
            cwd=REPOSITORY,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def start(self, url: ObjectUrl, *servables: Path) -> int:
        """Start a push, and return the id of its process."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([str(url), *map(str, servables)]) + "\n")
        self.process.stdin.flush()
        return int(self.line())

    def end(self) -> Any:
        """Return the name, number and novelty of each version that was pushed; None if the push was killed."""
        if (line := self.line()) == "killed":
            return None
        assert line.startswith("["), f"exit code {line}"
        assert self.line() == "0"
        return json.loads(line)


@contextmanager
def pushing(count: int) -> Iterator[list[Pushing]]:
    with ExitStack() as stack:
        started = [Pushing() for _ in range(count)]
        for one in started:
            stack.enter_context(one.process)  # closes its pipes, which ends it
        yield started


def made(folder: Path, *names: str) -> list[Path]:
    return [make_servable(folder / "made" / name, name) for name in names]


def visible(bucket: Bucket, destination: ObjectUrl) -> dict[str, dict[str, bytes]]:
    """Return the files of each version that a model server can load."""
    versions: dict[str, dict[str, bytes]] = {}
    for key, data in bucket.objects().items():
        number, _, name = key.removeprefix(f"{destination.prefix}/").partition("/")
        if key.startswith(f"{destination.prefix}/") and number.isdigit():
            versions.setdefault(number, {})[name] = data
    return {number: files for number, files in versions.items() if "saved_model.pb" in files}


def wait_and_send(signal_number: int, child: list[int], done: Event) -> Callable[[str], None]:
    """Return what sends a signal to a child, whose id is known a moment after its first request."""

    def call(_: str) -> None:
        wait_until(lambda: child, lambda: "no process", seconds=30)
        os.kill(child[0], signal_number)
        done.set()

    return call


def requests_of_a_push(process: Pushing, proxy: FaultyProxy, bucket: Bucket, servable: Path, method: str) -> int:
    proxy.plan()
    process.start(ObjectUrl.parse(f"{bucket.url}/undisturbed"), servable)
    assert process.end() is not None
    return proxy.count(method)


@pytest.mark.parametrize(("moment", "method"), [("reset", ""), ("reset_after", "PUT")])
def test_a_killed_push_leaves_a_complete_version_or_none(
    s3: Bucket, s3_proxy: FaultyProxy, tmp_path: Path, moment: Literal["reset", "reset_after"], method: str
) -> None:
    """Killed before each request, and after the store has handled each write."""
    [servable] = made(tmp_path, "model")
    left = set()
    with pushing(1) as (process,):
        requests = requests_of_a_push(process, s3_proxy, s3, servable, method)
        assert requests >= 10
        for number in range(requests):
            destination, child = ObjectUrl.parse(f"{s3.url}/{number}"), list[int]()
            call = wait_and_send(signal.SIGKILL, child, Event())
            s3_proxy.plan(Fault(moment, method=method, skip=number, count=1, call=call))
            child.append(process.start(destination, servable))
            assert process.end() is None
            assert all(files == bytes_below(servable) for files in visible(s3, destination).values())
            left.add(tuple(version.is_publishing for version in list_versions(destination)))
            s3_proxy.plan()
            process.start(destination, servable)
            assert process.end() is not None, "the next push completes it, or begins again"
            assert visible(s3, destination) == {"1": bytes_below(servable)}
    assert left == {(), (True,), (False,)}


@pytest.mark.parametrize("name", ["same", "other"])
def test_a_push_that_wakes_up_late_changes_nothing(
    s3: Bucket, s3_proxy: FaultyProxy, tmp_path: Path, name: str
) -> None:
    """Stopped after every second write, while another process pushes the same model or another one."""
    servable, pushed = made(tmp_path, "same", name)
    with pushing(2) as (sleeper, other):
        for number in range(0, requests_of_a_push(sleeper, s3_proxy, s3, servable, "PUT"), 2):
            destination, child, asleep = ObjectUrl.parse(f"{s3.url}/{number}"), list[int](), Event()
            call = wait_and_send(signal.SIGSTOP, child, asleep)
            s3_proxy.plan(Fault("reset_after", method="PUT", skip=number, count=1, call=call))
            child.append(sleeper.start(destination, servable))
            assert asleep.wait(30)
            other.start(destination, pushed)
            [[_, first, _]] = other.end()
            before = visible(s3, destination)
            assert before[str(first)] == bytes_below(pushed)
            os.kill(child[0], signal.SIGCONT)
            assert sleeper.end() is not None
            after = visible(s3, destination)
            assert {key: after[key] for key in before} == before, "nothing that was published changes"
            assert len(after) == len({"same", name}), "each model is there once"
            assert all(not version.damage for version in list_versions(destination))


def test_concurrent_pushes_publish_each_model_once(bucket: Bucket, tmp_path: Path) -> None:
    names = "abcdef"
    servables = made(tmp_path, *names)
    destination = ObjectUrl.parse(f"{bucket.url}/served")
    with pushing(4) as processes:
        for process in processes:
            process.start(destination, *servables)
        results = [result for process in processes for result in process.end()]
    versions = list_versions(destination)
    assert [version.number for version in versions] == [*range(1, len(names) + 1)]
    assert {version.digest for version in versions} == {*map(servable_digest, servables)}
    assert [version.damage for version in versions] == [""] * len(names)
    assert sum(new for _, _, new in results) == len(names)
    assert len({(name, number) for name, number, _ in results}) == len(names)
    assert not [key for key in bucket.objects() if ".staging" in key]
