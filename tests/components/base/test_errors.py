"""Errors in one line: of a user's exception class, and of files of JSON."""

from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from components.base.errors import first_validation_error, one_line


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    names: tuple[str, ...] = ()

    @field_validator("names")
    @classmethod
    def check_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if "" in names:
            raise ValueError("a name is empty")
        return names


def test_error_without_a_text_is_its_type() -> None:
    assert one_line(UnprintableError()) == "UnprintableError: UnprintableError"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "it is not JSON"),
        ("[]", "its content is invalid"),
        ("{}", "version is missing"),
        ('{"version": 2}', "version is invalid"),
        ('{"version": 1, "names": [7]}', "names.0 is invalid"),
        ('{"version": 1, "names": [""]}', "names: a name is empty"),
        ('{"version": 1, "more": 1}', "more is not a known field"),
    ],
)
def test_mistake_in_a_file_is_named_in_our_words(content: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Record.model_validate_json(content)
    assert first_validation_error(caught.value) == message
