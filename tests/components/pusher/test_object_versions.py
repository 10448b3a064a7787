"""Versions in object storage: what a push writes, in which order, and what the next one does after a kill."""

import json
from pathlib import Path
from typing import Any

import pytest

from components import Pusher
from components.base.errors import IntegrityError, TerminationError
from components.base.progress import NoProgress
from components.base.termination import NoTermination
from components.object_storage import ObjectUrl, open_objects
from components.pusher import rollback
from components.pusher.metadata import ROLLBACK_FILE, STATEMENT_FILE
from components.pusher.object_versions import STAGING_LIFE
from components.pusher.publish import PublishResult, planned_version, publish
from components.pusher.servable import servable_digest
from components.pusher.version_store import list_versions
from tests.components.pusher.support import bytes_below, make_servable
from tests.conftest import FAKES, Command, WriteConfig
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.object_servers import Bucket
from tests.support.progress import RecordingProgress

both_stores = pytest.mark.parametrize(
    "bucket", ["s3", pytest.param("azurite", marks=pytest.mark.thorough)], indirect=True
)


def served(bucket: Bucket, name: str = "served") -> ObjectUrl:
    return ObjectUrl.parse(f"{bucket.url}/{name}")


def push(folder: Path, destination: ObjectUrl, name: str, progress: NoProgress | None = None) -> PublishResult:
    made = folder / "made" / name
    servable = made if made.exists() else make_servable(made, name)
    digest = servable_digest(servable)
    return publish(servable, destination, digest=digest, progress=progress or NoProgress())


def below(bucket: Bucket, folder: str) -> dict[str, bytes]:
    return {
        key.removeprefix(f"{folder}/"): data for key, data in bucket.objects().items() if key.startswith(f"{folder}/")
    }


def models(destination: ObjectUrl) -> list[str]:
    """Return the model name of each version, the newest last."""
    names = []
    for version in list_versions(destination):
        with version.files() as folder:
            names.append((folder / "saved_model.pb").read_text().rpartition(" ")[2])
    return names


@both_stores
def test_a_version_has_the_files_of_the_servable(bucket: Bucket, tmp_path: Path) -> None:
    destination = served(bucket)
    assert planned_version(destination, None) == 1
    for number, name in enumerate("ab", start=1):
        assert str(push(tmp_path, destination, name)) == f"version {number}: {destination}/{number}"
        assert below(bucket, f"served/{number}") == bytes_below(tmp_path / "made" / name)
    again = push(tmp_path, destination, "a")
    assert (again.new, str(again)) == (False, f"version 1: {destination}/1, there already; version 2 is served")
    assert planned_version(destination, servable_digest(tmp_path / "made/a")) is None
    assert {key.split("/")[1] for key in bucket.objects()} == {"1", "2", ".versions"}, "nothing else is left"


@both_stores
def test_rolls_back_and_forward(bucket: Bucket, tmp_path: Path) -> None:
    destination = served(bucket)
    for name in "ab":
        push(tmp_path, destination, name)
    done = rollback.roll_back(destination, None, progress=NoProgress(), termination=NoTermination())
    assert (done.before.number, done.served.number, done.served.copy_of) == (2, 3, 1)
    assert done.served.directory == f"{destination}/3"
    copy = below(bucket, "served/3")
    assert json.loads(copy.pop(ROLLBACK_FILE))["content_sha256"] == [servable_digest(tmp_path / "made/b")]
    assert copy == below(bucket, "served/1")
    listener = RecordingProgress()
    assert not push(tmp_path, destination, "b", listener).new, "it is there"
    open_objects(destination).delete([f"2/{name}" for name in below(bucket, "served/2")])
    assert push(tmp_path, destination, "b", listener).version is None
    assert "was rolled back from it" in listener.warnings[0]
    assert models(destination) == ["a", "a"]
    assert push(tmp_path, destination, "c").served.number == 4
    assert not below(bucket, "served/4").keys() & {ROLLBACK_FILE}


