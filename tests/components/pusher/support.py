"""Small servables to publish: directories with the name of a model in each file."""

from contextlib import suppress
from pathlib import Path

from components.artifacts import Interval, Rollback, Servable
from components.base.errors import JobError
from components.base.hashing import value_sha256
from components.base.progress import NoProgress
from components.base.termination import NoTermination
from components.pusher import rollback
from components.pusher.metadata import write_statement
from components.pusher.publish import PublishResult, planned_version, publish
from components.pusher.servable import servable_digest
from components.pusher.version_store import list_versions
from components.pusher.versions import Version


def make_servable(directory: Path, name: str, *, accuracy: float = 0.9) -> Path:
    """Write a directory with the layout of a SavedModel; its name decides its content."""
    for file in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
        (directory / file).parent.mkdir(parents=True, exist_ok=True)
        (directory / file).write_text(f"{file} of {name}")
    servable = Servable(
        content_sha256=servable_digest(directory),
        weights_sha256=value_sha256(name),
        test_sha256=value_sha256("test images"),
        verdict="BLESSED",
        rubber_stamped=False,
        accuracy=accuracy,
        accuracy_interval=Interval(low=0.0, high=1.0, method="wilson"),
        test_images=10,
        image_shape=(28, 28, 1),
        class_names=("0", "1"),
    )
    write_statement(servable, directory)
    return directory


def push(tmp_path: Path, name: str, progress: NoProgress | None = None) -> PublishResult:
    """Push the model of a name to `served`, as a run does, and compare the result with the plan."""
    made = tmp_path / "made" / name
    servable = made if made.exists() else make_servable(made, name)
    planned: int | None = None
    with suppress(JobError):  # `publish` raises it too
        planned = planned_version(tmp_path / "served", servable_digest(servable))
    result = push_unplanned(tmp_path, name, progress)
    assert planned == (result.served.number if result.new else None)
    return result


def push_unplanned(tmp_path: Path, name: str, progress: NoProgress | None = None) -> PublishResult:
    """Push the model of a name to `served`, also while other processes push."""
    servable = tmp_path / "made" / name
    destination, digest = tmp_path / "served", servable_digest(servable)
    return publish(servable, destination, digest=digest, progress=progress or NoProgress())


def pushed(tmp_path: Path, name: str) -> Version:
    """Push a model, and return its version."""
    version = push(tmp_path, name).version
    assert version is not None
    return version


def roll_back(destination: Path, to: int | None = None) -> Rollback:
    """Roll back without progress messages."""
    return rollback.roll_back(destination, to, progress=NoProgress(), termination=NoTermination())


def served(destination: Path) -> list[str]:
    """Return the model name of each version, the newest last."""
    files = [Path(str(version.directory), "saved_model.pb") for version in list_versions(destination)]
    return [file.read_text().rpartition(" ")[2] for file in files]


def names(folder: Path) -> list[str]:
    """Return the names of the entries of a folder."""
    return sorted(path.name for path in folder.iterdir())


def bytes_below(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by its path relative to that."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
