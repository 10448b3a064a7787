"""Color images from pictures to predictions, with all real components and all formats."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.components.pusher.test_model_server import MODEL_SERVER
from tests.conftest import Command, run_job_process

pytestmark = pytest.mark.thorough

COLORS = {"blue": (85, 85, 220), "green": (25, 139, 95), "red": (206, 55, 54), "yellow": (112, 104, 48)}
"""All have the gray level 100, so that grayscale images show no class."""


def write_pictures(folder: Path, *, per_class: int = 60) -> Path:
    """Write pictures of 32x32 pixels whose classes differ only in the color of a rectangle."""
    random = np.random.default_rng(0)
    for name, color in COLORS.items():
        (folder / name).mkdir(parents=True)
        for index in range(per_class):
            image = np.full((32, 32, 3), 40.0)
            top, left, height, width = random.integers(2, 18, 4) // (1, 1, 2, 2) + (0, 0, 6, 6)
            image[top : top + height, left : left + width] = color
            image += random.normal(0, 12, (32, 32, 1))
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / name / f"{index:02}.png")
    return folder


def write_config(folder: Path, source: dict[str, Any], **sections: Any) -> Path:
    source = {"kind": "image_folder", "path": str(folder / "pictures"), **source}
    config = {"example_gen": {"source": source}, "evaluator": {"robustness": {"images": 36}}, **sections}
    (folder / "color.yaml").write_text(yaml.safe_dump(config))
    return folder / "color.yaml"


def test_classes_that_differ_in_color_only_are_learned(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures")
    network = {"filters": [8, 8, 8], "dense": [16, 16]}
    trainer = {"network": network, "batch_size": 16, "epochs": 20, "exports": ["litert", "onnx"]}
    pusher = {"destination": str(tmp_path / "serving"), "allow_rubber_stamped": True}
    config = write_config(tmp_path, {"size": 32}, trainer=trainer, pusher=pusher)
    record = run_job_process("run", "--config", config, "--root", tmp_path / "root", "--json").record
    assert record["metrics"]["accuracy"] >= 0.99
    model = json.loads((tmp_path / "root/runs/latest/trainer/manifest.json").read_text())["artifact"]
    assert model["image_shape"] == [32, 32, 3]
    assert [export["format"] for export in model["exports"]] == ["keras", "saved_model", "litert", "onnx"]
    predicted = run_job_process("predict", pictures, "--root", tmp_path / "root", "--format", "jsonl")
    predictions = [json.loads(line) for line in predicted.stdout.splitlines()]
    assert len(predictions) == 240
    right = [line["label"] == Path(line["path"]).parent.name for line in predictions]
    assert np.mean(right) >= 0.99
    server = [sys.executable, "-I", str(MODEL_SERVER), str(tmp_path / "serving")]
    served = json.loads(subprocess.run(server, input=b"", capture_output=True, check=True, timeout=120).stdout)
    assert served["inputs"] == {"images": ["uint8", [-1, 32, 32, 3]]}
    assert [request["inputs"]["images"][1] for request in served["warmups"]] == [[1, 32, 32, 3], [24, 32, 32, 3]]


def test_conversion_is_stated_in_summary_report_and_card(tmp_path: Path, mnist_job: Command) -> None:
    write_pictures(tmp_path / "pictures", per_class=40)
    trainer = {"use": "components.testing:FakeTrainer"}
    config = write_config(tmp_path, {"size": 28, "channels": 1}, trainer=trainer)
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root", "--json")
    assert outcome.record["metrics"]["accuracy"] < 0.6, "grayscale images show no class"
    conversion = "converted to grayscale, resized from 32x32 to 28x28"
    assert f"image folder, {conversion}: " in outcome.stderr
    for name in ("report.html", "model_card.md"):
        assert f"The images were {conversion}." in (tmp_path / "root/runs/latest" / name).read_text()
