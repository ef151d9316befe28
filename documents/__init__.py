"""Documents: titles, lists and budget estimates in a CouchDB, for apps and boards that replicate.

A *generation* holds the answers of one pair of champions. A reader reads the document `current`
first, which names a whole generation, and then the documents whose ids begin with its name. ADR 56
says why nobody sees half a generation.

- `couch`: CouchDB over HTTP; its errors as ours
- `generation`: the pair of champions, the ids, and the bodies of all documents
- `publication`: writes a generation, and lets readers read it
- `pointer`: which generation is read, which are being written or removed; safe among publishers
- `sample_check`: compares a seeded sample with the API

Its interface is `python -m documents`, which publishes, and `marquee documents`. It takes the
answers from `serving`, so the weekly run starts it as a process.
"""

__all__ = ["couch", "generation", "pointer", "publication", "sample_check"]
