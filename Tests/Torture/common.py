# What the torture scripts share: a spool of known prompts, the built binary, and the judgement at the end. Standard library only.
# A verdict never trusts the binary alone: places and bytes are read from the disk, executions from a trace that the prompts write.

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

PLACES = ["", "active", "held", "done", "failed"]


class Broken(Exception):
    """A promise that was not kept; `kind` says which, for the figures: a prompt lost, one run twice, or another."""

    def __init__(self, text, kind="other"):
        super().__init__(text)
        self.kind = kind


def environment():
    keep = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    keep["HOME"] = tempfile.gettempdir()
    return keep


class Spool:
    """A spool in a folder of its own, with what was dropped into it."""

    def __init__(self, binary, folder):
        self.binary = os.path.abspath(binary)
        self.folder = folder
        self.path = os.path.join(folder, "spool")
        self.trace = os.path.join(folder, "trace")
        self.dropped = {}  # name -> (author's bytes, may it run)
        os.makedirs(folder, exist_ok=True)
        self.run("init", self.path)

    def command(self, *arguments):
        return [self.binary, *arguments]

    def run(self, *arguments, timeout=60):
        return subprocess.run(self.command(*arguments), cwd=self.folder, env=environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)

    def watch(self, profile, *more, drains=True):
        return self.command("watch", *(["--drain"] if drains else []), "--spool", self.path, "--profile", profile, *more)

    def play(self, profile, env, alone=False, seconds=60):
        """One run until nothing is left, or until it dies. With `alone` it watches, and each prompt is dropped when the one before it
        is filed and nothing else is at work; where it died, the others stand in the spool afterwards. Returns its exit status and what
        it said on standard error."""
        log = tempfile.TemporaryFile()
        aside = os.path.join(self.folder, "aside")
        if alone:
            os.mkdir(aside)
            for name in self.dropped:
                os.rename(os.path.join(self.path, name), os.path.join(aside, name))
        process = subprocess.Popen(self.watch(profile, drains=not alone), cwd=self.folder, env=env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=log)
        end = time.monotonic() + seconds
        try:
            if alone:
                wait = lambda condition: wait_for(condition, process, end)
                # It listens then; under a fault that file may never come, and nothing depends on it.
                begun, soon = os.path.join(self.path, "runs", ".begun"), time.monotonic() + 1
                wait(lambda: os.path.exists(begun) or time.monotonic() > soon)
                for name in self.dropped:
                    os.rename(os.path.join(aside, name), os.path.join(self.path, name))
                    # What a fault makes fail counts as well, and may put the spool on hold.
                    wait(lambda: any(os.path.exists(os.path.join(self.path, place))
                                     for place in ("done/" + name, "failed/" + name, "held/" + name, ".prompt-pipeline.HOLD")))
                process.terminate()
            process.wait(timeout=max(1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Broken("the run hung")
        for name in os.listdir(aside) if alone else []:
            os.rename(os.path.join(aside, name), os.path.join(self.path, name))
        log.seek(0)
        return process.returncode, log.read().decode(errors="replace")

    def drain(self, profile, *more, timeout=60):
        return subprocess.run(self.watch(profile, *more), cwd=self.folder, env=environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)

    def drop(self, name, *blocks, front="", runs=True):
        text = f"---\n{front}\n---\n" if front else ""
        text += "# prompt\n" + "".join(f"```bash\n{block}\n```\n" for block in blocks)
        self.drop_bytes(name, text.encode(), runs)

    def drop_bytes(self, name, data, runs=False):
        raw = os.fsencode(name)
        path = os.path.join(os.fsencode(self.path), raw)
        with open(path, "xb") as file:
            file.write(data)
        # A name that is no UTF-8 is kept escaped.
        kept = "".join(chr(b) if b < 128 else "%%%02X" % b for b in raw) if not is_text(raw) else raw.decode()
        self.dropped[kept] = (data, runs)

    def traced(self):
        try:
            with open(self.trace) as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def where(self):
        """Each file of the spool's folders, by name: the places it stands in."""
        found = {}
        for place in PLACES:
            folder = os.path.join(os.fsencode(self.path), place.encode())
            for raw in os.listdir(folder):
                if raw.startswith(b".") or raw.endswith(b".why.txt") or os.path.isdir(os.path.join(folder, raw)):
                    continue
                found.setdefault(raw, []).append(place)
        return found

    def author_bytes(self, place, raw):
        source = os.path.join(os.fsencode(self.path), place.encode(), raw)
        with open(source, "rb") as file:
            return file.read()

    def judge(self, most, note="", places=None):
        """fsck, places, bytes, number of executions, children. Raises Broken."""
        check = self.run("fsck", "--spool", self.path, "--json")
        if check.returncode != 0:
            raise Broken(f"{note}: fsck: {check.stdout.decode()} {check.stderr.decode()}")
        found = self.where()
        names = sorted(os.fsdecode(name) for name in found)
        if names != sorted(self.dropped):
            raise Broken(f"{note}: files are {found}, dropped were {sorted(self.dropped)}", "loss")
        for raw, where in found.items():
            name = os.fsdecode(raw)
            if len(where) != 1:
                raise Broken(f"{note}: {name} is in {where}", "loss")
            if places and name in places and where != [places[name]]:
                raise Broken(f"{note}: {name} is in {where}, not in {places[name]}")
            self.check_bytes(name, where[0], raw, note)
        lines = self.traced()
        for name, (_, runs) in self.dropped.items():
            for block in {line for line in lines if line.split("#")[0] == name}:
                count = lines.count(block)
                if count > (most if runs else 0):
                    raise Broken(f"{note}: {block} ran {count} times, {most} allowed", "double_run")
        left = children(self.path)
        if left:
            raise Broken(f"{note}: children are alive: {left}")

    def check_bytes(self, name, place, raw, note):
        data = self.author_bytes(place, raw)
        want = self.dropped[name][0]
        # By the stamp's shape first: that trusts the binary with nothing, and costs no process.
        if want in (data, strip(data)):
            return
        copy = os.path.join(self.folder, "copy.md")
        with open(copy, "wb") as file:
            file.write(data)
        data = unstamp(self, copy)
        if data != want:
            raise Broken(f"{note}: {name} in {place} has other bytes: {data!r}", "loss")

    def fail(self, error):
        print(f"\nBROKEN {error}\n  the spool is kept: {self.folder}", file=sys.stderr)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_for(condition, process, end):
    """Until `condition`, or until the process is dead."""
    while not condition() and process.poll() is None:
        if time.monotonic() > end:
            raise subprocess.TimeoutExpired(process.args, 0)
        time.sleep(0.002)


def is_text(raw):
    try:
        raw.decode()
        return True
    except UnicodeDecodeError:
        return False


def unstamp(spool, path):
    """The author's bytes of a stamped file, by `flowspool unstamp`."""
    spool.run("unstamp", path)
    with open(path, "rb") as file:
        return file.read()


def strip(data):
    """The stamp is one top-level key `prompt_flow`, its first line marked; a block that holds only it was put there with it."""
    lines = data.split(b"\n")
    if not lines or lines[0] != b"---":
        return data
    start = next((i for i, line in enumerate(lines) if line.startswith(b"prompt_flow:")), None)
    if start is None:
        return data
    end = start + 1
    while end < len(lines) and lines[end].startswith(b" "):
        end += 1
    rest = lines[:start] + lines[end:]
    if start == 1 and rest[1:2] == [b"---"]:
        rest = rest[2:]
    return b"\n".join(rest)


def children(path):
    """Processes that still run something of this spool."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if (b"FLOWSPOOL_RUN_DIR=" + os.fsencode(path) + b"/") in file.read():
                    with open(f"/proc/{entry}/stat") as stat:
                        if stat.read().rsplit(")", 1)[1].split()[0] not in "ZX":
                            found.append(int(entry))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass
    return found


def build_shim(folder):
    """The library that sees a process's file-system calls, built with whatever C compiler there is (Swift brings one)."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim.c")
    target = os.path.join(folder, "shim.so")
    compiler = next((c for c in ("cc", "gcc", "clang") if shutil.which(c)), None)
    if not compiler:
        sys.exit("no C compiler (cc, gcc, clang)")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", target, source, "-lpthread"], check=True)
    return target


def shimmed(spool, shim, **settings):
    return {**environment(), "LD_PRELOAD": shim, "TORTURE_ROOT": spool.path, **settings}


def now():
    return time.monotonic()


def find_binary(given):
    if given:
        return given
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    built = [os.path.join(root, ".build", kind, "flowspool") for kind in ("release", "debug")]
    built = [path for path in built if os.access(path, os.X_OK)]
    if built:
        return max(built, key=os.path.getmtime)
    sys.exit("no flowspool was built: `make build`, or --binary PATH")


def broken_figures(errors):
    """What was broken, for a report: the texts, and how many of them were a lost prompt or a second run."""
    kinds = [getattr(error, "kind", "other") for error in errors]
    return {"losses": kinds.count("loss"), "double_runs": kinds.count("double_run"), "broken": [str(error) for error in errors]}


def progress(text):
    """One line now and then, so that a long run can be looked at."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def report(name, **figures):
    print(json.dumps({"harness": name, **figures}), flush=True)
