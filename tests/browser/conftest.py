"""A JupyterLab with nbgrader's extensions on loopback, in a course folder of its own, and Chromium to look at it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from autograde.grading.course import Course
from tests.grading.notebooks import ROOT, release

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WAIT_MS = 120_000


AUTOSAVE = ".jupyter/lab/user-settings/@jupyterlab/docmanager-extension/plugin.jupyterlab-settings"


class Lab(NamedTuple):
    """A running JupyterLab: where it listens, what lets one in, and the course in whose folder it runs."""

    address: str
    token: str
    course: Course


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    course = release(Course(tmp_path_factory.mktemp("course")))
    home = tmp_path_factory.mktemp("home")
    without_autosave(home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, log = secrets.token_hex(16), home / "jupyter.log"
    options = ["--allow-root", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    options += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={course.root}"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT)}
    with log.open("w") as written:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=course.root,
            env=environment,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 120
        while not answers(f"{address}/api?token={token}"):
            assert server.poll() is None and time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(0.5)
        yield Lab(address, token, course)
    finally:
        server.terminate()
        server.wait(timeout=30)


def without_autosave(home: Path) -> None:
    """On a slow machine a save by the clock meets one that a test asked for, and JupyterLab asks which is to stay."""
    (home / AUTOSAVE).parent.mkdir(parents=True)
    (home / AUTOSAVE).write_text(json.dumps({"autosave": False}))


def answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium on the PATH; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def page(lab: Lab, browser: Browser) -> Page:
    """A page that the server knows: the cookie comes with the first visit."""
    opened = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    opened.set_default_timeout(WAIT_MS)
    opened.goto(f"{lab.address}/api?token={lab.token}")
    opened.goto(f"{lab.address}/formgrader/?token={lab.token}")
    return opened
