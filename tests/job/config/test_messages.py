"""Messages about an invalid configuration: the job's own words, with file, line and key, for every key and value."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.base.errors import ConfigError
from job.config.config import build_config, load_config
from job.config.yaml_config import YamlConfig, merge
from job.config.yaml_loader import KeyPath
from tests.support.schema import validator

PYDANTIC_WORDS = re.compile(
    r"Input should|Value error|Assertion|valid (dictionary|tuple|list|string|integer|number|boolean)|Extra inputs"
    r"|Field required|after validation|Keys should|union_tag|_type\b|pydantic|should (have|match|be)|Unable to",
    re.IGNORECASE,
)
HOSTILE_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0.123, 10**18, float("inf"), float("nan")),
    *("", "nonsense", "x" * 5000, "3", "2020-01-01", "1:30", "yes"),
    *([], ["a", 1], [8] * 50, {}, {"x": 1}, {"1": "x"}),
)
ODD_TRAINER = """
from collections.abc import Callable
from components import ComponentConfig
from components.testing import FakeTrainer

class OddConfig(ComponentConfig):
    function: Callable[[], int]

class OddTrainer(FakeTrainer):
    Config = OddConfig
"""


def every_key() -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Yield each key of the schema, and the values that its section needs."""
    schema = validator().schema

    def resolve(node: Any) -> Any:
        while True:
            options = node.get("anyOf", [node.get("else")] if "else" in node else [])
            others = [option for option in options if option.get("type") != "null"]
            if "$ref" in node:
                node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
            elif len(others) == 1:
                node = others[0]
            else:
                return node

    def walk(node: Any, path: KeyPath, needed: dict[str, Any]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
        node = resolve(node)
        if path:
            yield path, needed
        needed = merge(needed, nested(path, dict.fromkeys(node.get("required", []), "x")))
        for name, below in node.get("properties", {}).items():
            yield from walk(below, (*path, name), needed)
        discriminator = node.get("discriminator", {"mapping": {}})
        for tag, reference in discriminator["mapping"].items():
            variant = resolve({"$ref": reference})
            required = dict.fromkeys(variant.get("required", []), "x") | {discriminator["propertyName"]: tag}
            for name, below in variant["properties"].items():
                yield from walk(below, (*path, name), merge(needed, nested(path, required)))
        if isinstance(node.get("additionalProperties"), dict):
            names = resolve(node.get("propertyNames", {}))
            name = next(iter(names.get("enum", [names.get("const", "0")])))
            yield from walk(node["additionalProperties"], (*path, name), needed)

    yield from walk(schema, (), {})


def nested(path: KeyPath, value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def rejections(path: KeyPath, needed: dict[str, Any]) -> Iterator[ConfigError]:
    """Yield the errors for hostile values of a key on line 7."""
    for value in HOSTILE_VALUES:
        document = YamlConfig(merge(needed, nested(path, value)), {(): "job.yaml", path: "job.yaml:7"})
        try:
            build_config(document)
        except ConfigError as error:
            yield error


def test_every_message_about_a_value_is_in_our_words() -> None:
    count = 0
    for path, needed in every_key():
        for error in rejections(path, needed):
            count += 1
            sentences = (error.headline, error.expected, error.remedy)
            assert not any(map(PYDANTIC_WORDS.search, sentences)), sentences
            assert error.headline.startswith("job.yaml"), sentences
            assert error.headline.split(": ")[1].startswith(str(path[0])), sentences
            assert max(map(len, sentences)) < 500, sentences
    assert count > 1500


@pytest.mark.parametrize(
    ("text", "headline", "expected", "remedy"),
    [
        (
            "trainer: {network: {filters: []}}",
            "trainer.network.filters has 0 values",
            "a list of at least 1 and at most 32 values, each a whole number from 1 to 8192",
            "write that many",
        ),
        (
            "trainer: {network: {kernels: [3, 3]}}",
            "kernels has 2 values, but filters has 3: write one",
            "",
            "change trainer",
        ),
        ("visualizer: {examples: [1, 1.5]}", "visualizer.examples.1 is 1.5", "a whole number from 0", "set"),
        ("trainer: {exports: litert}", "is 'litert'", "a list of values, each one of litert", "list: [litert]"),
        ("trainer: {gpu: {xla: yes}}", "is 'yes'", "true or false", "write true; YAML 1.2 reads yes as text"),
        ("trainer: {gpu: {xla: Off}}", "is 'Off'", "true or false", "write false; YAML 1.2 reads Off as text"),
        ("seed: 1_000", "seed is '1_000'", "a whole number", "YAML 1.2 reads 1_000 as text"),
        ("seed: 1:30", "seed is '1:30'", "a whole number", "YAML 1.2 reads 1:30 as text"),
        ("seed: '3'", "seed is '3'", "a whole number", "write it without quotes"),
        ("seed: 1e3", "seed is 1000.0", "a whole number", "write 1000"),
        ("evaluator: {baseline: 20260101}", "is 20260101", "text, or null", "put it in quotes"),
        ("trainer: {learning_rate: {peak: .inf}}", "is .inf", "a finite number that is greater than 0", "set"),
        ("trainer: {learning_rate: {schedule: 3}}", "schedule is 3", "one of constant, cosine, one_cycle", "set"),
        ("evaluator: {thresholds: {1: {minimum: 1}}}", "evaluator.thresholds.1 is not a key", "accuracy", "remove"),
        ("evaluator: {thresholds: {null: {}}}", "evaluator.thresholds.null is not a key", "accuracy", "remove"),
        ("trainer: {true: 1}", "trainer.true is not a key", "one of network", ""),
        ("trainer.epochs: 3", "trainer.epochs is not a key", "one of root", "write `trainer:`, and `epochs:` indented"),
        ("1: x", "1 is not a key of the configuration", "one of root", "remove"),
    ],
)
def test_message_states_value_expectation_and_remedy(
    text: str, headline: str, expected: str, remedy: str, tmp_path: Path
) -> None:
    (tmp_path / "job.yaml").write_text(f"# a job\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "job.yaml")
    assert caught.value.headline.startswith(f"{tmp_path / 'job.yaml'}:2: ")
    assert headline in caught.value.headline
    assert expected in caught.value.expected
    assert remedy in caught.value.remedy


def test_class_without_a_json_schema_has_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd_trainer.py").write_text(ODD_TRAINER)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "job.yaml").write_text("trainer:\n  use: odd_trainer:OddTrainer\n  function: 3\n")
    with pytest.raises(ConfigError, match="trainer.function is 3") as caught:
        load_config(tmp_path / "job.yaml")
    assert (caught.value.expected, caught.value.exit_code) == ("callable", 2)
