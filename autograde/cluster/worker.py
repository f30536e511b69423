"""A worker of a cluster: ``python -m autograde.cluster.worker ADDRESS --tls DIR [options of dask worker]``.

It takes jobs only where bubblewrap confines student code: elsewhere it says what is missing and ends before it has
spoken to the scheduler, so that no submission is lost to it. (A preload or a plugin of Dask's could not refuse: Dask
writes a preload's error to its log and goes on.)
"""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path

import dask
from distributed.cli import dask_worker

from autograde.cluster import certificates
from autograde.grading import sandbox
from autograde.grading.pool import SETTINGS

REFUSED = "no worker on"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m autograde.cluster.worker", description=__doc__)
    parser.add_argument("--tls", type=Path, metavar="DIR", help="folder of the cluster's certificate")
    options, rest = parser.parse_known_args(arguments)
    sandbox.require()
    dask.config.set(SETTINGS)
    if options.tls:
        rest = [*certificates.options(options.tls), *rest]
    dask_worker.main(["--nthreads", "1", "--dashboard-address", "127.0.0.1:0", *rest])


if __name__ == "__main__":
    try:
        main()
    except (LookupError, sandbox.NoSandbox) as error:
        sys.exit(f"{REFUSED} {socket.gethostname()}: {error}")
