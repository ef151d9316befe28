"""Images for docker-compose.yaml where no image registry is reachable.

The base (Python) comes from Debian's packages by mmdebstrap, Postgres from its package on top of
it. Both bear `stand-in` in their names: they show that ours builds and runs, not that the official
images do.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import tarfile
from pathlib import Path

from marquee.errors import StackError
from marquee.settings import REPOSITORY
from tests.drill.compose.engine import Engine

OFFICIAL_PYTHON = "python:3.12.11-slim-bookworm"
OFFICIAL_POSTGRES = "postgres:17.5-bookworm"
PYTHON = "stand-in/debian-python:bookworm"
POSTGRES = "stand-in/debian-postgres:bookworm"
TRUST = "/etc/ssl/certs/ca-certificates.crt"
UNWANTED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists", "dev")
"""What official slim images leave out, too."""


def images(engine: Engine, folder: Path) -> tuple[str, str]:
    """The names of the base image and of Postgres': the official ones, else stand-ins."""
    if all(_is_there(engine, name) for name in (OFFICIAL_PYTHON, OFFICIAL_POSTGRES)):
        return OFFICIAL_PYTHON, OFFICIAL_POSTGRES
    print("compose: no registry gives the official images; Debian's packages stand in", flush=True)
    if not engine.succeeds("image", "inspect", PYTHON):
        _make_python(engine, folder)
    here = REPOSITORY / "tests" / "drill" / "compose"
    given = ["--network", "host", "--build-arg", f"PYTHON_IMAGE={PYTHON}", "--tag", POSTGRES]
    engine.run("build", *given, "--file", str(here / "postgres.Dockerfile"), str(here))
    return PYTHON, POSTGRES


def _is_there(engine: Engine, name: str) -> bool:
    return engine.succeeds("image", "inspect", name) or engine.succeeds("pull", "--quiet", name)


def _make_python(engine: Engine, folder: Path) -> None:
    """Debian with Python, and with the certificate authorities of this machine."""
    if not shutil.which("mmdebstrap"):
        raise StackError(
            "no registry gives the base image, and mmdebstrap is missing", "install it"
        )
    archive, small = folder / "base.tar", folder / "base-slim.tar"
    included = "--include=ca-certificates,python3,python3-venv"
    command = ["mmdebstrap", "--variant=minbase", included, "bookworm", str(archive)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise StackError(f"mmdebstrap failed: {done.stderr.strip().splitlines()[-1]}")
    trusted = ssl.get_default_verify_paths().cafile or TRUST
    with tarfile.open(archive) as old, tarfile.open(small, "w") as new:
        for member in old:
            name = member.name.removeprefix("./")
            if not any(name.startswith(f"{one}/") for one in UNWANTED) and f"/{name}" != TRUST:
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
        new.add(os.path.realpath(trusted), arcname=f".{TRUST}")
    names = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
    changes = [word for name in names for word in ("--change", f"ENV {name}={TRUST}")]
    engine.run("import", *changes, str(small), PYTHON)
    archive.unlink()
    small.unlink()
