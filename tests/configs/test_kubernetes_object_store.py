"""The overlay `object-store`: a root without a volume, for each of the other overlays."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from components.base.errors import ConfigError
from components.base.size import parse_size
from components.object_storage import ObjectUrl
from components.object_storage.settings import CACHE_SIZE_VARIABLE, CACHE_VARIABLE, StorageSettings
from components.trainer.config import CheckpointConfig
from job.signals import GRACE_SECONDS
from tests.configs.kubernetes import (
    MANIFESTS,
    OBJECT_STORE,
    OVERLAYS,
    Rendered,
    call,
    parse,
    render,
    require_kubectl,
    validate,
)
from tests.support.containers import image_environment

require_kubectl()

WITH_OBJECT_STORE = {overlay: {OBJECT_STORE: overlay} for overlay in OVERLAYS if overlay != OBJECT_STORE}
WITH_OBJECT_STORE["cron"] = {"cron": OBJECT_STORE}
WITH_OBJECT_STORE["jobset"] = {"jobset": OBJECT_STORE, OBJECT_STORE: "multi-worker"}
"""For each other overlay, the overlays that get another resource, and this resource; the first of them is rendered."""


def gibibytes(quantity: str) -> int:
    found = re.fullmatch(r"([1-9]\d*)Gi", quantity)
    assert found, quantity
    return int(found[1])


def test_root_is_a_url_once_the_words_in_capitals_are_replaced() -> None:
    root = render(OBJECT_STORE).variables["JOB_ROOT"]
    assert str(ObjectUrl.parse(root.replace("BUCKET", "team-runs"))) == "s3://team-runs/mnist-job"


def test_root_whose_bucket_was_not_replaced_is_refused() -> None:
    with pytest.raises(ConfigError, match="BUCKET"):
        ObjectUrl.parse(render(OBJECT_STORE).variables["JOB_ROOT"])


def test_cache_fits_into_its_volume_and_that_on_the_node() -> None:
    rendered = render(OBJECT_STORE)
    cache = rendered.variables.get(CACHE_VARIABLE, image_environment()[CACHE_VARIABLE])
    limit = gibibytes(rendered.mounted_below(cache)["emptyDir"]["sizeLimit"])
    assert parse_size(rendered.variables[CACHE_SIZE_VARIABLE]) < limit * 2**30
    on_disk = [mount["emptyDir"] for mount in rendered.mounts.values() if "emptyDir" in mount]
    assert sum(gibibytes(volume["sizeLimit"]) for volume in on_disk) < gibibytes(
        rendered.container["resources"]["limits"]["ephemeral-storage"]
    )


def test_grace_period_allows_the_upload_of_a_checkpoint() -> None:
    seconds = render(OBJECT_STORE).pod["terminationGracePeriodSeconds"]
    assert seconds >= GRACE_SECONDS + CheckpointConfig().every_seconds + StorageSettings().grace


def test_credentials_are_an_identity_or_a_secret() -> None:
    rendered = render(OBJECT_STORE)
    account = rendered.documents["ServiceAccount"]
    assert rendered.pod["serviceAccountName"] == account["metadata"]["name"]
    assert account["automountServiceAccountToken"] is False
    (source,) = rendered.container["envFrom"]
    assert source == {"secretRef": {"name": "mnist-job-credentials", "optional": True}}
    assert not re.search("KEY|SECRET|TOKEN", " ".join(rendered.variables)), "no credentials in the manifests"


@pytest.fixture(
    params=[
        *(name for name in WITH_OBJECT_STORE if name in ("gpu", "jobset")),
        *(
            pytest.param(name, marks=pytest.mark.thorough)
            for name in WITH_OBJECT_STORE
            if name not in ("gpu", "jobset")
        ),
    ]
)
def changed(request: pytest.FixtureRequest, tmp_path: Path) -> Rendered:
    """Return each of the others with its root in object storage."""
    overlays = shutil.copytree(MANIFESTS, tmp_path / "kubernetes") / "overlays"
    resources = WITH_OBJECT_STORE[request.param]
    for overlay, resource in resources.items():
        path = overlays / overlay / "kustomization.yaml"
        text, count = re.subn(r"  - \.\./(cpu|multi-worker)\n", f"  - ../{resource}\n", path.read_text())
        assert count == 1
        path.write_text(text)
    done = call("kubectl", "kustomize", overlays / next(iter(resources)))
    assert (done.returncode, done.stderr) == (0, "")
    rendered = parse(done.stdout)
    validate(rendered)
    others = render(str(request.param))
    assert rendered.documents["ConfigMap"] == others.documents["ConfigMap"], "the configuration is that of the resource"
    assert rendered.container["args"] == others.container["args"]
    return rendered


def test_every_overlay_can_have_its_root_in_object_storage(changed: Rendered) -> None:
    network = {"Service", "NetworkPolicy"} & set(changed.documents)
    assert set(changed.documents) == {"ConfigMap", changed.kind, "ServiceAccount", *network}
    assert not any("persistentVolumeClaim" in volume for volume in changed.pod["volumes"])
    assert "emptyDir" in changed.mounted_below("/output/cache")
