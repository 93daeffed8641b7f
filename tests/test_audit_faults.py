"""Bad disks, full disks, hostile directories, forks: nothing is lost in silence."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from logbraid.audit import AuditError, AuditLog, Policy, keygen, read, verify

QUIET = Policy(head_seconds=0)

# -- a bad disk -------------------------------------------------------------------------------

_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
static unsigned long state = 0;
static int fails(int fd) {
    struct stat st;
    if (!getenv("FAULTS") || fstat(fd, &st) || !S_ISREG(st.st_mode)) return 0;
    if (!state) state = strtoul(getenv("FAULTS"), 0, 10);
    state = state * 6364136223846793005UL + 1442695040888963407UL;
    return (state >> 33) % 100 < 1;
}
#define SHIM(name) int name(int fd) { \
    static int (*real)(int); if (!real) real = dlsym(RTLD_NEXT, #name); \
    if (fails(fd)) { errno = EIO; return -1; } return real(fd); }
SHIM(fsync)
SHIM(fdatasync)
ssize_t write(int fd, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (fails(fd)) { errno = EIO; return -1; }
    return real(fd, data, size);
}
"""

_MANY = """
import os, sys
from logbraid.audit import AuditError, AuditLog, Policy
log = None
while log is None:
    try: log = AuditLog(sys.argv[1], key=sys.argv[2], policy=Policy(head_seconds=0))
    except AuditError: pass
for number in range(300):
    try: log.record("x", resource_id=str(number))
    except AuditError: continue
    os.write(1, b"%d\\n" % number)
log.close()
"""


@pytest.mark.torture
def test_failing_disk_is_told_and_the_segment_never_written_again(tmp_path: Path) -> None:
    if shutil.which("gcc") is None or sys.platform != "linux":
        pytest.skip("gcc on Linux is needed for the shim")
    (tmp_path / "shim.c").write_text(_SHIM)
    command = ["gcc", "-shared", "-fPIC", "-o", str(tmp_path / "shim.so"), str(tmp_path / "shim.c")]
    subprocess.run([*command, "-ldl"], check=True)
    keys = keygen(tmp_path / "keys")
    for seed in ("11", "12", "13", "14", "15", "16"):
        root = tmp_path / seed
        done = subprocess.run(
            [sys.executable, "-c", _MANY, str(root), str(keys["signing"])],
            check=True, capture_output=True, text=True, timeout=60,
            env={**os.environ, "LD_PRELOAD": str(tmp_path / "shim.so"), "FAULTS": seed},
        )  # fmt: skip
        acknowledged = set(done.stdout.split())
        assert 200 < len(acknowledged) <= 300
        AuditLog(root, key=keys["signing"], policy=QUIET).close()
        report = verify(root, keys["verifying"])
        assert report.verdict in ("ok", "torn tail"), str(report)
        told = list(read(root))
        assert acknowledged <= {one.get("resource_id") for one in told}
        troubles = [one["metadata"] for one in told if one["action"] == "audit.io_error"]
        assert len(acknowledged) == 300 or troubles
        manifest = (root / "_log" / "manifest.jsonl").read_text().splitlines()
        for trouble in troubles:  # the segment that failed was sealed as one of a dead writer
            seal = f'"kind":"seal","segment":"{trouble["segment"]}"'
            assert ['"recovered":true' in one for one in manifest if seal in one] == [True]


def test_full_disk_raises_for_every_record_that_is_not_on_it(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)],
                             check=False, capture_output=True)  # fmt: skip
    if mounted.returncode:
        pytest.skip("a small file system needs root")
    keys = keygen(tmp_path / "keys")
    try:
        log = AuditLog(small / "log", key=keys["signing"], policy=QUIET)
        acknowledged, failed = [], 0
        while failed < 5:
            try:
                acknowledged.append(log.record("x", metadata={"fill": "a b " * 200}))
            except AuditError:
                failed += 1
        (small / "ballast").write_bytes(b"")
        log.close()
        for path in sorted((small / "log").glob("_unknown/*.jsonl"))[1:]:
            assert path.stat().st_size < 3000  # failing attempts leave next to nothing
        written = {one["id"] for one in read(small / "log")}
        assert set(acknowledged) <= written
        subprocess.run(["mount", "-o", "remount,size=4m", str(small)], check=True)
        log = AuditLog(small / "log", key=keys["signing"], policy=QUIET)
        assert log.record("after") is not None
        log.close()
        report = verify(small / "log", keys["verifying"])
        assert report.verdict in ("ok", "torn tail"), str(report)
    finally:
        subprocess.run(["umount", str(small)], check=False)


