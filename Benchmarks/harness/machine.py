"""The machine as the harness uses it: where things are, what is installed, work folders that go away, processes that end.

Nothing outside Benchmarks/build/ is written, and only processes that were started here are ended.
"""

import atexit
import contextlib
import os
import platform
import re
import shutil
import signal
import subprocess
import time

BENCHMARKS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPOSITORY = os.path.dirname(BENCHMARKS)
BUILD = os.path.join(BENCHMARKS, "build")
LIMITS = ("spawn_loop", "durable_loop", "contract_loop", "watch_spawn", "stamp_time", "fill", "parse_block")

# No locale, no user configuration: every contestant starts its children from the same small environment.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": BUILD, "LC_ALL": "C", "USER": "root", "SHELL": "/bin/bash"}


def flowspool():
    """The binary that is measured."""
    return os.path.join(BUILD, "flowspool")


def install_flowspool():
    """Copies the binary, as `make install` does: a linker writes its file piece by piece, and the page cache of such a file is made
    of small pages, so that a command starts up to a tenth later than from a copy."""
    built = os.path.abspath(os.environ.get("FLOWSPOOL_BIN", os.path.join(REPOSITORY, ".build", "release", "flowspool")))
    os.makedirs(BUILD, exist_ok=True)
    subprocess.run(["install", "-m", "755", built, flowspool()], check=True)
    os.sync()


def limit(name):
    return os.path.join(BUILD, name)


def compile_limits():
    """Builds the C programs; the one that a block runs is linked statically so that it starts at once."""
    os.makedirs(BUILD, exist_ok=True)
    compiler = shutil.which("cc") or shutil.which("clang") or "cc"
    for name in LIMITS:
        libraries = ["-static"] if name == "stamp_time" else ["-lsqlite3"] if name in ("contract_loop", "watch_spawn") else []
        source = os.path.join(BENCHMARKS, "limits", name + ".c")
        subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-pthread", "-o", limit(name), source, *libraries], check=True)


@contextlib.contextmanager
def work_folder():
    """An empty folder on the repository's own filesystem (a tmpfs would make every fsync free).

    It stays until the whole run ends: ext4 looks at each inode that was freed in the last minutes before it makes a new one,
    so whoever is measured after a removal pays for it."""
    folder = os.path.join(BUILD, f"work-{os.getpid()}-{time.monotonic_ns()}")
    os.makedirs(folder)
    atexit.register(remove, folder)
    yield folder


def remove(folder):
    """rm is several times faster than shutil.rmtree over a million files."""
    subprocess.run(["rm", "-rf", folder], check=False)


def settle():
    """Lets what the last run left dirty reach the disk, so that the next one does not pay for it."""
    os.sync()


def run(arguments, cwd, timeout_seconds=300, **options):
    """Runs a command to its end, quietly; returns the seconds it took. Anything but exit 0 is an error."""
    start = time.monotonic_ns()
    result = subprocess.run(
        arguments, cwd=cwd, env=options.pop("env", ENVIRONMENT), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=timeout_seconds, **options)
    seconds = (time.monotonic_ns() - start) / 1e9
    if result.returncode != 0:
        tail = result.stdout.decode(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(map(str, arguments))[:200]} exited {result.returncode}:\n{tail}")
    return seconds


def start_milliseconds(arguments, cwd, env=None):
    """Milliseconds from a command's start to its end, as whoever waits for it sees them: posix_spawn(3), waitpid(2), and nothing
    else. `run` adds one to two: it reads a pipe, and then asks for the end every millisecond (subprocess.Popen, `_wait`)."""
    env = env or ENVIRONMENT
    program = shutil.which(arguments[0], path=env["PATH"])
    log, before = os.path.join(cwd, ".output"), os.getcwd()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
    os.chdir(cwd)
    try:
        start = time.monotonic_ns()
        process = os.posix_spawn(program, arguments, env, file_actions=actions)
        status = os.waitpid(process, 0)[1]
        took = (time.monotonic_ns() - start) / 1e6
    finally:
        os.chdir(before)
    if status != 0:
        with open(log, encoding="utf-8", errors="replace") as file:
            raise RuntimeError(f"{' '.join(arguments)[:200]} ended with {os.waitstatus_to_exitcode(status)}:\n{file.read()[-2000:]}")
    return took


def output(arguments, cwd=REPOSITORY, env=None):
    return subprocess.run(
        arguments, cwd=cwd, env=env or ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, check=True, text=True).stdout


@contextlib.contextmanager
def background(arguments, cwd, stdout=subprocess.DEVNULL, env=None):
    """A process that runs beside the harness, in a group of its own that is ended at the end."""
    log = open(os.path.join(cwd, f".stderr-{time.monotonic_ns()}"), "w+b")
    process = subprocess.Popen(
        arguments, cwd=cwd, env=env or ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=stdout, stderr=log,
        start_new_session=True)
    process.log = log
    try:
        yield process
    finally:
        stop(process)
        log.close()


def stop(process, grace_seconds=10):
    """TERM to the process, then KILL to its group; returns when it is gone."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(condition, what, process=None, seconds_max=120, pause_seconds=0.001):
    """Waits for `condition`; a process that dies meanwhile, or too long a wait, is an error that shows what it said."""
    deadline = time.monotonic() + seconds_max
    while not condition():
        if process is not None and process.poll() is not None or time.monotonic() > deadline:
            said = ""
            if process is not None and hasattr(process, "log"):
                process.log.seek(0)
                said = process.log.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"waited in vain for {what}; {said}")
        time.sleep(pause_seconds)


def warm_up(spool, process):
    """Has a running watcher file one prompt, which nothing counts: then it is ready."""
    with open(os.path.join(spool, "warm-up.md"), "w", encoding="utf-8") as file:
        file.write("```bash\n:\n```\n")
    wait_until(lambda: os.path.exists(os.path.join(spool, "done", "warm-up.md")), "the first prompt's filing", process)


def lines(path):
    """Integers, one a line, that `stamp_time` wrote; a last line that is not whole yet is left out."""
    try:
        with open(path, "rb") as file:
            return [int(line) for line in file.read().split(b"\n")[:-1]]
    except FileNotFoundError:
        return []


def line_count(path):
    """How many times `stamp_time` wrote to the file. Each line has the same length until the clock gains a digit: counted."""
    try:
        with open(path, "rb") as file:
            return file.read().count(b"\n")
    except FileNotFoundError:
        return 0


def describe():
    """What RESULTS.md says of this machine, as (name, value) pairs."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(re.search(r"MemTotal:\s*(\d+)", file.read())[1]) / 1024 / 1024
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    filesystem = output(["findmnt", "--noheadings", "--output", "FSTYPE", "--target", BENCHMARKS]).strip()
    return [
        ("processor", f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores"),
        ("memory", f"{memory:.0f} GiB"),
        ("system", f"{system}, Linux {platform.release()}"),
        ("filesystem", filesystem),
        ("load before", " ".join(f"{value:.2f}" for value in os.getloadavg())),
    ]


PACKAGES = ("bash", "task-spooler", "nq", "parallel", "findutils", "incron", "inotify-tools", "python3")


def versions():
    """flowspool's version and those of the peers' packages."""
    found = [("flowspool", commit())]
    for package in PACKAGES:
        with contextlib.suppress(subprocess.CalledProcessError):
            found.append((package, output(["dpkg-query", "-W", "-f", "${Version}", package]).strip()))
    return found


def commit():
    try:
        return "commit " + output(["git", "describe", "--always", "--dirty"]).strip()
    except subprocess.CalledProcessError:
        return "unknown"
