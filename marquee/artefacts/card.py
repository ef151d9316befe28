"""`card.json` as a typed value: what a training job says of the model it made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marquee.artefacts.document import Document, Size, read_document
from marquee.artefacts.formats import NewerFormatError
from marquee.digest import canonical_json
from marquee.errors import ContractError

FORMAT = 1


class Degraded(Document):
    """A task of a run that failed, and what the run went on with instead."""

    task: str
    instead: str

    def __str__(self) -> str:
        """Both, in a sentence."""
        return f"{self.task} failed: {self.instead}"


class Card(Document):
    """The keys others decide by; the report shows the rest of the file too."""

    format: int = FORMAT
    model: str
    recipe: Mapping[str, Any]
    rows: Size | None = None
    """Rows the shipped fit has seen: ratings, or films."""
    people: Size | None = None
    titles: Size | None = None
    as_of: str | None = None
    recipes_tried: tuple[Mapping[str, Any], ...] = ()
    seconds: Mapping[str, float] = {}
    notes: tuple[str, ...] = ()
    degraded: tuple[Degraded, ...] = ()
    """What the training job went without."""


def read_card(data: bytes, where: str) -> Card:
    """A card from its file; ContractError where it is not one, or one of a later release."""
    try:
        return read_document(Card, data, FORMAT)
    except NewerFormatError as error:
        raise ContractError(f"{where}: {error}", "update this release") from None
    except ValueError as error:
        raise ContractError(f"{where} is not a card: {error}", "train again") from None


def card_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """What `card.json` shall hold; ContractError where a key is missing or of another kind."""
    found = {"format": FORMAT, **value}
    read_card(canonical_json(found), "what the training job says of its model")
    return found
