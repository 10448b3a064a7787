"""Property tests: written values read back equal, and any bytes either parse or raise the documented error."""

import contextlib
import json
import string
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from components.artifacts import (
    Anomaly,
    Artifact,
    Drift,
    DriftMeasure,
    Epoch,
    Examples,
    ExamplesShard,
    ExamplesSplit,
    Export,
    ExportFormat,
    Figure,
    Figures,
    Model,
    Source,
    Splits,
    TrainingEnvironment,
)
from components.base.errors import ConfigError, IntegrityError
from components.trainer.checkpoint import Checkpoint
from components.trainer.early_stopping import BestEpoch
from job.config.config import build_config
from job.config.core_schema import dump_yaml
from job.config.yaml_config import YamlConfig, parse_override
from job.store.fingerprint import FingerprintInputs, Producer
from job.store.manifest import SCHEMA_VERSION, FileEntry, Manifest
from job.store.runs import Runs

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

text = st.text(max_size=20)
digest = st.text("0123456789abcdef", min_size=64, max_size=64)
part = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
file_name = st.lists(part, min_size=1, max_size=3).map("/".join)
number = st.floats(allow_nan=False, allow_infinity=False)
fraction = st.floats(0, 1)
names = st.lists(text, min_size=2, max_size=5).map(tuple)
shape = st.tuples(*[st.integers(1, 10**6)] * 3)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
epochs = st.lists(
    st.builds(Epoch, epoch=st.integers(1), loss=number, accuracy=fraction, val_loss=number, val_accuracy=fraction,
              learning_rate=number),
    min_size=1,
    max_size=3,
).map(lambda rows: tuple(row.model_copy(update={"epoch": n}) for n, row in enumerate(rows, 1)))  # fmt: skip


anomalies = st.lists(
    st.builds(
        Anomaly,
        check=text,
        level=st.sampled_from(["note", "warning", "error"]),
        message=text,
        count=st.integers(1),
        examples=st.lists(text, max_size=3).map(tuple),
    ),
    max_size=3,
).map(tuple)
drifts = st.builds(
    Drift,
    content_sha256=text,
    measures=st.lists(
        st.builds(
            DriftMeasure,
            of=text,
            split=text,
            distance=fraction,
            method=st.sampled_from(["largest difference", "Jensen-Shannon"]),
            limit=fraction,
        ),
        max_size=3,
    ).map(tuple),
)


def histogram(bins: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(0, 10**9), min_size=bins, max_size=bins).map(tuple)


@st.composite
def examples(draw: st.DrawFn) -> Examples:
    class_names = draw(names)

    def split() -> ExamplesSplit:
        counts = draw(st.lists(st.integers(1, 10**9), min_size=len(class_names), max_size=len(class_names)))
        gray = st.floats(0, 255)
        return ExamplesSplit(
            shards=(ExamplesShard(file=draw(file_name), count=sum(counts)),),
            count=sum(counts),
            label_counts=tuple(counts),
            pixel_mean=draw(gray),
            pixel_std=draw(gray),
            pixel_histogram=draw(histogram(16)),
            ink_histogram=draw(histogram(20)),
        )

    return Examples(
        source=Source(kind=draw(text), title=draw(text), identity=draw(st.dictionaries(text, text, max_size=3))),
        image_shape=draw(shape),
        class_names=class_names,
        strategy=draw(text),
        seed=draw(st.integers()),
        splits=Splits[ExamplesSplit](train=split(), validation=split(), test=split()),
        anomalies=draw(anomalies),
        anomalies_file=draw(st.none() | file_name),
        drift=draw(st.none() | drifts),
    )