_LIMITED = """
import os, resource, signal, sys
from logbraid.audit import AuditError, AuditLog, Policy
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = AuditLog(sys.argv[1], key=sys.argv[2], policy=Policy(head_seconds=0))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
for number in range(300):
    try:
        log.record("x", resource_id=str(number), metadata={"fill": "a b " * 200})
        os.write(1, b"%d\\n" % number)
    except AuditError:
        os.write(1, b"no\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.record("after")
"""


def test_limit_of_file_sizes_is_told_and_what_was_acknowledged_is_there(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="needs a limit of file sizes")
    keys = keygen(tmp_path / "keys")
    command = [sys.executable, "-c", _LIMITED, str(tmp_path / "log"), str(keys["signing"])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)

    acknowledged = {one for one in done.stdout.split() if one != "no"}
    assert "no" in done.stdout.split()
    told = list(read(tmp_path / "log"))
    assert acknowledged <= {one.get("resource_id") for one in told}
    assert told[-1]["action"] == "after"
    report = verify(tmp_path / "log", keys["verifying"])
    assert report.verdict in ("ok", "torn tail"), str(report)
    assert not any("without a seal" in one for one in report.notices)  # the end of Python sealed


# -- hostile places --------------------------------------------------------------------------


WHAT = ["link", "dangling link", "fifo", "directory", "hard link", "other owner"]


def put(path: Path, what: str) -> Path:
    """Put something else at *path*; return what must stay as it is."""
    target = path.parents[2] / "target"
    target.write_text("untouched")
    path.parent.mkdir(parents=True, exist_ok=True)
    if what == "link":
        path.symlink_to(target)
    elif what == "dangling link":
        path.symlink_to(target.with_name("nothing"))
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "directory":
        path.mkdir()
    elif what == "hard link":
        path.hardlink_to(target)
    else:
        path.write_bytes(b"")
        try:
            os.chown(path, 65534, 65534)
        except PermissionError:
            pytest.skip("a file of another owner needs root")
    return target


@pytest.mark.parametrize("what", WHAT)
def test_manifest_that_is_something_else_is_refused(tmp_path: Path, what: str) -> None:
    target = put(tmp_path / "log" / "_log" / "manifest.jsonl", what)

    with pytest.raises(AuditError):
        AuditLog(tmp_path / "log", policy=QUIET)
    assert target.read_text() == "untouched"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("what", ["link", "dangling link", "fifo", "directory", "hard link"])
def test_key_of_payloads_that_is_something_else_is_refused(tmp_path: Path, what: str) -> None:
    log = AuditLog(tmp_path / "log", flush="none", policy=QUIET)
    target = put(tmp_path / "log" / "_keys" / "hmac", what)

    with pytest.raises(AuditError):
        log.record("x", payload="p")
    assert target.read_text() == "untouched"
    assert not (tmp_path / "nothing").exists()
    log.close()


