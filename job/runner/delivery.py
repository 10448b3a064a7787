"""Where components deliver to: outside of what the job keeps for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.base.errors import ConfigError

if TYPE_CHECKING:
    from components import Component
    from job.store.runs import Runs
    from job.store.store import Store


def check_delivery(slot: str, component: Component[Any], store: Store, runs: Runs) -> None:
    """See that a component delivers to none of the folders of artifacts and runs.

    Raises:
        ConfigError: if it would.
    """
    folder = component.publish_destination()
    if folder is None:
        return
    for own, what in ((store.artifacts, "artifacts"), (runs.directory, "runs")):
        if folder.resolve().is_relative_to(own.resolve()):
            raise ConfigError(
                f"the {slot} would deliver to {folder}, which is for the job's {what}",
                expected="a folder of its own",
                remedy=f"name another one, such as {store.root / 'serving'}",
            )
