"""The bundle folder: what a run ships, copied beside the evidence that let it through."""

from __future__ import annotations

import tempfile
from pathlib import Path

from marquee.artefacts.verdict import Verdict
from marquee.digest import canonical_json, digest_bytes
from marquee.errors import BundleError
from marquee.lake import Lake, Manifest
from marquee.names import compact

SHIPPED = "shipped/bundle"
EVIDENCE = ("card.json", "evaluation.json", "verdict.json", "report.html")
RECORD = "record.jsonl"
"""What the model said of each unit of its holdout: another code version is compared with it."""
DATA = "data.json"
"""The figures of the world it was trained on."""


def model_folder(run: str, model: str) -> str:
    """Where one run keeps one model."""
    return f"runs/{run}/models/{model}"


def bundle_folder(model: str, bundle: str) -> str:
    """Where a promoted bundle lies; its own files are below `bundle/` there."""
    return f"serving/{model}/bundles/{bundle}"


def world_files(run: str) -> dict[str, str]:
    """Where a run's preparations record the figures of its ratings and titles."""
    return {name: f"runs/{run}/data/{name}.json" for name in ("ratings", "titles")}


def shipped_digest(lake: Lake, model: str, run: str) -> str:
    """Digest of the file list the run published below `shipped/bundle/`.

    Raises NotFoundError where the run published no model, BundleError where it ships none.
    """
    folder = model_folder(run, model)
    shipped = lake.manifest(folder).below(SHIPPED)
    if not shipped.files:
        raise BundleError(f"{lake.uri(folder)} ships no bundle", "run the training task again")
    return shipped.digest


def served_digest(lake: Lake, model: str, bundle: str) -> str:
    """Digest of a promoted bundle's own file list: equal to its ledger entry's."""
    return lake.manifest(bundle_folder(model, bundle)).below("bundle").digest


def publish_bundle(lake: Lake, verdict: Verdict) -> str:
    """Copy the judged bundle and its evidence to where it can serve, and return its id.

    The id is the as-of moment and twelve characters of the folder's digest, so other content has
    another name and copying twice is a no-op. Raises LakeError where a file differs from its
    manifest, NotFoundError where evidence is missing.
    """
    subject = verdict.subject
    with tempfile.TemporaryDirectory(prefix="marquee-bundle-") as scratch:
        folder = Path(scratch)
        lake.fetch(model_folder(subject.run, subject.model), folder / "bundle", below=SHIPPED)
        _copy_evidence(lake, model_folder(subject.run, subject.model), folder)
        _copy_figures(lake, subject.run, folder)
        bundle = f"{compact(subject.as_of)}-{Manifest.of_folder(folder).digest[:12]}"
        lake.publish(folder, bundle_folder(subject.model, bundle), run=subject.run)
    return bundle


def _copy_evidence(lake: Lake, source: str, folder: Path) -> None:
    published = {fact.name: fact.sha256 for fact in lake.manifest(source).files}
    kept = [RECORD] if lake.exists(f"{source}/{RECORD}") else []
    for name in (*EVIDENCE, *kept):
        data = lake.read_bytes(f"{source}/{name}")
        if published.get(name, digest_bytes(data)) != digest_bytes(data):
            raise BundleError(
                f"{lake.uri(source)}/{name} differs from its manifest",
                "run the training task again in a new run",
            )
        (folder / name).write_bytes(data)


def _copy_figures(lake: Lake, run: str, folder: Path) -> None:
    """`data.json`: both documents as they are; none where the run recorded none."""
    found = {
        name: lake.read_json(path) for name, path in world_files(run).items() if lake.exists(path)
    }
    if found:
        (folder / DATA).write_bytes(canonical_json(found))
