"""The one tree of settings: `config/base.toml`, an overlay, then the environment.

`load_settings()` reads it at the edge and hands values inward; nothing here is global.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from marquee.errors import SettingsError
from marquee.schedule import refuse_slow_runs

REPOSITORY = Path(__file__).resolve().parents[1]
Search = Literal["none", "quick", "full"]
Promote = Literal["yes", "ask", "no"]
TitleSource = Literal["crawl", "csv", "imdb_tsv", "imdb5000", "wikidata"]
Recipe = dict[str, Any]


class Section(BaseModel):
    """A table of the tree: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LakeSettings(Section):
    """Where the lake is."""

    root: str
    webhdfs: str
    user: str
    shared_folder: bool
    drill: bool


class RatingsSettings(Section):
    """Where ratings come from, and their scale."""

    source: str
    name: str
    lowest: float
    highest: float


class SyntheticSettings(Section):
    """The size of the embedded world."""

    people: int = Field(ge=10)
    titles: int = Field(ge=20)


class CrawlSettings(Section):
    """Which site, how much of it, and how politely."""

    site: str
    max_pages: int = Field(ge=0)
    refresh_days: int = Field(ge=0)
    delay: float = Field(ge=0)
    contact: str


class TitleSettings(Section):
    """Which sources titles come from, the first wins, and where those beside the crawl lie."""

    sources: tuple[TitleSource, ...] = Field(min_length=1)
    csv: str
    imdb_tsv: str
    imdb5000: str
    wikidata: str


class SparkSettings(Section):
    """How jobs are submitted."""

    master: str
    driver_memory: str
    executor_memory: str
    java_options: str
    shuffle_partitions: int = Field(ge=1)
    cores: int = Field(ge=0)
    resource_minutes: float = Field(gt=0)


Minutes = Annotated[int, Field(gt=0)]


class TimeOutSettings(Section):
    """Minutes that one attempt at each task may take."""

    crawl_titles: Minutes
    load_titles: Minutes
    fetch_ratings: Minutes
    load_ratings: Minutes
    load_feedback: Minutes
    freeze_inputs: Minutes
    prepare_titles: Minutes
    prepare_ratings: Minutes
    train: Minutes
    evaluate: Minutes
    gate: Minutes
    approve: Minutes
    promote: Minutes
    verify_serving: Minutes
    report: Minutes


class ScheduleSettings(Section):
    """When the weekly run starts, what it may do by itself, and how long it tries."""

    cron: str
    promote: Promote
    search: Search
    approval_days: int = Field(ge=1)
    retries: int = Field(ge=0, le=20)
    retry_seconds: float = Field(gt=0)
    retry_backoff: float = Field(ge=1)
    minutes: TimeOutSettings

    @model_validator(mode="after")
    def _runs_end_in_time(self) -> ScheduleSettings:
        refuse_slow_runs(self.cron, self.minutes.model_dump())
        return self


class ServingSettings(Section):
    """The REST API."""

    host: str
    poll_seconds: float = Field(gt=0)
    server: str
    public_url: str


class PortSettings(Section):
    """Ports of the local stack, all on loopback."""

    airflow: int
    serving: int
    replica: int
    namenode: int
    namenode_http: int
    datanode: int
    datanode_http: int
    datanode_ipc: int


class StackSettings(Section):
    """The local stack."""

    port_offset: int
    ready_seconds: int
    memory_mb: int
    disk_mb: int
    ports: PortSettings

    def port(self, name: str) -> int:
        """The port a part listens on, offset included."""
        return int(getattr(self.ports, name)) + self.port_offset


class Artifact(Section):
    """One jar, by its coordinates and digest."""

    group: str
    name: str
    version: str
    sha256: str


class JarSettings(Section):
    """The jars HDFS needs beside pyspark's own."""

    settings: str
    artifacts: tuple[Artifact, ...]


class PolicySettings(Section):
    """The gate's bounds; `marquee.policy` types each table."""

    recommender: dict[str, float]
    budget: dict[str, float]


class RecipeSettings(Section):
    """The recipes training may try, the default first."""

    recommender: tuple[Recipe, ...] = Field(min_length=1)
    budget: tuple[Recipe, ...] = Field(min_length=1)


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        env_prefix="MARQUEE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    world: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$")
    state: str
    cache: str
    seed: int
    lake: LakeSettings
    ratings: RatingsSettings
    synthetic: SyntheticSettings
    crawl: CrawlSettings
    titles: TitleSettings
    spark: SparkSettings
    schedule: ScheduleSettings
    serving: ServingSettings
    stack: StackSettings
    jars: JarSettings
    policy: PolicySettings
    recipes: RecipeSettings

    @property
    def state_folder(self) -> Path:
        """`<state>/<world>`, absolute."""
        return (REPOSITORY / self.state / self.world).resolve()

    @property
    def serving_url(self) -> str:
        """Where people reach the API, without a slash at the end."""
        own = f"http://{self.serving.host}:{self.stack.port('serving')}"
        return (self.serving.public_url or own).rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the files, which come in as keyword arguments."""
        return env_settings, init_settings


def load_settings(place: str | None = None, folder: Path | None = None) -> Settings:
    """Read `base.toml` and the overlay of `place` (MARQUEE_PLACE, else `local`).

    Raises SettingsError naming every key that is unknown or has the wrong kind of value.
    """
    folder = folder or REPOSITORY / "config"
    place = place or os.environ.get("MARQUEE_PLACE", "local")
    tree = _read(folder / "base.toml")
    overlay = folder / f"{place}.toml"
    if not overlay.is_file():
        known = sorted(p.stem for p in folder.glob("*.toml") if p.stem != "base")
        raise SettingsError(
            f"there is no place '{place}' in {folder}",
            f"set MARQUEE_PLACE to one of: {', '.join(known)}",
        )
    try:
        return Settings(**merge(tree, _read(overlay)))
    except ValidationError as error:
        raise SettingsError(
            _sentence(error), f"correct it in {folder} or the environment"
        ) from None


def merge(tree: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """`overlay` over `tree`, table by table; lists and values replace."""
    both = dict(tree)
    for key, value in overlay.items():
        below = both.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            both[key] = merge(below, value)
        else:
            both[key] = value
    return both


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path} is missing", "restore it from the repository") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}", "correct that line") from None


def _sentence(error: ValidationError) -> str:
    found = (f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
    return "settings are wrong: " + "; ".join(found)
