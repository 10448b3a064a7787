"""YAML documents: the types of YAML 1.2 in files and --set, and mistakes and limits reported as one sentence."""

import math
import os
from pathlib import Path
from typing import Any

import pytest

from components.base.errors import ConfigError, DataError
from job.config.config import load_config
from job.config.yaml_config import MAX_EXTENDED_FILES, MAX_FILE_BYTES, YamlConfig, parse_override

NINE_LISTS = ["- &a0 [x]", *(f"- &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))]


def load(folder: Path, content: str | bytes) -> Any:
    path = folder / "job.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_config(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E+3", 1000.0),
        (".5", 0.5),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-7", -7),
        ("-.INF", -math.inf),
        ("~", None),
        ("", None),
        ("NULL", None),
        ("TRUE", True),
        ("no", "no"),
        ("Off", "Off"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("2020-01-01", "2020-01-01"),
        ("'1e-3'", "1e-3"),
        ("! 1", "1"),
        ("{1: a, null: b, 010: c}", {"1": "a", "null": "b", "010": "c"}),
    ],
)
def test_types_are_those_of_yaml_1_2_in_files_and_overrides(text: str, value: object, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(f"key: {text}\n")
    for read in (YamlConfig.load(tmp_path / "job.yaml").values["key"], parse_override(f"key={text}")[1]):
        assert (read, type(read)) == (value, type(value))


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(parse_override("key=.NaN")[1])


def test_exponent_without_a_point_is_a_number(tmp_path: Path) -> None:
    config = load(tmp_path, "trainer: {learning_rate: {peak: 1e-3}, optimizer: {weight_decay: 5e-2}}\n")
    assert (
        config.pipeline.trainer.config.learning_rate.peak,
        config.pipeline.trainer.config.optimizer.weight_decay,
    ) == (0.001, 0.05)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfseed: 7\r\nroot: no\r\n", b"seed: &x 7\nroot: no\ntransform:\n"])
def test_byte_order_mark_crlf_and_anchors_are_read(content: bytes, tmp_path: Path) -> None:
    config = load(tmp_path, content)
    assert (config.seed, config.root) == (7, Path("no"))


def test_alias_repeats_its_value(tmp_path: Path) -> None:
    text = "trainer: {checkpoint: &twice {every_steps: 2}, seed: &seed 5}\nexample_gen: {seed: *seed}\n"
    config = load(tmp_path, text)
    assert config.pipeline.example_gen.config.seed == 5
    with pytest.raises(ConfigError, match=r"job.yaml:3: trainer.gpu.every_steps is not a key"):
        load(tmp_path, "trainer:\n  checkpoint: &twice {every_steps: 2}\n  gpu: *twice\n")


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("trainer:\n\tepochs: 3", "job.yaml:2: this is not YAML: a tab is in the place of spaces", "spaces"),
        ("seed: @x", "job.yaml:1: this is not YAML: a value begins with `@`", "quotes"),
        ("seed: a: b", "job.yaml:1: this is not YAML: a second `:`", "quotes"),
        ("trainer:\n  epochs: 3\n seed: 1", "job.yaml:3: this is not YAML: the indentation differs", "align"),
        ("trainer:\nepochs\nseed: 1", "job.yaml:3: this is not YAML: a line is neither a key", "`:`"),
        ("a: 1\nb: [1,\n2\n\nc: 3", "job.yaml:2: this is not YAML: a `,` or the closing `]` is missing", "close"),
        ("a: 1\nb: 'open\n\nc: 3", "job.yaml:2: this is not YAML: a quote is not closed", "close"),
        ('a: "\\UFFFFFFFF"', "job.yaml:1: this is not YAML", "correct"),
        ('root: "C:\\data"', "job.yaml:1: this is not YAML: a `\\` in double quotes begins no valid escape", "single"),
        ('root: "\\users"', "job.yaml:1: this is not YAML: a `\\` in double quotes begins no valid escape", "single"),
        ("root: *", "job.yaml:1: this is not YAML: no name follows a `*` or `&`", "quotes"),
        ("root: !<x", "job.yaml:1: this is not YAML: a `!` begins no valid tag", "quotes"),
        ("root: |x\n  y", "job.yaml:1: this is not YAML: text follows a `|` or `>`", "next line"),
        ("a: - b", "job.yaml:1: this is not YAML: a list begins in the line of its key", "next line"),
        ("a: ]", "job.yaml:1: this is not YAML: a value is missing", "add"),
        ("%YAML 2.0\n---\na: 1", "job.yaml:1: this is not YAML: a line that begins with `%`", "remove"),
        ("a: 1\n...\nb: 2", "job.yaml:3: this is not YAML: text follows the end of the document", "remove"),
        ("trainer:\n\xa0\xa0epochs: 3", "job.yaml:2: a key contains the invisible character U+00A0", "space"),
        ("seed\ufeff: 3", "job.yaml:1: a key contains the invisible character U+FEFF", "remove"),
        ("seed: 1\n---\nseed: 2", "job.yaml:2: a second document begins", "`---`"),
        ("seed: 1\nseed: 2", "job.yaml:2: seed is set twice", "remove one"),
        ("seed: \x00", "job.yaml:1: the character U+0000 is not allowed", "remove"),
        ("seed: 1\nroot: \x1b[31m", "job.yaml:2: the character U+001B is not allowed", "remove"),
        ('seed: 1\nroot: "a\\0"', "job.yaml:2: the character U+0000 is not allowed", "remove"),
        ('root: "\\ud800"', "job.yaml:1: the character U+D800 is not allowed", "remove"),
        ('"\\e": 1', "job.yaml:1: the character U+001B is not allowed", "remove"),
        ("seed: !!binary aGVsbG8=", "job.yaml:1: the tag !!binary is not supported", "without the tag"),
        ("seed: !!python/object/apply:os.getcwd []", "the tag !!python/object/apply:os.getcwd is not", "the tag"),
        ("a: 1\nb: !!set {a, b}", "job.yaml:2: the tag !!set is not supported", "without the tag"),
        ("trainer: &a {x: 1}\nevaluator: {<<: *a}", "job.yaml:2: YAML 1.2 has no merge key", "extends"),
        ("[a]: x", "job.yaml:1: a key is a list", "correct"),
        ("trainer:\n  ? {a: b}\n  : x", "job.yaml:2: a key is a mapping", "correct"),
        ("a: &a x\n*a : x", "job.yaml:2: a key is an alias", "correct"),
        ("?\n: x", "job.yaml:1: a key is empty", "correct"),
        (": x", "job.yaml:1: this is not YAML: there is no key before the `:`", "add"),
        ("root: 'it's'", "job.yaml:1: this is not YAML: text follows a value that has ended", "quotes"),
        ("seed: *b", "job.yaml:1: there is no anchor for the alias *b", "quotes"),
        ("trainer: &a [*a]", "job.yaml:1: the alias *a is in the value that it repeats", "remove"),
        ("trainer: &a\n  x: {y: *a}", "job.yaml:2: the alias *a is in the value that it repeats", "remove"),
        ("seed: 0x" + "f" * 6000, "job.yaml:1: the number 0xfff", "correct"),
        ("seed: " + "9" * 6000, "job.yaml:1: the number 999", "correct"),
        ("seed: 1e400", "job.yaml:1: the number 1e400 is too large", "correct"),
        ("seed: " + "[" * 100_000, "job.yaml:1: more than 50 levels", "correct"),
        ("".join(f"{' ' * depth}a:\n" for depth in range(60)), "job.yaml:52: more than 50 levels", "correct"),
        ("trainer:\n" + "\n".join(NINE_LISTS), "job.yaml:6: the document has more than 10,000 values", "correct"),
        ("seed: [" + "1," * 20_000 + "]", "job.yaml:1: the document has more than 10,000 values", "correct"),
        ("a: &a " + "x" * 20_000 + "\nb: [" + "*a," * 100 + "]", "job.yaml:2: the document has more than", "correct"),
    ],
    ids=range(47),
)
def test_mistake_in_yaml_is_one_sentence(text: str, problem: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert problem in caught.value.headline
    assert remedy in caught.value.remedy
    assert len(caught.value.headline) < 300
    assert caught.value.headline.isprintable()


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("seed=1:30", "--set seed=1:30: seed is '1:30'"),
        ("seed=010 ", ""),
        ("seed=0x" + "f" * 6000, "the number 0xfff"),
        ("seed=[3", "--set seed=[3: this is not YAML: a `,` or the closing `]` is missing"),
        ("seed=" + "[" * 5000, "more than 50 levels"),
        ("seed=!!binary aGVsbG8=", "the tag !!binary is not supported"),
        ("seed=\udcff", "the character U+DCFF is not allowed"),
        ("seed={a: 1, a: 2}", "a is set twice"),
    ],
)
def test_overrides_have_the_same_limits(override: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").touch()
    if not problem:
        assert load_config(tmp_path / "job.yaml", [override]).seed == 10
        return
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "job.yaml", [override])
    assert problem in caught.value.headline
    assert len(caught.value.headline) < 500


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("seed: 1\n".encode("utf-16"), "it is UTF-16 text"),
        (b"seed: \xff\n", "it is not UTF-8 text"),
        (b"#" * (MAX_FILE_BYTES + 1), "it has more than 250.0 kB"),
    ],
)
def test_content_that_is_not_read_is_reported(content: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"job.yaml cannot be read: {reason}"):
        load(tmp_path, content)


def test_huge_file_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "job.yaml").open("wb") as file:
        file.truncate(2**40)  # sparse: more than fits in memory
    with pytest.raises(ConfigError, match="it has more than"):
        load_config(tmp_path / "job.yaml")


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link.yaml").symlink_to("fifo")
    with pytest.raises(DataError, match="is a FIFO"):
        load_config(tmp_path / "link.yaml")
    with pytest.raises(DataError, match="is a FIFO"):
        load(tmp_path, "extends: fifo")


@pytest.mark.parametrize("base", ["a" * 300, "b/" * 2500, "b/" * 2045, "~no-such-user/x", "''"])
def test_impossible_path_to_extend_is_reported(base: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"job.yaml:2: extends: "):
        load(tmp_path, f"\nextends: {base}\n")


def test_long_chain_of_files_is_reported(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml\n")
    with pytest.raises(ConfigError, match=f"0.yaml extends a chain of {MAX_EXTENDED_FILES} files"):
        load_config(tmp_path / "0.yaml")
