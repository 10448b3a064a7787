"""How images are shared out over train, validation and test: the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.base.component import ComponentConfig

Share = Annotated[float, Field(strict=True, gt=0, lt=1)]


class SplitConfig(ComponentConfig):
    """How images are shared out over train, validation and test."""

    strategy: Literal["stratified", "official"] = "stratified"
    """`stratified` pools all images, then splits them, every class in the same proportion; `official`
    keeps the source's own test set whole and takes validation out of its training set."""
    validation: Share = 0.1
    """Share of all images, or under `official`, of the source's training set."""
    test: Share | None = None
    """Share of all images, by default 0.15; not to be set under `official`."""

    @model_validator(mode="after")
    def _shares_make_sense(self) -> SplitConfig:
        if self.strategy == "official":
            if self.test is not None:
                raise ValueError(
                    "`test` has no meaning under the strategy `official`, whose test set is the source's own"
                )
        elif self.validation + self.test_share >= 1:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test_share:g} leave nothing to train on; "
                "together they must be less than 1"
            )
        return self

    @property
    def test_share(self) -> float:
        """The share of all images that `stratified` gives to the test split."""
        return 0.15 if self.test is None else self.test
