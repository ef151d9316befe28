"""The settings: `config/base.toml`, then an overlay, then environment variables.

Commands, tasks and servers call `load_settings()` once and pass the values on; no setting is
global. `marquee.place_settings` holds the sections that say where things run.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as EnvironmentIsNoJson

from marquee.access_tokens import Access, Network, PublicUrl
from marquee.daemon_settings import (
    ConnectSettings,
    JarSettings,
    KafkaSettings,
    StackSettings,
    StreamSettings,
)
from marquee.document_settings import DocumentsSettings, secrets_in_files
from marquee.errors import SettingsError
from marquee.place_settings import (
    AirflowSettings,
    LakeSettings,
    Section,
    SparkSettings,
    is_path,
    overlay_file,
)
from marquee.policy import Promote, Search
from marquee.schedule import NEXT_TASKS, refuse_slow_runs

REPOSITORY = Path(__file__).resolve().parents[1]
ANY_ADDRESS = ("0.0.0.0", "::")
LOCAL = "local"
"""The place that is meant where nobody names one."""


class RatingsSettings(Section):
    """The source of ratings, and their scale."""

    source: str
    name: str
    lowest: float
    highest: float


class SyntheticSettings(Section):
    """The size of the synthetic world."""

    people: int = Field(ge=10)
    titles: int = Field(ge=20)


class CrawlSettings(Section):
    """The crawled site, the number of pages, and the delay between requests."""

    site: str
    max_pages: int = Field(ge=0)
    refresh_days: int = Field(ge=0)
    delay: float = Field(ge=0)
    contact: str


class TitleSettings(Section):
    """The sources of titles in order of precedence, and the file or folder (or "") of each source.

    `sources.title_sources` describes each source and refuses unknown keys.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, str]

    sources: tuple[str, ...] = Field(min_length=1)

    @property
    def places(self) -> dict[str, str]:
        """The file or folder of each source (or ""), in the order of the settings."""
        return dict(self.__pydantic_extra__)

    @property
    def known_sources(self) -> tuple[str, ...]:
        """The names that `sources` and a run's form may hold."""
        return "crawl", *self.places

    @model_validator(mode="after")
    def _sources_are_known(self) -> TitleSettings:
        if unknown := ", ".join(name for name in self.sources if name not in self.known_sources):
            known = ", ".join(self.known_sources)
            raise ValueError(f"titles.sources names {unknown}; known are {known}")
        return self


class ScheduleSettings(Section):
    """The start, the promotion, the retries and the time-outs of the weekly run."""

    cron: str
    promote: Promote
    search: Search
    approval_days: int = Field(ge=1)
    retries: int = Field(ge=0, le=20)
    retry_seconds: float = Field(gt=0)
    retry_backoff: float = Field(ge=1)
    minutes: dict[str, Annotated[int, Field(gt=0)]]
    """The time-out of one attempt, by task."""

    @model_validator(mode="after")
    def _every_task_ends_in_time(self) -> ScheduleSettings:
        if wrong := sorted(self.minutes.keys() ^ NEXT_TASKS.keys()):
            raise ValueError(f"minutes has an unknown task, or lacks one: {', '.join(wrong)}")
        refuse_slow_runs(self.cron, self.minutes)
        return self


class ServingSettings(Section):
    """The REST API."""

    host: str
    poll_seconds: float = Field(gt=0)
    server: str
    feedback_minutes: float = Field(gt=0, le=1440)
    public_url: PublicUrl
    access: Access
    trusted_proxies: tuple[Network, ...]
    requests_per_minute: float = Field(gt=0)
    burst: int = Field(ge=1)


class ExportSettings(Section):
    """The formats in which a run exports a new champion; `exports.formats` knows them."""

    formats: tuple[str, ...]


class PolicySettings(Section):
    """The gate's bounds; `marquee.policy` holds their types."""

    recommender: dict[str, float]
    budget: dict[str, float]


