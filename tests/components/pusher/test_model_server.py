"""Ready for TensorFlow Serving: what is pushed is loaded, warmed up and asked as README.md says, by TensorFlow alone.

The server itself is not within reach of the tests; `model_server` stands in for it.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml

from tests.components.pusher.support import push
from tests.conftest import TINY_NETWORK, run_job_process
from tests.support.data import write_idx_folder
from tests.support.processes import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
SERVING = README.partition("\n## Serving\n")[2].partition("\n## ")[0]
MODEL_SERVER = Path(__file__).with_name("model_server.py")
ADDRESS = "http://localhost:8501"


@dataclass(frozen=True)
class Served:
    """A run's folder, and the server that answers for what it pushed."""

    folder: Path
    found: dict[str, Any]
    """What the server said of the version."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.found['port']}"

    def ask(self, instances: Any) -> dict[str, Any]:
        body = json.dumps({"instances": instances}).encode()
        with urlopen(f"{self.address}/v1/models/mnist:predict", body) as answer:
            answered: dict[str, Any] = json.loads(answer.read())
            return answered


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serving")
    config = {
        "example_gen": {"source": {"kind": "idx", "path": str(write_idx_folder(folder / "idx"))}},
        "trainer": {"network": TINY_NETWORK, "epochs": 1},
        "evaluator": {"use": "components.testing:FakeEvaluator"},
        "visualizer": {"use": "components.testing:FakeVisualizer"},
        "pusher": {"destination": "serving/mnist", "allow_rubber_stamped": True},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    push(folder, "older")
    (folder / "serving").mkdir()
    (folder / "served").rename(folder / "serving" / "mnist")  # the newest is to be found, beside one that is no model
    outcome = run_job_process("run", "--config", "config.yaml", "--json", cwd=folder)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.record["steps"][-1]["published"] == "version 2: serving/mnist/2"
    with subprocess.Popen(
        [sys.executable, "-I", str(MODEL_SERVER), str(folder / "serving" / "mnist")],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        if not (line := server.stdout.readline()):
            raise AssertionError(server.stderr.read())
        yield Served(folder, json.loads(line))
        server.communicate()


def block(language: str) -> str:
    """Return the one fenced block of a language in README's section."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", SERVING, re.DOTALL)
    return str(found)


def test_the_newest_version_is_loaded_by_tensorflow_alone(served: Served) -> None:
    assert served.found["version"] == "2"


def test_the_warm_up_requests_are_answered(served: Served) -> None:
    warmups = served.found["warmups"]
    assert 1 <= len(warmups) <= 1000
    batches = []
    for told in warmups:
        assert told["signature"] == "serving_default"
        assert list(told["inputs"]) == ["images"]
        dtype, (batch, *shape) = told["inputs"]["images"]
        batches.append(batch)
        assert (dtype, shape) == ("uint8", [28, 28])
        assert told["brightest"] == [220], "they are real images, the squares of the test's data"
        assert len(told["label"]) == len(told["probabilities"]) == batch
        for label, probabilities in zip(told["label"], told["probabilities"], strict=True):
            assert all(math.isfinite(value) and 0 <= value <= 1 for value in probabilities)
            assert sum(probabilities) == pytest.approx(1, abs=1e-5)
            assert probabilities[label] == max(probabilities)
    assert 1 in batches
    assert max(batches) > 10


def test_names_shapes_and_dtypes_are_those_that_the_readme_states(served: Served) -> None:
    stated = {
        name: [dtype, [-1 if size == "batch" else int(size) for size in shape.split(", ")]]
        for name, dtype, shape in re.findall(r"^\|[^|]*\| `(\w+)` \| (\w+) \| \[(.*?)\] \|", SERVING, re.MULTILINE)
    }
    assert stated == served.found["inputs"] | served.found["outputs"]
    assert list(served.found["inputs"]) == ["images"]


def test_the_readmes_client_gets_an_answer_like_the_readmes(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = block("python")
    assert ADDRESS in code
    monkeypatch.chdir(served.folder)
    exec(code.replace(ADDRESS, served.address), {})  # noqa: S102  (the README's own lines)
    answer, example = json.loads(capsys.readouterr().out), json.loads(block("json"))
    assert answer.keys() == example.keys() == {"predictions"}
    (answered,), (shown,) = answer["predictions"], example["predictions"]
    assert answered.keys() == shown.keys() == served.found["outputs"].keys()
    for one in (answered, shown):
        assert type(one["label"]) is int
        assert len(one["probabilities"]) == 10
        assert sum(one["probabilities"]) == pytest.approx(1, abs=1e-3)
        assert one["probabilities"][one["label"]] == max(one["probabilities"])


def test_many_images_in_one_request_are_answered_in_their_order(served: Served) -> None:
    black, white = [[[grey] * 28] * 28 for grey in (0, 255)]
    together = served.ask([black, white])["predictions"]
    apart = [served.ask([image])["predictions"][0] for image in (black, white)]
    for row, alone in zip(together, apart, strict=True):
        assert row["label"] == alone["label"]
        assert row["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-5)
    assert together[0] != together[1]


@pytest.mark.parametrize("instances", [[[[0.5] * 28] * 28], [[[0] * 20] * 20], [[0] * 784]])
def test_what_is_no_whole_image_of_whole_numbers_is_refused(served: Served, instances: Any) -> None:
    with pytest.raises(HTTPError) as told:
        served.ask(instances)
    told.value.close()
    assert told.value.code == 400