def test_the_main_file_appears_last(s3: Bucket, s3_proxy: FaultyProxy, tmp_path: Path) -> None:
    s3_proxy.plan(Fault("slow", method="PUT", match="/served/1/variables", seconds=0.2))
    push(tmp_path, served(s3), "a")
    written = [request.path for request in s3_proxy.requests if request.method == "PUT"]
    visible = [path for path in written if "/served/1/" in path]
    assert len(visible) == 4
    assert "saved_model.pb" in visible[-1]
    hidden = [path for path in written if "/served/." in path]
    assert len(hidden) == 4 + 2, "the files, and the record twice"


def test_unchanged_versions_are_not_downloaded(s3: Bucket, s3_proxy: FaultyProxy, tmp_path: Path) -> None:
    destination = served(s3)
    for name in "ab":
        push(tmp_path, destination, name)
    s3_proxy.plan()
    assert [version.damage for version in list_versions(destination)] == ["", ""]
    assert s3_proxy.count("GET", "/served/[12]/") == 0
    open_objects(destination).upload(b"something else", "1/saved_model.pb")
    assert [version.damage for version in list_versions(destination)] == ["was changed after it was published", ""]


def test_a_copied_destination_needs_no_records(s3: Bucket, tmp_path: Path) -> None:
    """As after `aws s3 sync` from a local folder."""
    objects = open_objects(served(s3))
    for number, name in enumerate("ab", start=1):
        for file, data in bytes_below(make_servable(tmp_path / "made" / name, name)).items():
            objects.upload(data, f"{number}/{file}")
    objects.upload(b"", "7/notes.txt")
    assert [version.damage for version in list_versions(served(s3))] == ["", "", "has no saved_model.pb"]
    assert not push(tmp_path, served(s3), "a").new
    assert push(tmp_path, served(s3), "c").served.number == 8
    objects.upload(b"{}", f"1/{STATEMENT_FILE}")
    for attempt in (lambda: push(tmp_path, served(s3), "d"), lambda: roll_back_to(served(s3), 1)):
        with pytest.raises(IntegrityError, match=f"{served(s3)}/1/{STATEMENT_FILE} is damaged"):
            attempt()


def roll_back_to(destination: ObjectUrl, to: int | None) -> Any:
    return rollback.roll_back(destination, to, progress=NoProgress(), termination=NoTermination())


class Killed(BaseException):
    """Ends a push at a request, as a kill does: nothing is deleted."""


def killed_at(monkeypatch: pytest.MonkeyPatch, operation: str, number: int) -> None:
    """Raise Killed at the n-th call of an operation on objects."""
    from components.object_storage.obstore_objects import ObstoreObjects

    real, left = getattr(ObstoreObjects, operation), [number]

    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return real(self, *arguments, **options)

    monkeypatch.setattr(ObstoreObjects, operation, call)


@both_stores
@pytest.mark.parametrize(
    ("operation", "number", "damages"),
    [
        ("copy", 4, ["", "is not complete"]),
        pytest.param("upload", 3, [""], marks=pytest.mark.thorough),
        pytest.param("create", 1, [""], marks=pytest.mark.thorough),
        pytest.param("copy", 1, ["", "is not complete"], marks=pytest.mark.thorough),
        pytest.param("replace", 1, ["", "is not complete"], marks=pytest.mark.thorough),
    ],
)
def test_the_next_push_completes_a_killed_one(
    bucket: Bucket, tmp_path: Path, operation: str, number: int, damages: list[str]
) -> None:
    destination = served(bucket)
    push(tmp_path, destination, "a")
    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(Killed):
        killed_at(monkeypatch, operation, number)
        push(tmp_path, destination, "b")
    found = [version.damage for version in reversed(Pusher.list_versions(destination))]
    assert len(found) == len(damages)
    assert all(damage.startswith(expected) for damage, expected in zip(found, damages, strict=True))
    assert push(tmp_path, destination, "c").served.number == len(damages) + 1
    assert models(destination) == ["a", *("b" * (len(damages) - 1)), "c"]
    assert [version.damage for version in list_versions(destination)] == [""] * (len(damages) + 1)
    assert push(tmp_path, destination, "b").new == (damages == [""])


