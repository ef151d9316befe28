"""One environment for every process of the stack, and where its files lie."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from local_stack.airflow import airflow_environment
from local_stack.archives import archive, spark_environment
from local_stack.hdfs import class_path
from local_stack.java import java_home
from local_stack.setup import cache_folder
from marquee.clock import OFFSET
from marquee.progress import PROGRESS
from marquee.settings import REPOSITORY, Settings
from marquee.state_folders import StateFolders
from sources.tables import find_table


def stack_environment(settings: Settings) -> dict[str, str]:
    """All variables that Procfile's lines and their children read, over the caller's own."""
    places = StateFolders(settings.state_folder)
    cache = cache_folder(settings)
    home = java_home(cache)
    jars = sorted((cache / "jars").glob("*.jar"))
    binaries = f"{REPOSITORY / 'plugins/marquee_airflow/bin'}:{Path(sys.executable).parent}"
    return {
        **spark_environment(home),
        **airflow_environment(settings, places.airflow),
        # Only a person pauses the DAG: it is born unpaused, and no command of ours unpauses it.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        **_settings_environment(settings),
        "PATH": f"{binaries}:{os.environ.get('PATH', '')}",
        "PYTHON": sys.executable,
        "JAVA": str(home / "bin" / "java"),
        "HADOOP_CONF_DIR": str(places.conf),
        "HADOOP_USER_NAME": settings.lake.user,
        "HDFS_CLASS_PATH": class_path(places.conf, jars),
        "SPARK_ARCHIVE": str(archive(cache)),
        "STATE": str(places.state),
        PROGRESS: str(places.progress),
        "TMPDIR": str(places.tmp),
        "SPARK_LOCAL_DIRS": str(places.tmp),
        "AIRFLOW_PORT": str(settings.stack.port("airflow")),
        "REPLICA_PORT": str(settings.stack.port("replica")),
        "SERVING_PORT": str(settings.stack.port("serving")),
        "REPLICA_TITLES": replica_titles(settings, places),
    }


def replica_titles(settings: Settings, places: StateFolders) -> str:
    """Flags that tell the replica which titles to serve: the world's, or real records."""
    source = settings.ratings.source
    if not source:
        return f"--world '{places.world}'"
    records = Path(source).resolve().parent
    csv, pages = records / "imdb5000" / "movie_metadata.csv", records / "imdb-pages"
    links = find_table(Path(source).resolve(), "links.csv")
    flags = f"--links '{links}'" if links else ""
    if csv.is_file():
        flags += f" --imdb5000 '{csv}'"
    return flags + (f" --pages '{pages}'" if pages.is_dir() else "")


def _settings_environment(settings: Settings) -> dict[str, str]:
    """What this place's settings say, for processes that read them anew."""
    return {
        "MARQUEE_WORLD": settings.world,
        "MARQUEE_STATE": settings.state,
        "MARQUEE_STACK__PORT_OFFSET": str(settings.stack.port_offset),
        "MARQUEE_LAKE__ROOT": settings.lake.root,
        "MARQUEE_LAKE__WEBHDFS": settings.lake.webhdfs,
        "MARQUEE_LAKE__USER": settings.lake.user,
        "MARQUEE_LAKE__DRILL": str(settings.lake.drill).lower(),
        OFFSET: os.environ.get(OFFSET, ""),
        "MARQUEE_CRAWL__SITE": settings.crawl.site,
        "MARQUEE_RATINGS__SOURCE": settings.ratings.source,
        "MARQUEE_RATINGS__NAME": settings.ratings.name,
        "MARQUEE_SPARK__MASTER": settings.spark.master,
    }