class RecipeSettings(Section):
    """The recipes that training may try; the first is the default."""

    recommender: tuple[dict[str, Any], ...] = Field(min_length=1)
    budget: tuple[dict[str, Any], ...] = Field(min_length=1)


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        env_prefix="MARQUEE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    place: str = LOCAL
    """The name of the overlay, or the path of its file."""
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
    airflow: AirflowSettings
    schedule: ScheduleSettings
    serving: ServingSettings
    kafka: KafkaSettings
    streams: StreamSettings
    documents: DocumentsSettings
    connect: ConnectSettings
    stack: StackSettings
    jars: JarSettings
    exports: ExportSettings
    policy: PolicySettings
    recipes: RecipeSettings

    @property
    def state_folder(self) -> Path:
        """`<state>/<world>`, absolute: the root of `marquee.state_folders`."""
        return (REPOSITORY / self.state / self.world).resolve()

    @model_validator(mode="after")
    def _topics_have_one_use(self) -> Settings:
        streams = self.streams
        asked = {streams.requests, streams.answers, streams.refused, streams.markers}
        if shared := asked & {self.kafka.feedback_topic, self.kafka.refused_topic}:
            raise ValueError(f"{min(shared)} is a topic of [kafka] and of [streams]; name two")
        return self

    @property
    def runs_hdfs(self) -> bool:
        """Whether the stack of this machine runs its own HDFS, at addresses of its own."""
        return "namenode" in self.stack.processes

    @property
    def kafka_bootstrap(self) -> str:
        """The brokers as `host:port,host:port`; empty where this place has no Kafka."""
        own = f"127.0.0.1:{self.stack.port('kafka')}" if self.kafka.embedded else ""
        return own or self.kafka.bootstrap

    @property
    def api_url(self) -> str:
        """The public address of the API, without a slash at the end."""
        return self.serving.public_url.rstrip("/") or self.serving_url

    @property
    def serving_url(self) -> str:
        """Where this machine asks serving: on this host where it runs here, else publicly."""
        public, host = self.serving.public_url.rstrip("/"), self.serving.host
        if public and "serving" not in self.stack.processes:
            return public
        reached = "127.0.0.1" if host in ANY_ADDRESS else host
        return f"http://{reached}:{self.stack.port('serving')}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment variables, then the keyword arguments, which hold the values of the files."""
        return env_settings, init_settings


def load_settings(place: str | None = None, folder: Path | None = None) -> Settings:
    """Read `base.toml` in `folder` and the overlay of `place`.

    `place` is the name of an overlay in `folder`, or the path of a `.toml` file anywhere. It
    defaults to MARQUEE_PLACE, else `local`. The overlay replaces single values and whole lists.
    Raises SettingsError with every unknown key and every value of a wrong kind.
    """
    folder = folder or REPOSITORY / "config"
    place = place or os.environ.get("MARQUEE_PLACE") or LOCAL
    base, overlay = folder / "base.toml", overlay_file(place, folder)
    if not base.is_file():
        raise SettingsError(f"{base} is missing", "restore it from the repository")
    try:
        files = _ConfigFiles(Settings, [base, overlay], deep_merge=True)()
        found = Settings(**files)
        sources = _ConfigFiles(Settings, [base])().get("titles", {})  # all that there are
        wrong = [f"titles.{key}: unknown key" for key in found.titles.places if key not in sources]
        wrong += secrets_in_files(files)
    except EnvironmentIsNoJson as error:  # it names the section alone
        remedy = 'name one key (MARQUEE_SECTION__KEY); a list is JSON, as in ["a:8020", "b:8020"]'
        name = re.search(r'field "(\w+)"', str(error))
        start = f"MARQUEE_{name[1] if name else ''}".upper()
        those = ", ".join(sorted(key for key in os.environ if key.startswith(start)))
        what = f"of {those or 'MARQUEE_…'} in the environment, one is wrong: {error}"
        raise SettingsError(what, remedy) from None
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}".lstrip(": ")
            for e in error.errors()
        ]
    if wrong:
        remedy = f"correct it in {overlay} or the environment"
        raise SettingsError("settings are wrong: " + "; ".join(wrong), remedy)
    shown = str(overlay) if is_path(place) else place
    return found.model_copy(update={"place": shown, "stack": found.stack.with_broker(found.kafka)})


class _ConfigFiles(TomlConfigSettingsSource):
    """The TOML reader of pydantic-settings, with an error that names the file."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        try:
            return super()._read_file(file_path)
        except (ValueError, RecursionError) as error:  # also numbers and brackets without end
            text = str(error)[:200]
            raise SettingsError(f"{file_path} is not TOML: {text}", "correct that line") from None
        except OSError as error:
            what = f"{file_path} cannot be read: {error.strerror}"
            raise SettingsError(what, "let this user read it") from None
