"""What a server was started with, in a form that its worker processes can be handed."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from ensemble.core.errors import UserError
from ensemble.serve.limits import Limits


@dataclass(frozen=True)
class Settings:
    """Settings of a server.

    Attributes
    ----------
    bundle : str
        Path or address.
    threads : int
        Threads that compute, of each worker.
    key : str or None
        The API key that requests must have.
    host_names : list of str
        Names that requests may call the server by.
    limits : Limits
        Of each worker.
    play : str or None
        Where the pictures of the game are.
    secret : str
        From which identifiers of pictures are made; nobody can guess from them which picture it is.
    """

    bundle: str
    threads: int = 1
    key: str | None = None
    host_names: list[str] = field(default_factory=lambda: ["*"])
    limits: Limits = field(default_factory=Limits)
    play: str | None = None
    secret: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        if self.key == "":
            raise UserError("the API key is empty; give one, or unset ENSEMBLE_API_KEY")
        if self.key is not None and not (
            self.key.isascii() and self.key.isprintable() and self.key == self.key.strip()
        ):
            raise UserError(
                "the API key has a line break, a blank at an end, or a letter beyond ASCII, which no header can hold; "
                "give another"
            )

    def to_json(self) -> str:
        """Return the settings as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Return the settings that `to_json` has written."""
        stored: dict[str, Any] = json.loads(text)
        return cls(**{**stored, "limits": Limits(**stored["limits"])})