models = st.builds(
    Model,
    format=st.sampled_from(["keras", "linear"]),
    file=file_name,
    exports=st.lists(
        st.builds(
            Export,
            format=st.sampled_from(get_args(ExportFormat)),
            file=file_name,
            images=st.integers(1),
            largest_difference=st.floats(0, 1),
            tolerance=st.floats(0, 1),
            same_class=st.floats(0, 1),
        ),
        max_size=3,
    ).map(tuple),
    history_file=file_name,
    image_shape=shape,
    class_names=names,
    parameters=st.integers(0),
    weights_sha256=digest,
    history=epochs,
    best_epoch=st.just(1),
    stopped_early=st.booleans(),
    environment=st.builds(
        TrainingEnvironment,
        versions=st.dictionaries(text, text, max_size=3),
        python=text,
        device=text,
        threads=st.integers(1),
        seed=st.integers(),
    ),
)
pictures = st.builds(Figure, name=text, file=file_name, title=text, alt=text)
figures = st.builds(
    Figures,
    figures=st.lists(st.builds(Figure, name=text, file=file_name, title=text, alt=text), min_size=1, max_size=3).map(
        tuple
    ),
)
keys = st.builds(
    FingerprintInputs,
    producer=st.builds(
        Producer,
        component=text,
        version=text,
        source_sha256=digest,
        config=st.dictionaries(text, json_value, max_size=4),
    ),
    inputs=st.dictionaries(text, digest, max_size=3),
    libraries=st.dictionaries(text, text, max_size=3),
)


@FEW
@given(key=keys, artifact=examples() | models | figures, more=st.sets(file_name, max_size=3), content=digest)
def test_manifest_reads_back_equal(key: FingerprintInputs, artifact: Artifact, more: set[str], content: str) -> None:
    files = tuple(
        FileEntry(path=path, size=len(path), sha256=content) for path in sorted({*artifact.file_names(), *more})
    )
    manifest = Manifest.create(key, files, artifact)
    written = manifest.to_bytes()
    read = Manifest.from_bytes(written, where="here")
    assert read == manifest
    assert read.to_bytes() == written
    assert read.artifact == artifact
    assert read.fingerprint == key.fingerprint


@FEW
@given(history=epochs, arrays=st.dictionaries(text, text, max_size=4), value=st.none() | number, fingerprint=text)
def test_checkpoint_record_reads_back_equal(
    history: tuple[Epoch, ...], arrays: dict[str, str], value: float | None, fingerprint: str
) -> None:
    record = Checkpoint(
        fingerprint=fingerprint,
        epoch=2,
        step=3,
        done=False,
        history=history,
        best=BestEpoch(epoch=1, value=value),
        machine="m",
        arrays=arrays,
    ).with_digest()
    assert Checkpoint.from_bytes(record.model_dump_json(indent=2).encode(), where="here") == record


def whole_manifest() -> bytes:
    key = FingerprintInputs(
        producer=Producer(component="a:B", version="1", source_sha256="0" * 64, config={}), inputs={}, libraries={}
    )
    figure = Figure(name="a", file="a.png", title="A", alt="a")
    return Manifest.create(
        key, (FileEntry(path="a.png", size=1, sha256="0" * 64),), Figures(figures=(figure,))
    ).to_bytes()


WHOLE = whole_manifest()


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """Draw a manifest with one stretch of it replaced."""
    start = draw(st.integers(0, len(WHOLE)))
    end = draw(st.integers(start, min(len(WHOLE), start + 40)))
    return WHOLE[:start] + draw(st.binary(max_size=20)) + WHOLE[end:]


@FEW
@given(content=st.binary(max_size=200) | spoiled() | json_value.map(lambda value: json.dumps(value).encode()))
@example(content=b"")
@example(content=b"[" * 100_000)
@example(content=b'{"a":' * 100_000)
@example(content=WHOLE.replace(b'"config": {}', b'"config": {"a": 1e999}'))
@example(content=WHOLE.replace(b'"config": {}', b'"config": {"a": NaN}'))
@example(content=WHOLE.replace(b'"config": {}', b'"config": {"\\ud800": 1}'))
@example(content=WHOLE.replace(b'"config": {}', b'"config": ' + b'{"a":' * 150 + b"1" + b"}" * 150))
@example(content=WHOLE.replace(b'"schema_version": %d' % SCHEMA_VERSION, b'"schema_version": ' + b"9" * 5000))
@example(content=b"\xef\xbb\xbf" + WHOLE)
def test_any_bytes_are_a_manifest_or_an_integrity_error(content: bytes) -> None:
    headline = "here is a whole one"
    try:
        assert Manifest.from_bytes(content, where="here").to_bytes() == content
    except IntegrityError as error:
        headline = error.headline
    assert headline.startswith("here ")
    assert len(headline.splitlines()) == 1
    with pytest.raises(IntegrityError):
        Checkpoint.from_bytes(content, where="here")


