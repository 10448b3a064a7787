"""Image-classification data sets of tensorflow-datasets."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from components.base.component import Context
from components.base.errors import ConfigError, DataError, first_line
from components.base.paths import UserPath, require_path
from components.example_gen.sources.base import Dataset, SourceConfig
from components.example_gen.sources.download import MAX_SILENT_SECONDS, download_and_prepare
from components.io.files import data_sha256, open_regular

if TYPE_CHECKING:
    from components.artifacts.examples import Source
    from components.io.raw_images import LabelledImages

OPERATION_NAMES = re.compile(r"^\{\{.*?\}\} | \[Op:.*")
"""What TensorFlow writes around the message of an error."""


class TfdsSource(SourceConfig):
    """A data set of tensorflow-datasets with the features `image` and `label`."""

    kind: Literal["tfds"] = "tfds"
    """Selects this source."""
    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+(/[A-Za-z0-9_.+-]+)?(:\d+\.\d+\.\d+)?$")] = "mnist"
    """Such as `mnist`, `fashion_mnist`, `kmnist`, `emnist/digits`, or with a version, `mnist:3.0.1`."""
    data_dir: UserPath | None = None
    """Folder of prepared data sets; by default `TFDS_DATA_DIR`, or `~/tensorflow_datasets`."""
    download: Annotated[bool, Field(strict=True)] = True
    """Whether a data set that is not prepared may be downloaded and prepared."""
    size: Annotated[int, Field(strict=True, ge=1, le=1024)] | None = None
    """Height and width to resize to; required if the images have different sizes."""

    def identity(self) -> dict[str, str]:
        # A version of a catalogued data set never changes, and the library's version decides which one is the newest.
        folder = self._folder()
        identity = {"name": self.name, "size": str(self.size), "tensorflow-datasets": version("tensorflow-datasets")}
        if not self.download:
            # A prepared data set may be in no catalogue: its description identifies it.
            for path in sorted(folder.glob("**/dataset_info.json")):
                place = path.parent.relative_to(folder).as_posix()  # each configuration has a version 1.0.0
                identity[place] = data_sha256(path, "a description of a data set")
        return identity

    def is_version_of(self, other: Source) -> bool:
        names = (other.identity.get("name", ""), self.name)
        return super().is_version_of(other) and len({name.partition(":")[0] for name in names}) == 1

    def load(self, context: Context, scratch: Path) -> Dataset:
        with context.timed("imports"):
            import tensorflow_datasets as tfds

            from components.runtime.tensorflow import import_tensorflow

            import_tensorflow()
        tfds.disable_progress_bar()
        builder = self._builder()
        self._check_features(builder)
        if not builder.is_prepared():
            self._prepare(builder, context)
        if "train" not in builder.info.splits:
            raise DataError(
                f"`{self.name}` has no split named train, only {', '.join(builder.info.splits)}",
                expected="a training set",
                remedy="choose another data set",
            )
        return Dataset(
            title=builder.info.full_name.replace("/", " "),
            # Some data sets, such as CIFAR-10, have the names of their classes only after they are prepared.
            class_names=tuple(builder.info.features["label"].names),
            train=self._read(builder, "train", context, scratch),
            test=self._read(builder, "test", context, scratch) if "test" in builder.info.splits else None,
        )

    def _folder(self) -> Path:
        root = self.data_dir or require_path("TFDS_DATA_DIR", os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets"))
        return root / self.name.partition(":")[0]

    def _builder(self) -> Any:
        import tensorflow_datasets as tfds

        try:
            builder = tfds.builder(self.name, data_dir=self.data_dir)
        except tfds.core.registered.DatasetNotFoundError as error:
            close = difflib.get_close_matches(self.name.split("/")[0], tfds.list_builders(), n=1)
            raise ConfigError(
                f"tensorflow-datasets has no data set named `{self.name}`",
                expected="a name from its catalogue",
                remedy=f"did you mean `{close[0]}`?" if close else "search its catalogue for the name",
            ) from error
        except (ValueError, AssertionError) as error:
            raise ConfigError(
                f"tensorflow-datasets has no `{self.name}`: {first_line(error)}",
                expected="a configuration and version that the data set has",
                remedy="correct example_gen.source.name",
            ) from error
        except Exception as error:  # a damaged description raises various errors
            raise self._damaged(self._folder(), first_line(error)) from error
        if builder.info.file_format != tfds.core.FileFormat.TFRECORD:
            raise ConfigError(
                f"the prepared `{self.name}` in {self._folder()} is stored as {builder.info.file_format.value}",
                expected="TFRecord files, the default format of tensorflow-datasets",
                remedy="prepare it again in another example_gen.source.data_dir",
            )
        if isinstance(builder, tfds.core.read_only_builder.ReadOnlyBuilder) and self.download:
            raise ConfigError(
                f"`{self.name}` is in no catalogue, only in {builder.data_path}",
                expected="download: false for a data set that cannot be downloaded",
                remedy="set example_gen.source.download: false; its files then identify it",
            )
        return builder

    def _damaged(self, path: Path, reason: str) -> DataError:
        return DataError(
            f"the prepared `{self.name}` cannot be read: {path}: {reason}",
            expected="the files that tensorflow-datasets wrote",
            remedy=f"restore them, or remove {self._folder()}, so that the data set is prepared again",
        )

    def _prepare(self, builder: Any, context: Context) -> None:
        if not self.download:
            raise DataError(
                f"`{self.name}` is not prepared in {builder.data_path.parent.parent}, and download is false",
                expected="a prepared data set, or permission to download it",
                remedy="set example_gen.source.download: true, or data_dir to the folder of the prepared data set",
            )
        limit = f"without a network, this fails after {MAX_SILENT_SECONDS:.0f} s"
        context.progress.message(f"downloading {self.name} to {builder.data_path} ({limit})")
        download_and_prepare(builder, self.name, context)

    def _check_features(self, builder: Any) -> None:
        import tensorflow_datasets as tfds

        features = builder.info.features
        named = features if isinstance(features, tfds.features.FeaturesDict) else {}
        if "image" not in named or "label" not in named or not isinstance(named["label"], tfds.features.ClassLabel):
            raise ConfigError(
                f"`{self.name}` is not an image-classification set: its features are {', '.join(named) or 'unnamed'}",
                expected="the features `image` and `label`",
                remedy="choose an image-classification set of the catalogue",
            )
        if self.size is None and None in features["image"].shape:
            raise ConfigError(
                f"the images of `{self.name}` have different sizes",
                expected="a size to resize them to",
                remedy="set example_gen.source.size, such as 28",
            )

    def _read(self, builder: Any, split: str, context: Context, scratch: Path) -> LabelledImages:
        import numpy as np

        from components.io.raw_images import LabelledImages, spool_images

        count = builder.info.splits[split].num_examples
        height, width, channels = builder.info.features["image"].shape
        if self.size:
            height = width = self.size
        labels = []
        needed = count * height * width * (1 if self.channels == 1 else channels)
        with spool_images(scratch / split, height=height, width=width, channels=self.channels, needed=needed) as spool:
            for batch_images, sizes, batch_labels in self._batches(builder, split, shape=(height, width, channels)):
                context.termination.check()
                images = batch_images[..., :3] if channels > 2 else batch_images[..., 0]
                spool.append(images, resized_from={(row, column) for row, column in sizes.tolist()})
                labels.append(batch_labels.astype(np.int64))
        if sum(map(len, labels)) != count:
            self._check_files(builder.info.splits[split])
        return LabelledImages(spool.images(), np.concatenate(labels))

    def _batches(self, builder: Any, split: str, *, shape: tuple[int, ...]) -> Iterator[Any]:
        """Yield images, uint8 [batch, height, width, channels], their heights and widths before, and their labels.

        Records are parsed in batches: for MNIST's 60,000 this takes 1.5 CPU-seconds, and 4.5 one by one, as
        tensorflow-datasets parses them.
        """
        import tensorflow as tf

        features = builder.info.features
        sizes_vary = None in features["image"].shape  # if not, their sizes take no time
        files = [str(path) for path in builder.info.splits[split].filepaths]
        for file in files:
            self._check_regular(Path(file))

        def to_image(encoded: Any) -> tuple[Any, Any]:
            image = features["image"].decode_example(encoded)
            size = tf.shape(image)[:2] if sizes_vary else ()
            if self.size is not None:
                image = tf.image.resize(image, (self.size, self.size), method="area")
                image = tf.cast(tf.round(image), tf.uint8)
            return image, size

        def decode(records: Any) -> tuple[Any, Any, Any]:
            examples = tf.io.parse_example(records, features.tf_example_spec)
            signature = (tf.TensorSpec(shape, tf.uint8), tf.TensorSpec(2, tf.int32) if sizes_vary else ())
            images, sizes = tf.map_fn(to_image, examples["image"], fn_output_signature=signature)
            return images, sizes if sizes_vary else [features["image"].shape[:2]], examples["label"]

        try:
            yield from tf.data.TFRecordDataset(files).batch(1024).map(decode).as_numpy_iterator()
        except Exception as error:  # a missing file, a damaged record or a damaged image raises various errors
            self._check_files(builder.info.splits[split])
            raise self._damaged(self._folder(), _reason(error)) from error

    def _check_regular(self, path: Path) -> None:
        """Raise DataError for a FIFO or a device, which TensorFlow would read forever and without interruption."""
        try:
            open_regular(path, "a TFRecord file").close()
        except DataError as error:
            raise self._damaged(path, error.headline.removeprefix(f"{path} ")) from error

    def _check_files(self, split: Any) -> None:
        """Raise DataError for the first file of a split that is damaged or incomplete, by reading each one alone."""
        import tensorflow as tf

        for path, expected in zip(split.filepaths, split.shard_lengths, strict=True):
            try:
                count = sum(len(records) for records in tf.data.TFRecordDataset(str(path)).batch(1024))
            except tf.errors.OpError as error:
                raise self._damaged(path, _reason(error)) from error
            if count != expected:
                raise self._damaged(path, f"it has {count:,} records, and its description states {expected:,}")


def _reason(error: Exception) -> str:
    """Return the first line of an error's message without the names of TensorFlow's operations."""
    return OPERATION_NAMES.sub("", first_line(error))
