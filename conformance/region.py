"""Starts, kills and asks a region, and sends it load. Traffic goes to 127.0.0.0/8 only."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def binary(name):
    """The path of a built program: beside the `allod` that ALLOD_BIN names, which was built with it, where it is there."""
    if given := os.environ.get("ALLOD_BIN"):
        path = pathlib.Path(given) if name == "allod" else pathlib.Path(given).with_name(name)
        if name == "allod" or path.exists():
            return path
    for profile in ("release", "debug"):
        path = ROOT / "target" / profile / name
        if path.exists():
            return path
    raise AssertionError(f"{name} is not built: cargo build --workspace")


def wait_for(what, condition, seconds=30, every=0.05):
    """Polls until the condition gives something true, which is returned."""
    deadline = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)


class Region:
    def __init__(self, data, port, options=()):
        self.data = data
        self.port = port
        self.options = options

    def run(self, *arguments, check=True):
        """Runs `allod` with these arguments; gives what it printed."""
        command = [str(binary("allod")), *arguments, "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}")
        return done.stdout if check else done

    def start(self):
        self.run("serve", "--background", "--listen", f"127.0.0.1:{self.port}", *self.options)

    def down(self):
        self.run("down")

    def logs(self):
        done = subprocess.run([str(binary("allod")), "logs", "-n", "60", "--data", str(self.data)], capture_output=True, text=True)
        return done.stdout

    def status(self):
        return json.loads(self.run("status", "--output", "json"))

    def endpoint(self):
        return json.loads((self.data / "endpoint.json").read_text())

    def credentials(self):
        return json.loads((self.data / "credentials.json").read_text())

    def client_arguments(self):
        key = self.credentials()
        return {
            "endpoint_url": self.endpoint()["url"],
            "region_name": self.endpoint()["region"],
            "aws_access_key_id": key["access_key_id"],
            "aws_secret_access_key": key["secret_access_key"],
        }

    def environment(self):
        """For the `aws` command."""
        a = self.client_arguments()
        return {
            **os.environ,
            "AWS_ENDPOINT_URL": a["endpoint_url"],
            "AWS_REGION": a["region_name"],
            "AWS_DEFAULT_REGION": a["region_name"],
            "AWS_ACCESS_KEY_ID": a["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": a["aws_secret_access_key"],
            "AWS_PAGER": "",
        }

    def processes(self, name):
        """Process ids of `allod NAME` of this region."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            ours = str(self.data).encode() in words
            if ours and len(words) > 1 and words[1] == name.encode() and words[0].endswith(b"allod"):
                found.append(int(entry.name))
        return found

    def kill(self, name):
        """kill -9 of every process of that kind; gives their ids."""
        pids = self.processes(name)
        assert pids, f"no allod {name} runs"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    def leftovers(self):
        """Mounts, cgroups and processes that belong to this data directory."""
        found = set()
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            if str(self.data) in line:
                found.add("mount " + line.split()[4])
        # Other regions of this machine have theirs: this one's is named by the FNV-1a hash of its data directory.
        name = 0xCBF29CE484222325
        for byte in os.fsencode(os.path.realpath(self.data)):
            name = (name ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        for base in pathlib.Path("/sys/fs/cgroup").glob(f"**/allod/{name & 0xFFFFFFFF:08x}"):
            found.add(f"cgroup {base}")
        for name in ("serve", "host", "edge"):
            found |= {f"process {name} {pid}" for pid in self.processes(name)}
        return found

    def front(self, name=None):
        """Addresses of a load balancer's nodes, and its DNS name."""
        balancers = self.status()["load_balancers"]
        balancer = next(b for b in balancers if name is None or b["name"] == name)
        return [z["front"] for z in balancer["zones"]], balancer["dns_name"]


@contextlib.contextmanager
def running(offset=0, *options):
    """A region on a port of its own, started with these options of `allod serve`; at its end nothing of it may be left."""
    assert os.geteuid() == 0, "these tests make instances: run them as root"
    data = pathlib.Path(tempfile.mkdtemp(prefix="allod-conformance-"))
    region = Region(data, port=int(os.environ.get("ALLOD_TEST_PORT", "4599")) + offset, options=options)
    before = region.leftovers()
    region.start()
    try:
        yield region
    finally:
        logs = region.logs()
        region.down()
        after = region.leftovers()
        shutil.rmtree(data, ignore_errors=True)
        assert not after - before, f"left behind after `allod down`: {sorted(after - before)}\n{logs}"


def get(address, path="/", host=None, port=80, timeout=10):
    """One request on a connection of its own: status, headers, body."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


class Load:
    """Steady GET requests from a few threads, on kept connections, until told to stop. Bounded in time.

    That no request failed says something only where requests were sent all the while: otherwise the end fails.
    """

    def __init__(self, addresses, host, path="/health", threads=4, seconds=240):
        self.addresses, self.host, self.path = addresses, host, path
        self.stop = threading.Event()
        self.done, self.failures, self.broken = [], [], []
        self.deadline = time.monotonic() + seconds
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        ended = [thread.name for thread in self.threads if not thread.is_alive()]
        self.stop.set()
        for thread in self.threads:
            thread.join(15)
        if kind is None:
            assert not ended, f"of the load {len(ended)} threads had ended before: {self.broken}"
            assert self.done or self.failures, "no request was sent"

    def run(self, number):
        try:
            self.send(number)
        except Exception as e:
            self.broken.append(repr(e))

    def send(self, number):
        connection = None
        while not self.stop.is_set() and time.monotonic() < self.deadline:
            began = time.monotonic()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(self.addresses[number % len(self.addresses)], 80, timeout=10)
                connection.request("GET", self.path, headers={"Host": self.host})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.done.append((began, time.monotonic() - began))
                else:
                    self.failures.append((began, answer.status))
                if answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as e:
                self.failures.append((began, repr(e)))
                if connection is not None:
                    connection.close()
                connection = None
            time.sleep(0.005)