@pytest.mark.parametrize("name", ["_log", "_keys", "_unknown"])
def test_directory_that_is_a_link_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / name).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(AuditError):
        AuditLog(tmp_path / "log", flush="none", policy=QUIET).record("x", payload="p")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_directory_open_to_everybody_gets_files_for_their_owner_only(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log").chmod(0o777)
    with AuditLog(tmp_path / "log", flush="none", policy=QUIET) as log:
        log.record("x", payload="p")

    for path in (tmp_path / "log").rglob("*"):
        assert stat.S_IMODE(path.lstat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_link_in_place_of_a_tenants_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    log = AuditLog(tmp_path / "log", flush="none", policy=QUIET)
    (tmp_path / "log" / "_unknown").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(AuditError):
        log.record("x")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    log.close()


def test_link_put_in_place_of_a_segment_is_noticed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    log = AuditLog(tmp_path / "log", flush="none", policy=QUIET)
    log.record("x")
    path = next(Path(log.root).glob("_unknown/*.jsonl"))
    path.unlink()
    path.symlink_to(target)
    log.record("y")
    log.close()

    assert target.read_text() == "untouched"
    assert verify(log.root).exit_code == 1


@pytest.mark.parametrize("umask", [0, 0o777])
def test_modes_are_ours_whatever_the_umask_says(tmp_path: Path, umask: int) -> None:
    program = (
        "import os, sys\n"
        "from logbraid.audit import AuditLog, Policy, keygen\n"
        f"os.umask({umask})\n"
        "keys = keygen(sys.argv[1] + '/keys')\n"
        "log = AuditLog(sys.argv[1] + '/log', key=keys['signing'], recipient=keys['recipient'],\n"
        "               policy=Policy(head_seconds=0))\n"
        "log.record('x', payload=1, event_class='data_modified'); log.record('y', payload=1)\n"
        "log.close()\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)

    for path in (tmp_path / "log", *(tmp_path / "log").rglob("*"), *(tmp_path / "keys").rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.lstat().st_mode) == wanted, path


def test_append_only_attribute_is_set_while_a_segment_is_open_or_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = AuditLog(tmp_path / "log", flush="none",
                   policy=Policy(append_only=True, head_seconds=0))  # fmt: skip
    log.record("x")
    path = next(Path(log.root).glob("_unknown/*.jsonl"))
    if "cannot be set" in capfd.readouterr().err:
        log.close()
        pytest.skip("the append-only attribute cannot be set here, which was said")
    with pytest.raises(PermissionError):
        os.truncate(path, 0)
    log.record("y")
    log.close()
    os.truncate(path, path.stat().st_size)
    assert verify(log.root).verdict == "ok"


def test_fork_while_threads_record_never_hangs(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log", policy=QUIET)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            log.record("thread")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                signal.alarm(8)
                try:
                    log.record("child")
                    log.close()
                finally:
                    os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    log.close()

    actions = [one["action"] for one in read(log.root)]
    assert actions.count("child") == 20
    assert verify(log.root).verdict == "ok"
    assert json.loads(json.dumps(verify(log.root).to_dict()))["verdict"] == "ok"


_TENANTS = """
import os, resource, sys, threading
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from logbraid import bound_context
from logbraid.audit import AuditLog, Policy
log = AuditLog(sys.argv[1], flush="none", policy=Policy(head_seconds=0))
def work(first):
    for turn in range(3):
        for number in range(first, 120, 2):
            with bound_context(tenant_id=f"t{number}"):
                log.record("x", resource_id=f"{number}-{turn}")
threads = [threading.Thread(target=work, args=(first,)) for first in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0)
log.close()
"""


def test_more_tenants_than_descriptors_lose_nothing(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="needs a limit of descriptors")
    done = subprocess.run([sys.executable, "-c", _TENANTS, str(tmp_path / "log")], check=True,
                          capture_output=True, text=True)  # fmt: skip

    assert int(done.stdout) < 32
    told = {one["resource_id"] for one in read(tmp_path / "log")}
    assert told == {f"{number}-{turn}" for number in range(120) for turn in range(3)}
    assert verify(tmp_path / "log").verdict == "ok"


_DIES_AT_THE_CHECKPOINT = """
import os, sys
from logbraid.audit import AuditLog, manifest

root, key, when = sys.argv[1:]
replace_file = manifest.replace_file

def die(root, folder, name, note, **more):
    os._exit(9) if name == manifest.CHECKPOINT else replace_file(root, folder, name, note, **more)

if when == "start":
    manifest.replace_file = die
log = AuditLog(root, key=key)
manifest.replace_file = die
log.record("session_start")
"""


def test_killed_again_while_it_cleans_up_after_a_kill_is_no_tampering(tmp_path: Path) -> None:
    keys = keygen(tmp_path / "keys")
    root = tmp_path / "log"
    key = keys["signing"]
    for when in ("first record", "start", "start"):
        command = [sys.executable, "-c", _DIES_AT_THE_CHECKPOINT, *map(str, (root, key, when))]
        assert subprocess.run(command, check=False).returncode == 9
        assert verify(root, keys["verifying"]).verdict == "ok"
    with AuditLog(root, key=keys["signing"]) as log:
        log.record("session_start")
    assert verify(root, keys["verifying"]).verdict == "ok"


def test_new_log_beside_segments_whose_manifest_is_gone_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    keys = keygen(tmp_path / "keys")
    root = tmp_path / "log"
    with AuditLog(root, key=keys["signing"]) as log:
        log.record("session_start")
    shutil.rmtree(root / "_log")
    capfd.readouterr()

    AuditLog(root, key=keys["signing"]).close()

    assert "a new log begins beside segments whose manifest is gone" in capfd.readouterr().err
    assert {one.kind for one in verify(root, keys["verifying"]).findings} == {"foreign"}
