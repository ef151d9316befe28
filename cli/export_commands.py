"""`marquee export`: a bundle as PMML, ONNX or MLeap, and the check of such an export."""

from __future__ import annotations

import json
import os
import shlex
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.bundle_argument import HELP, fetched
from cli.terminal import print_sentence
from cli.world_and_lake import JsonFlag, LakeFlag, WebHdfsFlag, WorldFlag, checking_arguments, out
from local_stack.java_setup import cache_folder, java_home, listed_folder
from marquee.errors import MarqueeError, SourceError
from marquee.settings import load_settings

if TYPE_CHECKING:
    from exports.golden_replay import Replay

BundleToExport = Annotated[str, typer.Argument(help=HELP, show_default=False)]
FormatFlag = Annotated[str, typer.Option("--format", help="pmml, onnx or mleap.")]
ExportFlag = Annotated[
    str,
    typer.Option(
        "--out", help="A new folder, or a new file .zip.", show_default=False, metavar="PATH"
    ),
]
CheckFlag = Annotated[
    str | None,
    typer.Option("--check", help="Check this export.", show_default=False, metavar="PATH"),
]


def export(
    bundle: BundleToExport = "",
    chosen: FormatFlag = "",
    to: ExportFlag = "",
    check: CheckFlag = None,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: JsonFlag = False,
) -> None:
    """Write a bundle as PMML 4.4, ONNX or MLeap 0.20, or check such an export.

    An export holds a model file for each question of the budget model (as
    ONNX also the recommender's stars), golden rows with their answers, and
    export.json, which names inputs, units and what stays outside. The check
    answers the golden rows in the stock engine of the format, which `make
    setup-exports` installs; the status is 1 where an answer differs.

    \b
    marquee export champion:budget --format pmml --out budget.zip
    marquee export --check budget.zip
    """
    if check is not None:
        with checking_arguments():
            if bundle or chosen or to:
                raise SourceError("--check goes alone", "export first, then check")
            if not check:
                raise SourceError("--check names no export", "give its zip or its folder")
        _check(Path(check), as_json)
        return
    with checking_arguments():
        if not (bundle and chosen and to):
            remedy = "marquee export champion:budget --format onnx --out budget.zip"
            raise SourceError("a bundle, --format and --out are needed", remedy)
    _write(bundle, chosen, Path(to), (lake, webhdfs, data), as_json)


def _write(bundle: str, chosen: str, to: Path, place: tuple[str, str, str], as_json: bool) -> None:
    from exports.export_files import exported, refuse_taken, write_export
    from exports.formats import format_named

    with checking_arguments():
        format_named(chosen)
        refuse_taken(to)
    with fetched(bundle, *place) as folder:
        files = exported(folder, chosen)
        with checking_arguments():
            write_export(files, to)
    names = [to] if to.is_file() else [to / name for name in files]
    size = sum(path.stat().st_size for path in names)
    if as_json:
        facts = {"bundle": bundle, "format": chosen, "out": str(to), "bytes": size}
        print(json.dumps(facts | {"files": {name: len(data) for name, data in files.items()}}))
    else:
        out.print(f"{len(files)} files, {size / 1000:,.0f} KB: {escape(str(to))}")
        print_sentence(f"check it with: marquee export --check {escape(shlex.quote(str(to)))}")


def _check(path: Path, as_json: bool) -> None:
    from exports.golden_replay import replay

    settings = load_settings()
    with suppress(MarqueeError):  # ONNX needs no Java; the others say what they lack
        # pypmml and JPype ask the environment for a Java.
        os.environ.setdefault("JAVA_HOME", str(java_home(cache_folder(settings))))
    with checking_arguments():
        found = replay(path, listed_folder("mleap", settings))
    if as_json:
        print(json.dumps({"path": str(path), "passed": found.passed, **asdict(found)}))
    else:
        _show(found)
    raise typer.Exit(0 if found.passed else 1)


def _show(found: Replay) -> None:
    unit = "stars" if found.model == "recommender" else "log10 dollars"
    table = Table("question", "rows", f"largest difference, {unit}", "load", "answers")
    for one in found.files:
        colour = "green" if one.passed else "red"
        worst = f"[{colour}]{one.worst:.1e}[/{colour}]"
        times = f"{one.load_seconds:.2f} s", f"{one.answer_seconds:.3f} s"
        table.add_row(escape(one.question), str(one.rows), worst, *times)
    out.print(table)
    verdict = "repeats every recorded answer" if found.passed else "gives other answers"
    out.print(f"{found.engine} {verdict} (tolerance {found.tolerance:g})")
