"""What recipes are made of: frozen tables and numbers within bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=1, le=500)]
Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A frozen table; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
