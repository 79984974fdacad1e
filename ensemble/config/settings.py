"""What all sections of an experiment share: names, seeds, recipes, and that unknown keys are errors."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from ensemble.core.console.text import brief

_COLUMNS = {"name", "fold", "split", "label", "pred", "member", "title", "alteration"}  # of tables with members' names
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


def check_name(name: Any) -> str:
    """Return the name of a member or experiment; raise a `ValueError` if it cannot be one."""
    if isinstance(name, bool):
        raise ValueError("YAML reads yes, no, true and false as truth values; put the name in quotes")
    if isinstance(name, int | float):
        raise ValueError(f'{name} is a number; write it in quotes, "{name}"')
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{brief(repr(name))} cannot be a name; use letters, digits, _ . and -, at most 80")
    return name


def check_member_name(name: str) -> None:
    """Raise a `ValueError` if a member may not have this name: that of the blend, or of a column of tables."""
    if name.lower() == "blend":
        raise ValueError("no member may be called blend, which is the name of the blend in tables")
    if name.lower() in _COLUMNS:
        raise ValueError(f"no member may be called {name.lower()}, which is a column of tables")


Name = Annotated[str, BeforeValidator(check_name)]
Seed = Annotated[int, Field(ge=0, le=2**31)]  # libraries take 32 bits, and a fold's number is added


class Settings(BaseModel):
    """Section of the YAML. Unknown keys are errors, so that a misspelt setting is never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation in (int, float):
            raise ValueError("it must be a number")
        return value


class Recipe(BaseModel):
    """Object to build: `use` is its import path, every other key a parameter (which may be a recipe itself)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    use: str

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters, without `use`."""
        return dict(self.model_extra or {})
