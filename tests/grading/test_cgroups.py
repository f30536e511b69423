"""Control groups: what the kernel bounds, which folders are tried, and that nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograde.grading import cgroups

HELD = {name for place in cgroups.here() for name in place.controllers}
needs = {name: pytest.mark.skipif(name not in HELD, reason=f"no group for {name} can be made here") for name in HELD}
NOTHING = pytest.mark.skip(reason="no control group can be made here")


def run_in(group: cgroups.Group, source: str) -> subprocess.CompletedProcess:
    command = group.command([sys.executable, "-I", "-S", "-c", source])
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@needs.get("pids", NOTHING)
def test_no_more_processes_than_the_group_holds() -> None:
    group = cgroups.group(256, 8)
    assert group is not None
    source = (
        "import os, signal, time\n"
        "children = []\n"
        "try:\n"
        "    while len(children) < 500:\n"
        "        children.append(os.fork())\n"
        "        if not children[-1]: time.sleep(60)\n"
        "except BlockingIOError:\n"
        "    print(len(children))\n"
        "for child in children: os.kill(child, signal.SIGKILL)"
    )
    try:
        assert int(run_in(group, source).stdout) == 4 * 8 + 16 - 1
    finally:
        group.close()
    assert not any(place.folder.exists() for place in group.places)


@needs.get("memory", NOTHING)
def test_no_more_memory_than_the_group_holds() -> None:
    group = cgroups.group(0, 8)
    assert group is not None
    try:
        modest = run_in(group, "hoard = bytearray(2**28); print('done')")
        greedy = run_in(group, f"hoard = bytearray({2 * cgroups.BASE_MB} * 2**20); print('done')")
    finally:
        group.close()
    assert (modest.stdout, modest.returncode) == ("done\n", 0)
    assert (greedy.stdout, greedy.returncode) == ("", -9)


def test_a_group_that_is_gone_does_not_stop_the_sandbox() -> None:
    gone = cgroups.Group(())
    gone.places = [cgroups.Place(Path("/sys/fs/cgroup/nowhere"), ("pids",), 2)]
    gone.limit(256, 8)
    assert run_in(gone, "print('runs')").stdout == "runs\n"
    gone.close()


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"unrolled-{2**30}-0").mkdir()
    (tmp_path / "unrolled-1-0").mkdir()
    (tmp_path / "another").mkdir()
    cgroups._sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another", "unrolled-1-0"]


def test_version_2_takes_the_nearest_group_whose_controllers_were_handed_down(tmp_path: Path) -> None:
    session = tmp_path / "user.slice" / "user@1000.service" / "app.slice"
    (session / "terminal.scope").mkdir(parents=True)
    handed = {tmp_path: "cpu memory pids", session.parent: "memory pids", session: "memory pids"}
    for folder, words in handed.items():
        (folder / "cgroup.subtree_control").write_text(words)
    mounts = f"30 24 0:27 / {tmp_path} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n31 24 0:5 / /proc rw - proc proc rw"
    own = "0::/user.slice/user@1000.service/app.slice/terminal.scope\n"
    found = cgroups.candidates(mounts, own, "memory")
    assert [place.folder for place in found] == [session, session.parent, tmp_path]
    assert {place.version for place in found} == {2}
    assert cgroups.candidates(mounts, own, "cpu") == [cgroups.Place(tmp_path, ("cpu",), 2)]


def test_version_1_takes_ones_own_group_in_each_hierarchy() -> None:
    mounts = (
        "40 39 0:33 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
        "41 39 0:34 /docker/a /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "42 39 0:35 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
    )
    own = "8:pids:/jobs\n4:memory:/docker/a/b\n0::/\n"
    pids, memory, cpu = (cgroups.candidates(mounts, own, name) for name in cgroups.CONTROLLERS)
    assert pids == [cgroups.Place(Path("/sys/fs/cgroup/pids/jobs"), ("pids",), 1)]
    assert memory == [cgroups.Place(Path("/sys/fs/cgroup/memory/b"), ("memory",), 1)]
    assert cpu == []


def test_a_grader_that_was_told_to_be_nice_has_nice_sandboxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "sessions_are_equal", lambda: False)
    group = cgroups.Group((cgroups.Place(tmp_path, ("cpu",), 1),))
    for name in ("cpu.weight.nice", "cpu.shares"):
        (group.places[0].folder / name).touch()
    group.limit(256, 8)
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    assert (group.places[0].folder / "cpu.weight.nice").read_text() == str(nice)
    assert int((group.places[0].folder / "cpu.shares").read_text()) == pytest.approx(1024 / 1.25**nice, rel=0.1, abs=1)
