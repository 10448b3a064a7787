"""README of the Evaluator: its example configuration loads."""

import re
from pathlib import Path

from job.config.config import load_config
from tests.support.processes import REPOSITORY


def test_the_configuration_of_the_readme_loads(tmp_path: Path) -> None:
    readme = (REPOSITORY / "components/evaluator/README.md").read_text(encoding="utf-8")
    example, *_ = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "config.yaml").write_text(example)
    config = load_config(tmp_path / "config.yaml").pipeline.evaluator.config
    assert config.class_thresholds["7"]["precision"].minimum == 0.98
    assert config.slice_thresholds["thickness/least"]["accuracy"].minimum == 0.95
    assert config.baseline == "latest-blessed"
