"""Pusher: which models it pushes or withholds, what it writes, and which destinations it refuses."""

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from components import Context, Evaluation, Model, PushedModel, Pusher, Stored
from components.artifacts import Blessing
from components.base.component import PlannedPublication
from components.base.errors import ConfigError, DataError, StorageError
from components.base.progress import NoProgress
from components.pusher.destination import check_destination
from components.testing.contract import make_inputs

BLESSED = Blessing(verdict="BLESSED", checks=())
STAMPED = Blessing(verdict="BLESSED", rubber_stamped=True, checks=())
NOT_BLESSED = Blessing(verdict="NOT_BLESSED", checks=())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stored[Any]]:
    kinds = make_inputs(tmp_path_factory.mktemp("inputs"), saved_model=True)
    return {"model": kinds[Model], "evaluation": kinds[Evaluation]}


def judged(evaluation: Stored[Evaluation], **changes: Any) -> Stored[Evaluation]:
    return Stored(evaluation.artifact.model_copy(update=changes), evaluation.directory)


def push(made: dict[str, Stored[Any]], tmp_path: Path, blessing: Blessing, **allowed: bool) -> PushedModel:
    pusher = Pusher(Pusher.Config(destination=str(tmp_path / "served"), **allowed))
    (tmp_path / "output").mkdir()
    context = Context(output=tmp_path / "output")
    return pusher.run(context, model=made["model"], evaluation=judged(made["evaluation"], blessing=blessing))


@pytest.mark.parametrize(
    ("blessing", "allowed", "key"),
    [
        (BLESSED, {}, None),
        (STAMPED, {}, "pusher.allow_rubber_stamped"),
        (STAMPED, {"allow_unblessed": True}, "pusher.allow_rubber_stamped"),
        (STAMPED, {"allow_rubber_stamped": True}, None),
        (NOT_BLESSED, {}, "pusher.allow_unblessed"),
        (NOT_BLESSED, {"allow_rubber_stamped": True}, "pusher.allow_unblessed"),
        (NOT_BLESSED, {"allow_unblessed": True}, None),
    ],
)
def test_pushes_only_blessed_or_allowed_models(
    made: dict[str, Stored[Any]], tmp_path: Path, blessing: Blessing, allowed: dict[str, bool], key: str | None
) -> None:
    planner = Pusher(Pusher.Config(destination=str(tmp_path / "served"), **allowed))
    planned = planner.planned_publication(None, {**made, "evaluation": judged(made["evaluation"], blessing=blessing)})
    pushed = push(made, tmp_path, blessing, **allowed)
    assert planned == planner.planned_publication(Stored(pushed, tmp_path / "output"), {})
    assert planned.withheld == pushed.withheld
    if key is None:
        assert (pushed.directory, pushed.withheld) == ("servable", "")
    else:
        assert pushed.directory is None
        assert f"{key}: true" in pushed.withheld
        assert list((tmp_path / "output").iterdir()) == []
    pusher = Pusher(Pusher.Config(destination=str(tmp_path / "served")))
    result = pusher.publish(Stored(pushed, tmp_path / "output"), NoProgress())
    assert result == planned.what == ("" if key else f"version 1: {tmp_path / 'served' / '1'}")
    assert (tmp_path / "served").exists() == (key is None)


@pytest.mark.parametrize(
    ("allowed", "conditions"),
    [
        ({}, ", if the model is blessed and not rubber-stamped"),
        ({"allow_rubber_stamped": True}, ", if the model is blessed"),
        ({"allow_unblessed": True}, ", if the model is not rubber-stamped"),
        ({"allow_rubber_stamped": True, "allow_unblessed": True}, ""),
    ],
)
def test_plan_without_an_evaluation_names_the_conditions(
    tmp_path: Path, allowed: dict[str, bool], conditions: str
) -> None:
    planned = Pusher(Pusher.Config(destination=str(tmp_path), **allowed)).planned_publication(None, {})
    assert planned == PlannedPublication(f"version 1: {tmp_path / '1'}{conditions}")


