"""Publishing that is killed, raced or starved: a model server sees whole versions only, and none is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.errors import StorageError
from components.serving.content import content_digest
from components.serving.publishing import publish
from tests.faults.test_starvation import small_disk
from tests.serving.support import make_servable, push, served
from tests.support.processes import REPOSITORY, environment

KILLING = """
import json, os, signal, sys
from itertools import count
from pathlib import Path
from tests.serving.support import make_servable, push, served

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
        "whole": again.version.is_whole,
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
from tests.serving.support import push

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
        with pytest.raises(StorageError, match="no space for the model that is pushed") as told:
            publish(big, disk / "served", digest=content_digest(big))
        assert "needed" in told.value.headline
        assert "--root" not in told.value.remedy
        assert served(disk / "served") == ["a"]
        assert sorted(path.name for path in (disk / "served").iterdir()) == ["1"]
