"""Small servables to publish: real directories whose files say which model they are."""

from __future__ import annotations

from pathlib import Path

from components.artifacts import Interval, Servable
from components.digests import value_sha256
from components.serving.content import content_digest, write_statement
from components.serving.publishing import Published, publish
from components.serving.versions import list_versions


def make_servable(directory: Path, name: str, *, accuracy: float = 0.9) -> Path:
    """Write a directory with the layout of a SavedModel that is told from others by its name."""
    for file in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
        (directory / file).parent.mkdir(parents=True, exist_ok=True)
        (directory / file).write_text(f"{file} of {name}")
    servable = Servable(
        content_sha256=content_digest(directory),
        weights_sha256=value_sha256(name),
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


def push(tmp_path: Path, name: str) -> Published:
    """Push a model of that name to `served`, as a run does; the same name is the same model."""
    made = tmp_path / "made" / name
    servable = made if made.exists() else make_servable(made, name)
    return publish(servable, tmp_path / "served", digest=content_digest(servable))


def served(destination: Path) -> list[str]:
    """Return which model each version is, the newest last."""
    files = [version.directory / "saved_model.pb" for version in list_versions(destination)]
    return [file.read_text().rpartition(" ")[2] for file in files]