@FEW
@given(content=st.binary(max_size=100) | json_value.map(lambda value: json.dumps(value).encode()))
@example(content=b"[" * 100_000)
def test_any_bytes_are_a_record_or_an_integrity_error(content: bytes, tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.path("x").mkdir(parents=True, exist_ok=True)
    (runs.path("x") / "run.json").write_bytes(content)
    with pytest.raises(IntegrityError, match=r"run\.json (is not the record of a run|has the schema version)"):
        runs.read("x")


key = st.text(string.ascii_letters + "_-", min_size=1, max_size=8).filter(lambda name: name != "extends")
printed = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
words = (
    st.text(printed, max_size=20) | st.text("-+0123456789.xo_:eEinfa~", max_size=6) | st.sampled_from(["null", "no"])
)
scalar = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | number | words
values = st.dictionaries(key, st.recursive(scalar, lambda inner: st.dictionaries(key, inner), max_leaves=6))


@FEW
@given(written=values)
def test_yaml_values_read_back_equal(written: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(dump_yaml(written), encoding="utf-8")
    assert YamlConfig.load(path).values == written


configs = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**32 - 1),
        "memory_budget": st.integers(16 * 10**6, 10**15),
        "example_gen": st.fixed_dictionaries(
            {},
            optional={
                "source": st.builds(lambda size: {"kind": "digits", "size": size}, st.integers(8, 64)),
                "split": st.builds(lambda share: {"validation": share}, st.floats(0.05, 0.4)),
            },
        ),
        "trainer": st.fixed_dictionaries(
            {},
            optional={
                "epochs": st.integers(1, 100),
                "augmentation": st.builds(lambda value: {"zoom": value}, st.floats(0, 0.9)),
                "checkpoint": st.builds(lambda value: {"every_steps": value}, st.integers(0, 1000)),
                "learning_rate": st.builds(lambda value: {"schedule": "cosine", "peak": value}, st.floats(1e-6, 1)),
            },
        ),
    },
)


@FEW
@given(written=configs)
def test_resolved_configuration_resolves_to_itself(written: dict[str, Any]) -> None:
    resolved = build_config(YamlConfig(written, {})).resolved()
    assert build_config(YamlConfig(resolved, {})).resolved() == resolved
    for slot, section in written.items():
        if slot in ("seed", "memory_budget"):
            assert resolved[slot] == section
        else:
            assert section.items() <= {name: resolved[slot][name] for name in section}.items() or all(
                section[name].items() <= resolved[slot][name].items()
                for name in section
                if isinstance(section[name], dict)
            )


@FEW
@given(content=st.binary(max_size=60) | st.text("{}[]:,-&*!|>'\"#%@`\n \t?a1~.", max_size=40).map(str.encode))
@example(content=b"[" * 10_000)
@example(content=b"a: " + b"9" * 5000)
@example(content=b"a: 2001-99-99")
@example(content=b"a: !!python/object/apply:os.system ['true']")
@example(content=b"a: &a [*a]")
@example(content=b"&a {<<: *a}")
@example(content=b"? [a]\n: b")
@example(content=b"? {a: b}\n: c")
@example(content=b"extends: .")
@example(content=b"extends: [config.yaml]")
@example(content=b"extends: 'a\\0b'")
@example(content=b'extends: "\\0"')
@example(content=b"a: 0b_")
@example(content=b"a: !!float x")
@example(content=b"a: !!int ''")
@example(content=b"a: !!binary '*'")
@example(content=b"a: !!timestamp x")
@example(content=b"seed: .nan\ntrainer: {epochs: 1e400}")
@example(content=b"root: '~no-such-user/x'")
def test_any_bytes_are_a_configuration_or_a_config_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with contextlib.suppress(ConfigError):
        build_config(YamlConfig.load(path))


@FEW
@given(override=st.text(max_size=30) | st.text("abc.=[]{}:!&*0_ ", max_size=20))
@example(override="a=" + "[" * 10_000)
@example(override="seed=" + "9" * 5000)
def test_any_text_is_an_override_or_a_config_error(override: str) -> None:
    with contextlib.suppress(ConfigError):
        keys, _ = parse_override(override)
        assert ".".join(keys) == override.partition("=")[0].strip()
