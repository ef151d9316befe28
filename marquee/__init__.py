"""Marquee's kernel: the code that several rooms share.

Every room may import the kernel. The kernel imports no other room and no engine.

- `access_tokens`: the API tokens of serving, and whether it asks for one
- `addresses`: hosts, ports and pages, as settings write them
- `artefacts`: the documents that one room writes into the lake and another reads, as typed values
- `clock`: the present moment, and how moments are written and read
- `contract`, `dataset_contracts`: columns, types, keys and checks of every dataset
- `daemon_settings`: the ports and jars of the daemons of this machine, and where Kafka is
- `deadlines`: several questions at once, with one deadline
- `document_settings`: the CouchDB of `[documents]`, and where its password may stand
- `errors`: the family of errors, and which of them justify a retry
- `host_needs`: the memory and disk of every daemon and task, by ratings, people and titles
- `host_checks`: whether the hosts of a place answer, have room and the right time
- `identifiers`: digests of content, names that are safe in paths, ids from names
- `lake`: files and folders on HDFS or in a local folder
- `lifetimes`: child processes that end with their parent process
- `normalise`: dates, amounts and names, parsed from the text of files and pages
- `place_preflight`: what a run asks of a cluster before its first Spark job
- `place_settings`: the settings of a place: where HDFS, Spark and Airflow's database are
- `policy`: the gate's bounds
- `prices`: exchange rates, consumer prices, and amounts without a currency
- `process_secrets`: which process is given which secret
- `progress`: how many pages or sweeps a long task has done
- `remote_page`: a page of another host, whole or not at all, by a deadline
- `resource_manager`: the pages of YARN's ResourceManager
- `role_needs`: the memory of a host's roles, and of the optional engines
- `run_folder`: paths in a run's folder, and the reads of its files
- `schedule`: the interval between runs, and how long tasks may take
- `settings`: the tree of settings
- `spark_applications`: the applications of a job, found and ended at either of the two
- `spark_master`: the pages of a Spark Standalone master, and what a local one needs
- `shelf`: which board of a cluster does what
- `state_folders`: the folders of one world on this machine
"""

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "access_tokens",
    "addresses",
    "artefacts",
    "clock",
    "contract",
    "daemon_settings",
    "dataset_contracts",
    "deadlines",
    "document_settings",
    "errors",
    "host_checks",
    "host_needs",
    "identifiers",
    "lake",
    "lifetimes",
    "normalise",
    "place_preflight",
    "place_settings",
    "policy",
    "prices",
    "process_secrets",
    "progress",
    "remote_page",
    "resource_manager",
    "role_needs",
    "run_folder",
    "schedule",
    "settings",
    "shelf",
    "spark_applications",
    "spark_master",
    "state_folders",
]
