"""Pusher: publishes a blessed model as the next version for a model server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from components.artifacts import Blessing, Evaluation, Model, PublishedVersion, PushedModel, Servable, Stored
from components.base.component import Component, ComponentConfig, Context, PlannedPublication
from components.base.errors import ConfigError
from components.base.progress import Progress
from components.object_storage.location import Location, UserLocation, path_or_text
from components.object_storage.url import ObjectUrl
from components.pusher.metadata import read_statement, write_statement
from components.pusher.publish import plan_publication, publish_artifact
from components.pusher.rollback import require_versions, roll_back
from components.pusher.servable import (
    SAVED_MODEL_FILE,
    SERVABLE_DIRECTORY,
    check_same_model,
    copy_files,
    describe_servable,
    servable_digest,
    servable_size,
)
from components.pusher.version_store import open_version_store
from components.pusher.versions import describe_version, translate_os_errors
from components.runtime.disk import disk_space_guard


class PusherConfig(ComponentConfig):
    """Where models are pushed to, and which models."""

    destination: UserLocation
    """The folder of the numbered versions, which a model server watches; relative to where the job is started. Or a
    URL of object storage, such as s3://bucket/models."""
    allow_rubber_stamped: Annotated[bool, Field(strict=True)] = False
    """Also push a model that was blessed without a baseline to compare with, as the first model is."""
    allow_unblessed: Annotated[bool, Field(strict=True)] = False
    """Also push a model that is not blessed."""


class Pusher(Component[PusherConfig]):
    """Copies a blessed model's SavedModel: `run` into an artifact, `publish` to the folder that a server watches.

    >>> Pusher(PusherConfig(destination="serving/mnist")).publish_destination()
    PosixPath('serving/mnist')
    """

    Config = PusherConfig

    def identity(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json", exclude={"destination"})

    def preflight(self) -> None:
        open_version_store(self.config.destination).check()

    def run(self, context: Context, /, *, model: Stored[Model], evaluation: Stored[Evaluation]) -> PushedModel:
        """Write `servable/`, the directory of one version, unless the model is withheld.

        Raises:
            ConfigError: if a model that is not withheld has no SavedModel.
            DataError: if the evaluation is of another model.
        """
        check_same_model(model.artifact, evaluation.artifact)
        if withheld := self._reason_to_withhold(evaluation.artifact.blessing):
            return PushedModel(withheld=withheld)
        source, target = _saved_model_directory(model), context.output / SERVABLE_DIRECTORY
        servable = describe_servable(source, model.artifact, evaluation.artifact)
        with context.timed("copying"), disk_space_guard(context.output, servable_size(source), "the copy to be served"):
            copy_files(source, target)
            write_statement(servable, target)
        return PushedModel(servable=servable, directory=SERVABLE_DIRECTORY)

    def publish(self, sealed: Stored[PushedModel], progress: Progress) -> str:
        """Add the model to the destination as its next version, unless it is there already or withheld."""
        return publish_artifact(self.config.destination, sealed, progress)

    def planned_publication(
        self, sealed: Stored[PushedModel] | None, inputs: Mapping[str, Stored[Any]]
    ) -> PlannedPublication:
        """Return the version that `publish` would add to the destination, or why the model is withheld."""
        destination = self.config.destination
        model, evaluation = inputs.get("model"), inputs.get("evaluation")
        if sealed is not None:
            servable = sealed.artifact.servable
            withheld, digest = sealed.artifact.withheld, None if servable is None else servable.content_sha256
        elif evaluation is None:
            return PlannedPublication(plan_publication(destination, None) + self._conditions())
        else:
            withheld = self._reason_to_withhold(evaluation.artifact.blessing)
            name = None if model is None else model.artifact.saved_model
            digest = None if model is None or name is None else servable_digest(model.directory / name)
        return PlannedPublication("" if withheld else plan_publication(destination, digest), withheld)

    def publish_destination(self) -> Path | str | None:
        return path_or_text(self.config.destination)

    @staticmethod
    def list_versions(destination: Location) -> list[PublishedVersion]:
        """Return the versions at a destination, the newest, which is served, first (see `require_versions`)."""
        versions = require_versions(open_version_store(destination).read())
        with translate_os_errors(destination):
            return [describe_version(version, versions) for version in reversed(versions)]

    roll_back = staticmethod(roll_back)

    @staticmethod
    def read_version(directory: Location) -> Servable | None:
        """Return the statement of a published version; None if the directory has none.

        Raises:
            IntegrityError: if the statement is damaged.
            ConfigError: if it cannot be read.
        """
        if isinstance(directory, ObjectUrl):
            from components.pusher.object_versions import read_object_statement

            return read_object_statement(directory)
        with translate_os_errors(directory):
            return read_statement(directory)

    def _reason_to_withhold(self, blessing: Blessing) -> str:
        if blessing.verdict != "BLESSED" and not self.config.allow_unblessed:
            return "the model is not blessed; pusher.allow_unblessed: true pushes it nevertheless"
        if blessing.rubber_stamped and not self.config.allow_rubber_stamped:
            return (
                "the model is rubber-stamped: it was compared with no baseline; "
                "pusher.allow_rubber_stamped: true pushes it nevertheless"
            )
        return ""

    def _conditions(self) -> str:
        """Return on what the publication of a model depends whose evaluation is not known yet."""
        conditions = [
            *([] if self.config.allow_unblessed else ["blessed"]),
            *([] if self.config.allow_rubber_stamped else ["not rubber-stamped"]),
        ]
        return f", if the model is {' and '.join(conditions)}" if conditions else ""


def _saved_model_directory(model: Stored[Model]) -> Path:
    if (name := model.artifact.saved_model) is None:
        problem = f"the model has no SavedModel, only {model.artifact.file}"
    elif not (model.directory / name / SAVED_MODEL_FILE).is_file():
        problem = f"the model's SavedModel has no {SAVED_MODEL_FILE}"
    else:
        return model.directory / name
    raise ConfigError(
        f"{problem}: there is nothing to push",
        expected="a model with a SavedModel, as the Trainer writes it",
        remedy="use a trainer that writes a SavedModel, or remove the pusher (`--set pusher=null`)",
    )
