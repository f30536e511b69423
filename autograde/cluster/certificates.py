"""The certificate by which the machines of a cluster know each other, and by which they encrypt.

Dask sends jobs and results as pickles, so whoever can talk to a scheduler or a worker runs code there. A cluster over
machines therefore listens with TLS alone, and with a certificate on both ends. One self-signed certificate, valid for a
year, serves scheduler, workers and coordinator: its key is the cluster's shared secret. The files have the names that a
secret of Kubernetes gives them.

``python -m autograde.cluster.certificates DIR`` makes them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from distributed.security import Security

CERTIFICATE, KEY = "tls.crt", "tls.key"


def make(folder: Path) -> None:
    """Write a new certificate and its key, which its owner alone can read.

    Raises:
        FileExistsError: there is one already; workers that have it would not know the new one.
    """
    made = Security.temporary()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((KEY, made.tls_client_key), (CERTIFICATE, made.tls_ca_file)):
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)


def security(folder: Path) -> Security:
    """What a scheduler, a worker or a client needs to talk to the others that hold the same certificate.

    Raises:
        LookupError: the folder holds no certificate.
    """
    certificate, key = (_existing(folder / name) for name in (CERTIFICATE, KEY))
    roles = {f"tls_{role}_cert": certificate for role in ("client", "scheduler", "worker")}
    roles |= {f"tls_{role}_key": key for role in ("client", "scheduler", "worker")}
    return Security(require_encryption=True, tls_ca_file=certificate, **roles)


def options(folder: Path) -> list[str]:
    """The same as options of ``dask scheduler`` and ``dask worker``."""
    certificate, key = (_existing(folder / name) for name in (CERTIFICATE, KEY))
    return ["--protocol", "tls", "--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key]


def _existing(path: Path) -> str:
    if not path.exists():
        raise LookupError(
            f"{path} is not there: make it with `python -m autograde.cluster.certificates {path.parent}`, "
            "and copy the folder to each machine"
        )
    return str(path.resolve())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m autograde.cluster.certificates DIR")
    make(Path(sys.argv[1]))
