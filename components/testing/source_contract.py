"""The contract of sources, as a test class for any of them.

Derive a test class, set its source as a configuration takes it, and pytest collects it:

    from components.testing import SourceContract

    class TestMySource(SourceContract):
        source = {"use": "my_source:MySource", "path": "data.npz"}
"""

import hashlib
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationError

from components.base.component import Context
from components.example_gen.component import ExampleGenConfig
from components.example_gen.sources.base import Dataset, SourceConfig


class SourceContract:
    """Tests that every source must pass."""

    source: ClassVar[Any]
    """A section of the configuration; in Python also the class of an `ImageSource` without options."""

    def test_its_config_survives_json(self, tmp_path: Path) -> None:
        config = ExampleGenConfig(source=self.make_source(tmp_path))
        assert ExampleGenConfig.model_validate_json(config.model_dump_json()) == config

    def test_its_config_rejects_an_unknown_key(self, tmp_path: Path) -> None:
        section = self.configure(tmp_path).model_dump()
        try:
            ExampleGenConfig.model_validate({"source": {**section, "no_such_key": 1}})
        except ValidationError:
            return
        raise AssertionError("the source accepts any key: declare each option")

    def test_its_identity_is_text_and_outlasts_reading(self, tmp_path: Path) -> None:
        source = self.configure(tmp_path)
        identity = source.identity()
        assert all(isinstance(text, str) for item in identity.items() for text in item)
        _load(source, tmp_path)
        assert source.identity() == identity

    def test_each_class_has_a_name_and_images(self, tmp_path: Path) -> None:
        dataset, _ = _load(self.configure(tmp_path), tmp_path)
        classes = range(len(dataset.class_names))
        assert len(set(dataset.class_names)) == len(classes) >= 2
        for part in dataset.parts():
            assert set(part.labels.tolist()) == set(classes), "a class has no image, or a label has no class"

    def test_its_images_have_one_size_and_a_label_each(self, tmp_path: Path) -> None:
        dataset, _ = _load(self.configure(tmp_path), tmp_path)
        train = dataset.train.images
        for part in dataset.parts():
            images = part.images
            assert (images.height, images.width) == (train.height, train.width)
            assert images.count == len(part.labels) == sum(map(len, images.chunks())) > 0

    def test_reading_again_gives_the_same_data(self, tmp_path: Path) -> None:
        source = self.configure(tmp_path)
        first, first_digests = _load(source, tmp_path / "first")
        again, digests = _load(source, tmp_path / "again")
        assert (again.title, again.class_names) == (first.title, first.class_names)
        assert digests == first_digests

    @classmethod
    def make_source(cls, folder: Path) -> Any:  # noqa: ARG003
        """Return the source; override it to write files to a folder first."""
        return cls.source

    def configure(self, folder: Path) -> SourceConfig:
        """Return the source, validated."""
        return ExampleGenConfig(source=self.make_source(folder)).source


def _load(source: SourceConfig, folder: Path) -> tuple[Dataset, list[str]]:
    """Load a source into a folder; return the dataset, and the digest of images and labels of each part."""
    dataset = source.load(Context(output=folder), folder / "scratch")
    digests = []
    for part in dataset.parts():
        digest = hashlib.sha256(part.labels.tobytes())
        for chunk in part.images.chunks():
            digest.update(chunk.data)
        digests.append(digest.hexdigest())
    return dataset, digests
