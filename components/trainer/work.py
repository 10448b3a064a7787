"""The amount of work of a training, compared with an earlier one."""

from collections.abc import Mapping
from typing import Any

from components.artifacts import Artifact, Model, TransformedExamples
from components.base.component import EarlierRun
from components.base.extension import USE
from components.trainer.network import NetworkConfig


def relative_work(identity: Mapping[str, Any], inputs: Mapping[str, Artifact], earlier: EarlierRun) -> float | None:
    """Return the ratio of images x epochs x multiplications of the network to those of an earlier training.

    An earlier training that stopped early counts with the epochs that it had; this one with all of them. None if the
    work of the networks cannot be compared. Images that are not known are assumed to be those of the earlier training.
    """
    there, model = earlier.inputs.get("transformed"), earlier.output
    here = inputs.get("transformed", there)
    if not isinstance(there, TransformedExamples) or not isinstance(here, TransformedExamples):
        return None
    if not isinstance(model, Model):
        return None
    images = here.splits.train.count / max(1, there.splits.train.count)
    network, other = identity["network"], earlier.identity.get("network")
    if (network, here.image_shape, len(here.class_names)) == (other, there.image_shape, len(there.class_names)):
        of_network = 1.0
    elif not isinstance(other, dict) or USE in network or USE in other:
        return None
    else:
        of_network = _multiplications(network, here) / _multiplications(other, there)
    return images * of_network * int(identity["epochs"]) / len(model.history)


def _multiplications(network: Mapping[str, Any], transformed: TransformedExamples) -> int:
    config = NetworkConfig.model_validate(network)
    return config.multiplications(image_shape=transformed.image_shape, classes=len(transformed.class_names))
