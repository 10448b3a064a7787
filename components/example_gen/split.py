"""Assignment of images to train, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from components.artifacts import SPLITS
from components.base.component import ComponentConfig
from components.base.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from components.example_gen.sources.base import Dataset

SplitFraction = Annotated[float, Field(strict=True, gt=0, lt=1)]


class SplitConfig(ComponentConfig):
    """How the images are split into train, validation and test."""

    strategy: Literal["stratified", "official"] = "stratified"
    """`stratified` pools all images, then splits them with every class in the same proportion; `official`
    keeps the source's test set and takes validation from its training set."""
    validation: SplitFraction = 0.1
    """Fraction of all images or, for `official`, of the source's training set."""
    test: SplitFraction | None = None
    """Fraction of all images, by default 0.15; not valid for `official`."""

    @model_validator(mode="after")
    def _leaves_training_images(self) -> Self:
        if self.strategy == "official":
            if self.test is not None:
                raise ValueError("`test` is not valid for the strategy `official`, which keeps the source's test set")
        elif self.validation + self.test_fraction >= 1:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test_fraction:g} leave no training images; "
                "their sum must be less than 1"
            )
        return self

    @property
    def test_fraction(self) -> float:
        """The fraction of all images that `stratified` assigns to test."""
        return 0.15 if self.test is None else self.test


def assign_splits(dataset: Dataset, config: SplitConfig, seed: int) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each split, shuffled. Rows of the test set follow those of the training set."""
    import numpy as np

    train, test = dataset.train, dataset.test
    if config.strategy == "stratified":
        labels = np.concatenate([part.labels for part in dataset.parts()])
        fractions = {"test": config.test_fraction, "validation": config.validation}
        return split_rows(labels, fractions, seed=seed, class_names=dataset.class_names)
    if test is None:
        raise ConfigError(
            f"the split strategy `official` needs a source with a test set, and {dataset.title} has none",
            expected="a source with a test set, or the strategy `stratified`",
            remedy="set example_gen.split.strategy to `stratified`, or add the test files to the source",
        )
    rows = split_rows(train.labels, {"validation": config.validation}, seed=seed, class_names=dataset.class_names)
    rows["test"] = len(train) + np.random.default_rng(seed).permutation(len(test))
    return rows


def split_rows(
    labels: NDArray[np.int64], fractions: dict[str, float], *, seed: int, class_names: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """Shuffle rows into `train` and the splits of `fractions`, with every class in the same proportion in each.

    Raises:
        DataError: if a split has no image of a class.
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    counts = np.bincount(labels, minlength=len(class_names))
    names = [name for name in SPLITS if name == "train" or name in fractions]
    if (smallest := int(counts.min())) < len(names):
        raise DataError(
            f"class `{class_names[int(counts.argmin())]}` has {smallest} image{'' if smallest == 1 else 's'}, "
            f"too few for {', '.join(names[:-1])} and {names[-1]}",
            expected=f"at least {len(names)} images of every class",
            remedy="add images of that class, or remove the class",
        )
    rows = np.arange(len(labels), dtype=np.int64)
    splits: dict[str, NDArray[np.int64]] = {}
    for name, fraction in fractions.items():
        count = round(fraction * len(labels))
        if not len(class_names) <= count <= len(rows) - len(class_names):
            raise DataError(
                f"a {name} split of {fraction:g} of {len(labels)} images has {count}, "
                f"too few for one image of each of the {len(class_names)} classes in every split",
                expected="at least one image of each class in every split",
                remedy=f"change example_gen.split.{name}, or add images",
            )
        rows, splits[name] = train_test_split(rows, test_size=count, stratify=labels[rows], random_state=seed)
    splits = {"train": rows, **splits}
    for name, chosen in splits.items():
        present = np.bincount(labels[chosen], minlength=len(class_names))
        if not present.all():
            missing = int(present.argmin())
            raise DataError(
                f"class `{class_names[missing]}` has {counts[missing]} images, too few for one in {name}",
                expected="at least one image of each class in every split",
                remedy=f"add images of that class, or enlarge example_gen.split.{name}",
            )
    return splits
