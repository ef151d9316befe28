"""Which model serves, since when, and what served before."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from marquee.clock import now, refuse_ahead
from marquee.errors import SourceError
from marquee.names import iso, parse_moment
from marquee.policy import Model
from release.timeline import entry_at
from serving.answers import ChampionAnswer, LedgerAnswer, ModelsAnswer, ModelState
from serving.follower import Follower
from serving.problems import ProblemError
from serving.routes.context import SourceHere

router = APIRouter(tags=["models"])
Name = Model


@router.get("/v1/models")
async def list_models(source: SourceHere) -> ModelsAnswer:
    """Every model: what serves here, and why not what the ledger names if so."""
    return ModelsAnswer(models=[model_state(f) for f in source.followers.values()])


@router.get("/v1/models/{name}/ledger")
async def read_ledger(source: SourceHere, name: Name) -> LedgerAnswer:
    """The model's history as last read from the lake, oldest first."""
    follower = source.followers[name]
    entries = [e.to_json() | {"digest": e.digest} for e in follower.view.entries]
    return LedgerAnswer(serving=model_state(follower), entries=entries)


@router.get("/v1/models/{name}/champion")
async def champion_at(
    source: SourceHere,
    name: Name,
    at: Annotated[str | None, Query(description="a moment, ISO 8601; default: now")] = None,
) -> ChampionAnswer:
    """The ledger entry that named the champion at a moment; a moment to come is refused."""
    present = now()
    moment = _moment(at) if at else present
    entry = entry_at(source.followers[name].view.entries, moment, present)
    if entry is None:
        raise ProblemError(404, f"no {name} was champion at {iso(moment)}")
    return ChampionAnswer(at=iso(moment), entry=entry.to_json() | {"digest": entry.digest})


def model_state(follower: Follower[Any]) -> ModelState:
    """What `/v1/models`, `/readyz` and the page say of one model."""
    view = follower.view
    head = view.entries[-1].number if view.entries else None
    looked_at = iso(follower.looked_at) if follower.looked_at else None
    if view.champion is None:
        return ModelState(
            model=follower.name,
            serving=False,
            head=head,
            looked_at=looked_at,
            trouble=follower.trouble,
        )
    entry = view.champion.entry
    return ModelState(
        model=follower.name,
        serving=True,
        bundle=entry.bundle,
        as_of=iso(entry.as_of),
        strategy=str(entry.recipe.get("name", "")),
        number=entry.number,
        digest=entry.bundle_digest,
        promoted_at=iso(entry.at),
        loaded_at=iso(view.champion.loaded_at),
        head=head,
        looked_at=looked_at,
        trouble=follower.trouble,
    )


def _moment(at: str) -> datetime:
    try:
        return refuse_ahead(parse_moment(at), "at")
    except SourceError as error:
        raise ProblemError(422, str(error)) from None
