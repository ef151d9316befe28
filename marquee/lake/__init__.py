"""The lake: all of Marquee's data below one root, on HDFS or in a local folder.

Published files and folders appear complete in one rename, and never change.

- `lake`: the operations of every lake
- `folder`: a lake in a local folder, `file:///…`
- `webhdfs`: a lake on HDFS, through the NameNode's HTTP address
- `webhdfs_responses`: HDFS's HTTP responses and errors, as errors of `marquee.errors`
- `manifest`: the files, sizes and digests of a published folder; copies of such files, by digest
- `root`: opening a root, the world it holds, and drills
"""

from marquee.lake.folder import FolderLake
from marquee.lake.lake import READS_AT_ONCE, STAGING, FileStatus, Lake
from marquee.lake.manifest import COPIES, Manifest
from marquee.lake.root import (
    DRILL_FAULTS,
    World,
    check_clock,
    check_world,
    claim_world,
    drill_fault,
    open_lake,
    place_lake,
    read_world,
)

__all__ = [
    "COPIES",
    "DRILL_FAULTS",
    "READS_AT_ONCE",
    "STAGING",
    "FileStatus",
    "FolderLake",
    "Lake",
    "Manifest",
    "World",
    "check_clock",
    "check_world",
    "claim_world",
    "drill_fault",
    "manifest",
    "open_lake",
    "place_lake",
    "read_world",
    "webhdfs",
]
