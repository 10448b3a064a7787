"""TensorFlow Serving: a pushed model is loaded, warmed up and served as the Pusher's README says.

The tests do not run the server itself, but `model_server`, which has TensorFlow alone.
"""

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

pytestmark = pytest.mark.thorough
README = (REPOSITORY / "components/pusher/README.md").read_text()
MODEL_SERVER = Path(__file__).with_name("model_server.py")
ADDRESS = "http://localhost:8501"


@dataclass(frozen=True)
class Served:
    """A run's folder, and the server with the model that it pushed."""

    folder: Path
    found: dict[str, Any]
    """The server's description of the version."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.found['port']}"

    def predict(self, instances: Any) -> dict[str, Any]:
        body = json.dumps({"instances": instances}).encode()
        with urlopen(f"{self.address}/v1/models/mnist:predict", body) as response:
            predictions: dict[str, Any] = json.loads(response.read())
            return predictions


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serving")
    config = {
        "example_gen": {"source": {"kind": "idx", "path": str(write_idx_folder(folder / "idx"))}},
        "trainer": {"network": TINY_NETWORK, "epochs": 1, "exports": []},
        "evaluator": {"use": "components.testing:FakeEvaluator"},
        "visualizer": {"use": "components.testing:FakeVisualizer"},
        "pusher": {"destination": "serving/mnist", "allow_rubber_stamped": True},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    push(folder, "older")
    (folder / "serving").mkdir()
    (folder / "served").rename(folder / "serving" / "mnist")  # an older version, which is not a model
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
    (found,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return str(found)


def test_tensorflow_alone_loads_the_newest_version(served: Served) -> None:
    assert served.found["version"] == "2"


def test_the_warm_up_requests_run(served: Served) -> None:
    warmups = served.found["warmups"]
    assert 1 <= len(warmups) <= 1000
    batches = []
    for request in warmups:
        assert request["signature"] == "serving_default"
        assert list(request["inputs"]) == ["images"]
        dtype, (batch, *shape) = request["inputs"]["images"]
        batches.append(batch)
        assert (dtype, shape) == ("uint8", [28, 28])
        assert request["brightest"] == [220], "they are real images, the squares of the test's data"
        assert len(request["label"]) == len(request["probabilities"]) == batch
        for label, probabilities in zip(request["label"], request["probabilities"], strict=True):
            assert all(math.isfinite(value) and 0 <= value <= 1 for value in probabilities)
            assert sum(probabilities) == pytest.approx(1, abs=1e-5)
            assert probabilities[label] == max(probabilities)
    assert 1 in batches
    assert max(batches) > 10


def test_the_signature_is_the_one_in_the_readme(served: Served) -> None:
    stated = {
        name: [dtype, [-1 if size == "batch" else int(size) for size in shape.split(", ")]]
        for name, dtype, shape in re.findall(r"^\|[^|]*\| `(\w+)` \| (\w+) \| \[(.*?)\] \|", README, re.MULTILINE)
    }
    assert stated == served.found["inputs"] | served.found["outputs"]
    assert list(served.found["inputs"]) == ["images"]


def test_the_client_of_the_readme_gets_a_response_as_shown(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = block("python")
    assert ADDRESS in code
    monkeypatch.chdir(served.folder)
    exec(code.replace(ADDRESS, served.address), {})  # noqa: S102  (the code of the README)
    response, example = json.loads(capsys.readouterr().out), json.loads(block("json"))
    assert response.keys() == example.keys() == {"predictions"}
    (returned,), (shown,) = response["predictions"], example["predictions"]
    assert returned.keys() == shown.keys() == served.found["outputs"].keys()
    for row in (returned, shown):
        assert type(row["label"]) is int
        assert len(row["probabilities"]) == 10
        assert sum(row["probabilities"]) == pytest.approx(1, abs=1e-3)
        assert row["probabilities"][row["label"]] == max(row["probabilities"])


def test_a_request_of_several_images_keeps_their_order(served: Served) -> None:
    black, white = [[[gray] * 28] * 28 for gray in (0, 255)]
    together = served.predict([black, white])["predictions"]
    apart = [served.predict([image])["predictions"][0] for image in (black, white)]
    for row, alone in zip(together, apart, strict=True):
        assert row["label"] == alone["label"]
        assert row["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-5)
    assert together[0] != together[1]


@pytest.mark.parametrize("instances", [[[[0.5] * 28] * 28], [[[0] * 20] * 20], [[0] * 784]])
def test_requests_of_other_shapes_or_types_are_refused(served: Served, instances: Any) -> None:
    with pytest.raises(HTTPError) as raised:
        served.predict(instances)
    raised.value.close()
    assert raised.value.code == 400