@pytest.mark.thorough
def test_uploads_of_a_killed_push_are_deleted_later(
    s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as once, pytest.raises(Killed):
        killed_at(once, "create", 1)
        push(tmp_path, served(s3), "a")
    assert len(below(s3, "served/.staging")) == 4
    push(tmp_path, served(s3), "b")
    assert len(below(s3, "served/.staging")) == 4, "the process may be alive"
    monkeypatch.setattr("components.pusher.object_versions.STAGING_LIFE", -STAGING_LIFE)
    push(tmp_path, served(s3), "c")
    assert below(s3, "served/.staging") == {}


def test_a_version_whose_uploads_are_gone_is_abandoned(s3: Bucket, tmp_path: Path) -> None:
    destination = served(s3)
    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(Killed):
        killed_at(monkeypatch, "copy", 4)
        push(tmp_path, destination, "a")
    assert "1/saved_model.pb" not in below(s3, "served")
    objects = open_objects(destination)
    objects.delete(info.key for info in objects.list(".staging/"))
    assert str(push(tmp_path, destination, "a")) == f"version 2: {destination}/2"
    assert below(s3, "served/1") == {}, "a server must not find a part of it"
    assert models(destination) == ["a"]


def test_a_damaged_record_is_reported(s3: Bucket, tmp_path: Path) -> None:
    push(tmp_path, served(s3), "a")
    open_objects(served(s3)).upload(b'{"state": "publ', ".versions/1.json")
    with pytest.raises(IntegrityError, match=rf"{served(s3)}/\.versions/1\.json is damaged"):
        push(tmp_path, served(s3), "b")
    assert models(served(s3)) == ["a"]


def test_an_interrupted_rollback_changes_nothing(s3: Bucket, tmp_path: Path) -> None:
    for name in "ab":
        push(tmp_path, served(s3), name)
    before = s3.objects()

    class EndsWhenAllIsUploaded(NoTermination):
        def check(self) -> None:
            if len(below(s3, "served/.staging")) == 4:
                raise TerminationError("termination was requested")

    with pytest.raises(TerminationError):
        rollback.roll_back(served(s3), None, progress=NoProgress(), termination=EndsWhenAllIsUploaded())
    assert s3.objects() == before


def test_commands_take_the_url_of_a_destination(mnist_job: Command, s3: Bucket, tmp_path: Path) -> None:
    destination = served(s3)
    for name in "ab":
        push(tmp_path, destination, name)
    done = mnist_job("rollback", destination)
    assert done.stdout.splitlines()[-1] == f"where         {destination}/3"
    listed = json.loads(mnist_job("versions", destination, "--json").stdout)["versions"]
    assert [row["version"] for row in listed] == [3, 2, 1]
    assert (listed[0]["path"], listed[0]["copy_of"]) == (f"{destination}/3", 1)
    missing = mnist_job("versions", "s3://no-such-bucket/served")
    assert missing.exit_code == 2
    assert missing.stderr.startswith("error: the bucket `no-such-bucket` does not exist\n")


@pytest.mark.thorough
def test_a_run_pushes_to_object_storage(
    mnist_job: Command, write_config: WriteConfig, s3: Bucket, tmp_path: Path
) -> None:
    trainer = {"use": "components.testing:FakeTrainer", "saved_model": True}
    pusher = {"destination": str(served(s3)), "allow_rubber_stamped": True}
    run = ("run", "--config", write_config({**FAKES, "trainer": trainer, "pusher": pusher}))
    assert f"publishes version 1: {served(s3)}/1" in mnist_job("plan", *run[1:], "--root", tmp_path / "root").stdout
    assert f"\nservable      version 1: {served(s3)}/1\n" in mnist_job(*run, "--root", tmp_path / "root").stdout
    shown = mnist_job("show", f"{served(s3)}/1", "--root", tmp_path / "root").stdout
    assert shown.startswith("artifact      pushed_model\n")
    for place, message in (
        ("s3://no-such-bucket/x", "the bucket `no-such-bucket` does not exist"),
        (f"{s3.url}/root/artifacts/x", f"the pusher would publish to {s3.url}/root/artifacts/x, the folder of the job"),
    ):
        refused = mnist_job(*run, "--root", f"{s3.url}/root", "--set", f"pusher.destination={place}")
        assert (refused.exit_code, message in refused.stderr) == (2, True)
    assert not [key for key in below(s3, "root") if key.endswith("run.json")]
