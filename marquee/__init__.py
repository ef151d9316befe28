"""Marquee's kernel: what several rooms share. Every room may import it; it imports no other room
and no engine.

- `artefacts`: the documents that one room writes into the lake and another reads, as typed values
- `clock`: the one clock, and how moments are written and read
- `contract`, `dataset_contracts`: columns, types, keys and checks of every dataset
- `errors`: the family of errors, and which of them a retry may mend
- `identifiers`: digests of content, names that are safe in paths, ids from names
- `lake`: files and folders on HDFS or in a local folder
- `lifetimes`: processes that end with the one that started them
- `normalise`: text as files and pages write it, read into values
- `policy`: the gate's bounds
- `prices`: exchange rates, consumer prices, and amounts without a currency
- `progress`: how far a long task has come
- `run_folder`: paths in a run's folder, and the reads of its files
- `schedule`: the interval between runs, and how long tasks may take
- `settings`: the one tree of settings, and the folders of a world on this machine
"""

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "artefacts",
    "clock",
    "contract",
    "dataset_contracts",
    "errors",
    "identifiers",
    "lake",
    "lifetimes",
    "normalise",
    "policy",
    "prices",
    "progress",
    "run_folder",
    "schedule",
    "settings",
]
