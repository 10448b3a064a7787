"""Publishing that is killed, raced or starved: a model server sees whole versions only, and none is lost."""

from __future__ import annotations

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
from tests.components.pusher.support import Listener, make_servable, push, roll_back, served
from tests.support.disks import small_disk
from tests.support.processes import REPOSITORY, environment, start, wait_until

KILLING = """
import json, os, signal, sys
from itertools import count
from pathlib import Path
from tests.components.pusher.support import make_servable, push, served

def kill_at(moment):
    left = [moment]
    def hear(event, arguments):
        if event.split(".")[0] in ("open", "os", "shutil"):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hear)

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
        "whole": not again.version.damage,
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


def test_killed_at_any_moment_it_leaves_no_new_version_or_a_whole_one(tmp_path: Path) -> None:
    *killed, undisturbed = finished(run_script(KILLING, tmp_path))
    assert len(killed) > 30, "there is a moment for each file and folder that it touches"
    assert not undisturbed["killed"]
    assert {tuple(told["versions"]) for told in killed} == {("a",), ("a", "b")}
    assert any(any(name.startswith(".staging-") for name in told["left"]) for told in killed)
    for told in (*killed, undisturbed):
        assert told["again"] == ["a", "b"], "the next push brings it, and only once"
        assert told["whole"]
        assert told["then_left"] == [], "and removes what was left"


PUSHING = """
import json, sys
from pathlib import Path
from tests.components.pusher.support import push

print("{}", flush=True)
sys.stdin.readline()
for name in sys.argv[2]:
    published = push(Path(sys.argv[1]), name)
    print(json.dumps({"name": name, "number": published.version.number, "new": published.new}))
"""


def test_of_several_that_push_at_once_each_model_becomes_one_version(tmp_path: Path) -> None:
    names = "abcdefgh"
    for name in names:
        make_servable(tmp_path / "made" / name, name)
    processes = [run_script(PUSHING, tmp_path, names) for _ in range(4)]
    for process in processes:  # begin together, once all have what they need
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [one for process in processes for one in finished(process)]
    assert sorted(served(tmp_path / "served")) == sorted(names)
    assert {path.name for path in (tmp_path / "served").iterdir()} == {str(number) for number in range(1, 9)}
    assert len(told) == 4 * len(names)
    assert sum(one["new"] for one in told) == len(names)
    assert len({(one["name"], one["number"]) for one in told}) == len(names)


def test_a_full_disk_is_told_and_leaves_what_is_served(tmp_path: Path) -> None:
    big = make_servable(tmp_path / "big", "big")
    with (big / "variables" / "variables.data-00000-of-00001").open("wb") as file:
        file.write(bytes(4 << 20))
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        (disk / "made").mkdir()
        push(disk, "a")
        with pytest.raises(StorageError, match="no space for the model that is published") as told:
            publish(big, disk / "served", digest=servable_digest(big), progress=Listener())
        assert "needed" in told.value.headline
        assert "--root" not in told.value.remedy
        assert served(disk / "served") == ["a"]
        assert sorted(path.name for path in (disk / "served").iterdir()) == ["1"]


def test_a_rollback_on_a_full_disk_tells_what_it_would_take(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2 << 20) as disk:
        big = make_servable(disk / "made" / "big", "big")
        (big / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(700_000))
        write_statement_of(big)
        push(disk, "big")
        push(disk, "b")
        with pytest.raises(StorageError, match=r"about 0\.7 MB needed|about 700\.\d kB needed") as told:
            roll_back(disk / "served")
        assert "served" in told.value.headline
        assert sorted(path.name for path in (disk / "served").iterdir()) == ["1", "2"]


def write_statement_of(directory: Path) -> None:
    """Let a servable that was changed state what it is now."""
    stated = read_statement(directory)
    assert stated is not None
    write_statement(stated.model_copy(update={"content_sha256": servable_digest(directory)}), directory)


def test_who_waits_is_told_for_whom_and_a_signal_ends_the_waiting(tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, name)
    with acquire(tmp_path / "served/.lock", owner="another push"):
        process = start("rollback", tmp_path / "served")
        watchdog = Timer(30, process.kill)  # who says nothing would wait for ever
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


def test_a_push_that_waits_says_for_whom(tmp_path: Path) -> None:
    told = Listener()
    (tmp_path / "served").mkdir()
    with ThreadPoolExecutor(1) as pool, acquire(tmp_path / "served/.lock", owner="a rollback"):
        pushing = pool.submit(push, tmp_path, "a", told)
        wait_until(lambda: told.messages, lambda: "it says nothing", seconds=20)
        assert not pushing.done()
    assert pushing.result().new
    (message,) = told.messages
    assert message.startswith("waiting: a rollback, process ")
    assert message.endswith(f" is at work on {tmp_path / 'served'}")
