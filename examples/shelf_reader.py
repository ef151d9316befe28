#!/usr/bin/env python3
"""Answer from a CouchDB that holds Marquee's documents, for example a replica on a Raspberry Pi.

    shelf_reader.py state                     # which generation, as of when, how many documents
    shelf_reader.py list 17                   # the titles that person 17 should watch next
    shelf_reader.py title 3
    shelf_reader.py estimate tt0114709
    shelf_reader.py serve --port 8010         # the same over HTTP, and a page at /

It needs Python 3.11 and nothing else, and no Marquee. `--couch` names the database (default
http://127.0.0.1:5984/marquee); SHELF_USER and SHELF_PASSWORD in the environment log in.

A replica may hold a generation in part. So it reads from the newest generation that the pointer
names and that is whole here, and asks the pointer again for each answer.
"""

from __future__ import annotations

import argparse
import base64
import html
import http.client
import json
import os
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote, urlsplit

PAGE = 5000
SECONDS = 20


class AwayError(Exception):
    """The database does not answer, or holds nothing to read yet."""


class Replica:
    """The documents of one database."""

    def __init__(self, address: str, user: str = "", password: str = "") -> None:
        self.address = address.rstrip("/")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"} if user else {}
        self._whole: set[str] = set()

    def get(self, path: str) -> dict[str, Any] | None:
        """A document or a listing; None where there is none."""
        try:
            request = urllib.request.Request(f"{self.address}/{path}", headers=self._headers)
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise AwayError(f"{self.address} answers {error.code}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            remedy = "is it running, and is this the address of its database (--couch)?"
            raise AwayError(f"{self.address} does not answer: {error}; {remedy}") from None

    def generation(self) -> tuple[str, dict[str, Any]]:
        """The newest whole generation, and what the database says about it."""
        pointer = self.get("current")
        if pointer is None:
            raise AwayError(f"{self.address} has no document 'current': nothing has arrived yet")
        names = pointer.get("generations")
        if not isinstance(names, list):
            raise AwayError(f"{self.address} has a document 'current' that is none of Marquee's")
        for name in names:
            about = self.get(f"about:{quote(str(name), safe='')}")
            if about and about.get("counts") and not about.get("going") and self._is_whole(about):
                return name, about
        raise AwayError(f"{self.address} holds no whole generation yet: replication is under way")

    def answer(self, kind: str, name: str) -> tuple[str, dict[str, Any]] | None:
        """The generation and the document; None for a person or a title that it does not have.

        A generation may go between two readings, so the pointer is asked once more.
        """
        for _ in range(2):
            generation, _about = self.generation()
            found = self.get(f"{generation}:{kind}:{quote(name, safe='')}")
            if found is not None and "answer" not in found:
                raise AwayError(f"{found['_id']} was changed by somebody: publish it again")
            if found is not None:
                return generation, found
            self._whole.discard(generation)
        return None

    def state(self) -> dict[str, Any]:
        """What is read now."""
        generation, about = self.generation()
        facts = {key: about.get(key, {}) for key in ("as_of", "bundles", "counts")}
        return {"generation": generation, **facts}

    def _is_whole(self, about: dict[str, Any]) -> bool:
        """Whether as many documents have arrived as the publisher has counted; asked until so."""
        name = str(about.get("generation"))
        if name not in self._whole and self._count(name) == sum(about["counts"].values()):
            self._whole.add(name)
        return name in self._whole

    def _count(self, generation: str) -> int:
        start, skip, total = f"{generation}:", 0, 0
        while True:
            asked = {"startkey": start, "endkey": f"{generation};", "limit": PAGE, "skip": skip}
            query = "&".join(f"{key}={quote(json.dumps(value))}" for key, value in asked.items())
            rows = (self.get(f"_all_docs?{query}") or {}).get("rows", [])
            total += len(rows)
            if len(rows) < PAGE:
                return total
            start, skip = rows[-1]["id"], 1


ROUTES = {
    ("v1", "titles", "*"): "title",
    ("v1", "users", "*", "recommendations"): "list",
    ("v1", "budget-estimates", "*"): "estimate",
}
"""The API's paths, and the kind of document that answers each."""


def kind_of(path: str) -> tuple[str, str] | None:
    """The kind and the name that a path asks for."""
    parts = [unquote(part) for part in path.partition("?")[0].strip("/").split("/")]
    for pattern, kind in ROUTES.items():
        if len(parts) == len(pattern) and all(p in ("*", q) for p, q in zip(pattern, parts)):
            return kind, parts[pattern.index("*")]
    return None


def handler(replica: Replica) -> type[BaseHTTPRequestHandler]:
    """A request handler that answers from the replica."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                self._answer()
            except AwayError as error:
                self._send(503, {"title": "away", "detail": str(error)})

        def _answer(self) -> None:
            if self.path == "/":
                self._send(200, page(replica.state()), "text/html; charset=utf-8")
                return
            if self.path == "/state":
                self._send(200, replica.state())
                return
            asked = kind_of(self.path)
            found = replica.answer(*asked) if asked else None
            if found is None:
                self._send(404, {"title": "not found", "detail": "this replica has no such answer"})
                return
            generation, document = found
            self._send(200, document["answer"], generation=generation)

        def _send(
            self, status: int, body: object, kind: str = "application/json", generation: str = ""
        ) -> None:
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            if generation:
                self.send_header("x-generation", generation)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    return Handler


def page(state: dict[str, Any]) -> str:
    """A page that says what is read, and asks for a person's list."""
    as_of = ", ".join(f"{model} as of {at}" for model, at in sorted(state["as_of"].items()))
    counts = ", ".join(f"{n:,} {kind}s" for kind, n in sorted(state["counts"].items()))
    return f"""<!doctype html><meta name=viewport content="width=device-width"><title>Shelf</title>
<style>body{{font:16px system-ui;margin:2em auto;max-width:40em}}li{{margin:.4em}}</style>
<h1>What to watch next</h1><form id=f><input id=u placeholder="person" inputmode=numeric>
<button>Show</button></form><ol id=l></ol>
<p><small>generation {html.escape(state["generation"])}: {html.escape(as_of)}; {counts}</small>
<script>f.onsubmit=async e=>{{e.preventDefault();l.replaceChildren();
const r=await fetch("/v1/users/"+encodeURIComponent(u.value)+"/recommendations"),a=await r.json();
for(const t of a.recommendations||[{{title:a.detail}}]){{const i=document.createElement("li");
i.textContent=t.title+(t.year?" ("+t.year+")":"")+(t.predicted_rating?", "+t.predicted_rating:"");
l.append(i)}}}}</script>"""


def checked(address: str) -> str:
    """The address, if it can be asked; AwayError else. It is printed, so it holds no login."""
    try:
        parts = urlsplit(address)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if "@" in address:
        raise AwayError("--couch holds a login: SHELF_USER and SHELF_PASSWORD log in")
    if not is_whole:
        raise AwayError(f"--couch {address} is no address: give http://host:port/database")
    return address


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--couch", default="http://127.0.0.1:5984/marquee")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("state")
    for kind in ("list", "title", "estimate"):
        commands.add_parser(kind).add_argument("name")
    serving = commands.add_parser("serve")
    serving.add_argument("--port", type=int, default=8010)
    serving.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    environment = os.environ
    login = environment.get("SHELF_USER", ""), environment.get("SHELF_PASSWORD", "")
    try:
        replica = Replica(checked(options.couch), *login)
        if options.command == "serve":
            try:
                server = ThreadingHTTPServer((options.host, options.port), handler(replica))
            except (OSError, OverflowError) as error:
                raise AwayError(f"{options.host}:{options.port} cannot be taken: {error}") from None
            print(f"http://{options.host}:{server.server_address[1]}", flush=True)
            server.serve_forever()
        if options.command == "state":
            print(json.dumps(replica.state(), indent=1))
            return 0
        found = replica.answer(options.command, options.name)
        if found is None:
            print(f"there is no {options.command} of {options.name}", file=sys.stderr)
            return 1
        print(json.dumps(found[1]["answer"], indent=1, ensure_ascii=False))
        return 0
    except AwayError as error:
        print(f"error: {error}", file=sys.stderr)
        return 75
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
