"""The website: pages of titles at `/title/tt…/`, robots.txt, readiness, and faults on request.

`python -m replica serve` runs it, in the local stack and in the tests of the crawl.
"""

from __future__ import annotations

import gzip
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from marquee.errors import MarqueeError, SourceError
from replica.site_faults import FaultBoard, fault_from_json, fault_response
from replica.site_pages import LAYOUTS, MIXED_LAYOUTS, layout_of, render
from replica.site_titles import Record
from sources.ratings_cells import title_id_of
from sources.tables import RowsAside, open_table

ROBOTS = "User-agent: *\nDisallow: /_faults\nDisallow: /search\nAllow: /title/\n"


@dataclass
class Site:
    """Titles and state of the website; a saved page is served rather than a rendered one."""

    records: Mapping[str, Record]
    saved: Mapping[str, Path] = field(default_factory=dict)
    layout: str = "next_data_v2"
    language: str = "en"
    robots: str | bytes = ROBOTS
    robots_status: int = 200
    fault_board: FaultBoard = field(default_factory=FaultBoard)
    served: dict[str, int] = field(default_factory=dict)
    """Number of requests by title id."""

    def page(self, title_id: str) -> bytes | None:
        """The bytes of a title's page; None for an unknown title."""
        if title_id in self.saved:
            return gzip.decompress(self.saved[title_id].read_bytes())
        record = self.records.get(title_id)
        if record is None:
            return None
        return render(record, layout_of(title_id, self.layout), self.language)


def saved_pages(folder: Path) -> dict[str, Path]:
    """The latest saved page by title id, in a folder of `…/tt0123456_*.html.gz`."""
    found = {}
    for path in sorted(folder.rglob("tt*.html.gz")):
        match = re.match(r"tt\d{7,10}", path.name)
        if match:
            found[match.group()] = path
    if not found:
        raise SourceError(f"{folder} holds no page named like tt0123456_….html.gz")
    return found


def linked_ids(path: Path) -> set[str]:
    """Title ids of MovieLens' links.csv (`imdbId`) or of a crawl's list (`title_id`)."""
    table = open_table(path, known=("title_id", "imdbId"))
    column = "title_id" if "title_id" in table.columns else "imdbId"
    rows = (row for _, row in table.records(RowsAside()))
    return {found for row in rows if (found := title_id_of(row.get(column, "")))}


def make_app(site: Site) -> Starlette:
    """The site as an ASGI application."""

    async def title(request: Request) -> Response:
        title_id = request.path_params["title_id"]
        site.served[title_id] = site.served.get(title_id, 0) + 1
        fault = site.fault_board.next_for(title_id)
        page = site.page(fault.to if fault and fault.kind == "merged" else title_id)
        if fault:
            return await fault_response(fault, site.records.get(title_id), page or b"")
        if page is None:
            return PlainTextResponse("404 Not Found", 404)
        return Response(page, media_type="text/html")

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            site.fault_board.clear()
        elif request.method == "POST":
            try:
                site.fault_board.set(fault_from_json(await request.json()))
            except (MarqueeError, ValueError) as error:
                return JSONResponse({"error": str(error)}, 422)
        return JSONResponse([vars(fault) for fault in site.fault_board.faults])

    async def slash(request: Request) -> Response:
        return RedirectResponse(f"/title/{request.path_params['title_id']}/", 301)

    async def health(request: Request) -> Response:
        return JSONResponse({"titles": len(site.records.keys() | site.saved.keys())})

    async def counts(request: Request) -> Response:
        return JSONResponse(site.served)

    async def robots(request: Request) -> Response:
        return PlainTextResponse(site.robots, site.robots_status)

    async def put_robots(request: Request) -> Response:
        """Replace robots.txt by the request's body, and its HTTP status by `?status=`."""
        site.robots = await request.body()
        site.robots_status = int(request.query_params.get("status", "200"))
        return PlainTextResponse("")

    async def home(request: Request) -> Response:
        return PlainTextResponse("A replica of a film site. Titles are at /title/tt…/\n")

    routes = [
        Route("/", home),
        Route("/title/{title_id}/", title),
        Route("/title/{title_id}", slash),
        Route("/robots.txt", robots),
        Route("/healthz", health),
        Route("/_faults", faults, methods=["GET", "POST", "DELETE"]),
        Route("/_robots", put_robots, methods=["PUT"]),
        Route("/_served", counts),
    ]
    return Starlette(routes=routes)


def check_layout(layout: str) -> str:
    """`layout` itself; SourceError, with all names, for an unknown one."""
    if layout not in (*LAYOUTS, MIXED_LAYOUTS):
        raise SourceError(
            f"no layout is called '{layout}'", f"choose of {', '.join((*LAYOUTS, MIXED_LAYOUTS))}"
        )
    return layout


def serve(site: Site, host: str, port: int) -> None:
    """Print the address, then serve until stopped; port 0 takes a free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise SourceError(
            f"cannot listen on {host}:{port}: {error.strerror}", "choose another --port"
        ) from None
    print(f"replica: http://{host}:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(make_app(site), log_level="critical", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])