def test_a_servable_is_the_saved_model_and_a_statement(made: dict[str, Stored[Any]], tmp_path: Path) -> None:
    pushed = push(made, tmp_path, BLESSED)
    source, copy = made["model"].directory / "saved_model", tmp_path / "output" / "servable"
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert files == {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()} | {
        "assets.extra/pushed.json"
    }
    for name in files - {"assets.extra/pushed.json"}:
        assert (copy / name).read_bytes() == (source / name).read_bytes()
    statement = json.loads((copy / "assets.extra/pushed.json").read_text())
    evaluation, model = made["evaluation"].artifact, made["model"].artifact
    assert pushed.servable is not None
    assert statement == pushed.servable.model_dump(mode="json")
    assert (statement["weights_sha256"], statement["accuracy"]) == (model.weights_sha256, evaluation.metrics.accuracy)
    assert statement["class_names"] == list(model.class_names)


def test_the_evaluation_must_be_of_the_model(made: dict[str, Stored[Any]], tmp_path: Path) -> None:
    other = judged(made["evaluation"], blessing=BLESSED, weights_sha256="0" * 64)
    with pytest.raises(DataError, match="the evaluation is of another model"):
        Pusher(Pusher.Config(destination="x")).run(Context(output=tmp_path), model=made["model"], evaluation=other)


def test_a_model_without_a_saved_model_can_only_be_withheld(tmp_path: Path) -> None:
    kinds = make_inputs(tmp_path / "inputs")
    pusher, context = Pusher(Pusher.Config(destination="x")), Context(output=tmp_path)
    blessed = judged(kinds[Evaluation], blessing=BLESSED)
    with pytest.raises(ConfigError, match="has no SavedModel") as raised:
        pusher.run(context, model=kinds[Model], evaluation=blessed)
    assert "pusher=null" in raised.value.remedy
    withheld = judged(blessed, blessing=NOT_BLESSED)
    assert pusher.run(context, model=kinds[Model], evaluation=withheld).withheld


def test_refuses_a_saved_model_without_its_main_file(made: dict[str, Stored[Any]], tmp_path: Path) -> None:
    shutil.copytree(made["model"].directory, tmp_path / "model")
    (tmp_path / "model/saved_model/saved_model.pb").unlink()
    broken = {**made, "model": Stored(made["model"].artifact, tmp_path / "model")}
    with pytest.raises(ConfigError, match=r"has no saved_model\.pb: there is nothing to push"):
        push(broken, tmp_path, BLESSED)


def test_a_full_disk_is_reported_with_the_purpose(
    made: dict[str, Stored[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:  # noqa: ARG001
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("components.pusher.component.copy_files", full)
    with pytest.raises(StorageError, match="no space for the copy to be served"):
        push(made, tmp_path, BLESSED)


def test_the_destination_does_not_affect_the_artifact() -> None:
    here, there = (Pusher(Pusher.Config(destination=place)).identity() for place in ("here", "there"))
    assert here == there
    assert Pusher(Pusher.Config(destination="here", allow_unblessed=True)).identity() != here


def test_a_destination_may_be_a_string_or_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")
    assert Pusher.Config(destination="~/served").destination == Path("/home/user/served")
    assert Pusher.Config.model_validate({"destination": Path("served")}).destination == Path("served")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "the path of a file or folder"),
        (None, "the path of a file or folder"),
        (3, "the path of a file or folder"),
        ("s3://Bucket/models", "`Bucket` cannot be the name of a bucket"),
        ("http://server/models", "http://server/models is a URL"),
        ("S3://bucket/models", "S3://bucket/models is a mistyped URL"),
        ("s3:/bucket/models", "s3:/bucket/models is a mistyped URL"),
        ("~no-such-user/x", "there is no home folder"),
    ],
)
def test_refuses_a_destination_that_is_not_a_path(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pusher.Config.model_validate({"destination": value})


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("link", "it is a broken link"),
        ("link/below", "link is a broken link"),
        ("file/below", "file is not a folder"),
        ("/proc/x/y", "/proc cannot be written to"),
    ],
)
def test_reports_an_unusable_destination_before_the_run(tmp_path: Path, place: str, message: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=f"cannot push to {tmp_path / place}: .*{message}"):
        check_destination(tmp_path / place)
    check_destination(tmp_path / "to/be/made")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("missing", "message"), [(os.R_OK, "has no read permission"), (os.W_OK, "has no write permission")]
)
def test_a_destination_must_be_readable_and_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int, message: str
) -> None:
    monkeypatch.setattr("os.access", lambda _, wanted: not wanted & missing)  # root has all permissions
    with pytest.raises(ConfigError, match=f"it {message}"):
        check_destination(tmp_path)
