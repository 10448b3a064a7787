"""Pusher: hands a blessed model over to a model server, as the next version of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from components.artifacts import Blessing, Evaluation, Model, PushedModel, Stored
from components.base.component import Component, ComponentConfig, Context
from components.base.errors import ConfigError
from components.base.progress import Progress
from components.pusher.content import DIRECTORY, MODEL, copy_files, size_of
from components.pusher.destination import Destination, check_destination
from components.pusher.metadata import write_statement
from components.pusher.servable import check_same, describe, publish_model
from components.runtime.disk import disk_space_guard


class PusherConfig(ComponentConfig):
    """Where models are pushed to, and which."""

    destination: Destination
    """The folder of the numbered versions, which a model server watches; relative to where the job is started."""
    allow_rubber_stamped: Annotated[bool, Field(strict=True)] = False
    """Also push a model that was blessed without a baseline to compare with, as the first one is."""
    allow_unblessed: Annotated[bool, Field(strict=True)] = False
    """Also push a model that is not blessed."""


class Pusher(Component[PusherConfig]):
    """Copies the SavedModel of a blessed model to where TensorFlow Serving finds it."""

    Config = PusherConfig

    def identity(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json", exclude={"destination"})

    def preflight(self) -> None:
        """Raise ConfigError now if the destination cannot be written to."""
        check_destination(Path(self.config.destination))

    def run(self, context: Context, /, *, model: Stored[Model], evaluation: Stored[Evaluation]) -> PushedModel:
        """Write `servable/`, the directory of one version, unless the model is withheld.

        Raises:
            ConfigError: if there is no SavedModel of a model that is not withheld.
            DataError: if the evaluation is of another model.
            StorageError: if there is no space for the copy.
        """
        check_same(model.artifact, evaluation.artifact)
        if withheld := self._withheld(evaluation.artifact.blessing):
            return PushedModel(withheld=withheld)
        source = self._saved_model(model)
        servable = describe(source, model.artifact, evaluation.artifact)
        with context.timed("copying"), disk_space_guard(context.output, size_of(source), "the copy to be served"):
            copy_files(source, context.output / DIRECTORY)
            write_statement(servable, context.output / DIRECTORY)
        return PushedModel(servable=servable, directory=DIRECTORY)

    def publish(self, made: Stored[PushedModel], progress: Progress) -> str:
        """Publish what was made as the next version of the destination, unless it is there; nothing if it is withheld.

        Raises:
            ConfigError: if the destination cannot be written to.
            StorageError: if there is no space for it.
        """
        return publish_model(Path(self.config.destination), made, progress)

    def publish_destination(self) -> Path:
        return Path(self.config.destination)

    def _saved_model(self, model: Stored[Model]) -> Path:
        if (name := model.artifact.saved_model) is None:
            what = f"the model has no SavedModel, only {model.artifact.file}"
        elif not (model.directory / name / MODEL).is_file():
            what = f"the model's SavedModel has no {MODEL}"
        else:
            return model.directory / name
        raise ConfigError(
            f"{what}: there is nothing to push",
            expected="a model with a SavedModel, as the Trainer writes it",
            remedy="use a trainer that writes one, or take the pusher away (`--set pusher=null`)",
        )

    def _withheld(self, blessing: Blessing) -> str:
        if blessing.verdict != "BLESSED" and not self.config.allow_unblessed:
            return "the model is not blessed; pusher.allow_unblessed: true pushes it all the same"
        if blessing.rubber_stamped and not self.config.allow_rubber_stamped:
            return (
                "the model is rubber-stamped, as it was compared with no baseline; "
                "pusher.allow_rubber_stamped: true pushes it all the same"
            )
        return ""
