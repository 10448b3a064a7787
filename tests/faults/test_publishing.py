"""Publishing with kills, concurrent pushes and a full disk: every version is complete, and none is lost."""

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from components.base.errors import StorageError
from components.pusher.metadata import read_statement, write_statement
from components.pusher.publish import publish
from components.pusher.servable import servable_digest
from components.runtime.locks import acquire
from tests.components.pusher.support import make_servable, push, roll_back, served
from tests.support.disks import small_disk
from tests.support.processes import REPOSITORY, environment, start, wait_until
from tests.support.progress import RecordingProgress

KILLING = """
import json, os, signal, sys
from itertools import count
from pathlib import Path
from tests.components.pusher.support import make_servable, push, served

def kill_at(moment):
    left = [moment]
    def hook(event, arguments):
        if event.split(".")[0] in ("open", "os", "shutil"):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

folder = Path(sys.argv[1])
for moment in count(1):
    here = folder / str(moment)
    push(here, "a")
    make_servable(here / "made" / "b", "b")
    child = os.fork()
    if child == 0:
        kill_at(moment)
        push(here, "b")
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    after = served(here / "served")
    left = sorted(path.name for path in (here / "served").iterdir() if not path.name.isdigit())
    again = push(here, "b")
    print(json.dumps({
        "killed": killed,
        "versions": after,
        "left": left,
        "again": served(here / "served"),
        "complete": not again.version.damage,
        "then_left": sorted(path.name for path in (here / "served").iterdir() if not path.name.isdigit()),
    }))
    if not killed:
        break
"""


def run_script(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=REPOSITORY,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    return [json.loads(line) for line in stdout.splitlines()]


@pytest.mark.thorough
def test_a_killed_push_leaves_a_complete_version_or_none(tmp_path: Path) -> None:
    *killed, completed = finished(run_script(KILLING, tmp_path))
    assert len(killed) > 30, "one kill for each file or folder operation"
    assert not completed["killed"]
    assert {tuple(outcome["versions"]) for outcome in killed} == {("a",), ("a", "b")}
    assert any(any(name.startswith(".staging-") for name in outcome["left"]) for outcome in killed)
    for outcome in (*killed, completed):
        assert outcome["again"] == ["a", "b"], "the next push publishes it, and only once"
        assert outcome["complete"]
        assert outcome["then_left"] == [], "and removes what was left"


PUSHING = """
import json, sys
from pathlib import Path
from tests.components.pusher.support import push_unplanned

print("{}", flush=True)
sys.stdin.readline()
for name in sys.argv[2]:
    published = push_unplanned(Path(sys.argv[1]), name)
    print(json.dumps({"name": name, "number": published.version.number, "new": published.new}))
"""


def test_concurrent_pushes_publish_each_model_once(tmp_path: Path) -> None:
    names = "abcdefgh"
    for name in names:
        make_servable(tmp_path / "made" / name, name)
    processes = [run_script(PUSHING, tmp_path, names) for _ in range(4)]
    for process in processes:  # start at the same time, after all imports
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [result for process in processes for result in finished(process)]
    assert sorted(served(tmp_path / "served")) == sorted(names)
    assert {path.name for path in (tmp_path / "served").iterdir()} == {str(number) for number in range(1, 9)}
    assert len(results) == 4 * len(names)
    assert sum(result["new"] for result in results) == len(names)
    assert len({(result["name"], result["number"]) for result in results}) == len(names)


def test_a_full_disk_leaves_the_served_version(tmp_path: Path) -> None:
    big = make_servable(tmp_path / "big", "big")
    with (big / "variables" / "variables.data-00000-of-00001").open("wb") as file:
        file.write(bytes(4 << 20))
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        (disk / "made").mkdir()
        push(disk, "a")
        with pytest.raises(StorageError, match="no space for the model that is published") as raised:
            publish(big, disk / "served", digest=servable_digest(big), progress=RecordingProgress())
        assert "needed" in raised.value.headline
        assert "--root" not in raised.value.remedy
        assert served(disk / "served") == ["a"]
        assert sorted(path.name for path in (disk / "served").iterdir()) == ["1"]


def test_a_rollback_on_a_full_disk_reports_the_needed_size(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2 << 20) as disk:
        big = make_servable(disk / "made" / "big", "big")
        (big / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(700_000))
        write_statement_of(big)
        push(disk, "big")
        push(disk, "b")
        with pytest.raises(StorageError, match=r"about 0\.7 MB needed|about 700\.\d kB needed") as raised:
            roll_back(disk / "served")
        assert "served" in raised.value.headline
        assert sorted(path.name for path in (disk / "served").iterdir()) == ["1", "2"]


def write_statement_of(directory: Path) -> None:
    """Let a servable that was changed state what it is now."""
    stated = read_statement(directory)
    assert stated is not None
    write_statement(stated.model_copy(update={"content_sha256": servable_digest(directory)}), directory)


def test_a_signal_ends_waiting_for_the_lock(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    with acquire(tmp_path / "served/.lock", owner="another push"):
        process = start("rollback", tmp_path / "served")
        watchdog = Timer(30, process.kill)  # without a message, the test would wait forever
        watchdog.start()
        assert process.stderr is not None
        assert process.stderr.readline().startswith("waiting: another push, process ")
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=60)
        watchdog.cancel()
    assert process.returncode == 143
    assert stdout == ""
    assert "the job was interrupted (SIGTERM)" in stderr
    assert "run the same command again: nothing was changed" in stderr
    assert sorted(path.name for path in (tmp_path / "served").iterdir()) == ["1", "2"]


def test_a_waiting_push_reports_the_lock_owner(tmp_path: Path) -> None:
    listener = RecordingProgress()
    (tmp_path / "served").mkdir()
    with ThreadPoolExecutor(1) as pool, acquire(tmp_path / "served/.lock", owner="a rollback"):
        pushing = pool.submit(push, tmp_path, "a", listener)
        wait_until(lambda: listener.messages, lambda: "no message", seconds=20)
        assert not pushing.done()
    assert pushing.result().new
    (message,) = listener.messages
    assert message.startswith("waiting: a rollback, process ")
    assert message.endswith(f" is at work on {tmp_path / 'served'}")
