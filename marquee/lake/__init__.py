"""The lake: all of Marquee's data below one root, on HDFS or in a folder.

Files and folders appear whole or not at all, and never change once they are named.

- `lake`: what every lake can do, whichever root it has
- `folder`: a root in a local folder, `file:///…`
- `webhdfs`: a root on HDFS, through the NameNode's HTTP address
- `webhdfs_responses`: what an HTTP response from HDFS means, as one of our errors
- `manifest`: the files, sizes and digests of a published folder
- `root`: opening a root, the world it holds, and drills
"""

from marquee.lake.folder import FolderLake
from marquee.lake.lake import READS_AT_ONCE, STAGING, Lake, Leaf
from marquee.lake.manifest import Manifest
from marquee.lake.root import (
    TRAINING_FAULTS,
    World,
    check_clock,
    check_world,
    claim_world,
    open_lake,
    read_world,
    training_fault,
)

__all__ = [
    "READS_AT_ONCE",
    "STAGING",
    "TRAINING_FAULTS",
    "FolderLake",
    "Lake",
    "Leaf",
    "Manifest",
    "World",
    "check_clock",
    "check_world",
    "claim_world",
    "manifest",
    "open_lake",
    "read_world",
    "training_fault",
    "webhdfs",
]
