"""The scheduler of a cluster: ``python -m autograde.cluster.scheduler --tls DIR [options of dask scheduler]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import dask
from distributed.cli import dask_scheduler

from autograde.cluster import certificates
from autograde.grading.pool import SETTINGS


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m autograde.cluster.scheduler", description=__doc__)
    parser.add_argument("--tls", type=Path, required=True, metavar="DIR", help="folder of the cluster's certificate")
    options, rest = parser.parse_known_args(arguments)
    dask.config.set(SETTINGS)
    own = ["--dashboard-address", "127.0.0.1:0"]  # its pages are not protected by the certificate
    dask_scheduler.main([*certificates.options(options.tls), *own, *rest])


if __name__ == "__main__":
    try:
        main()
    except LookupError as error:
        sys.exit(str(error))
