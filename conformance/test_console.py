"""The console in a real browser: what it shows of a stack under load, by day and by night, and that it asks nobody else."""

import re
import shutil
import struct
import subprocess
import tempfile
import zlib

from region import Load, wait_for


def browse(region, *arguments, dark=False):
    """Opens the console as `allod status` prints it, lets its scripts run for some seconds, and gives what Chromium printed."""
    chromium = shutil.which("chromium")
    assert chromium, "the console's tests need Chromium (Debian: chromium)"
    with tempfile.TemporaryDirectory(prefix="allod-browser-") as profile:
        command = [
            chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--disable-sync",
            # Nothing outside this machine is asked, whatever the page or the browser would like.
            "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            f"--user-data-dir={profile}", "--window-size=1280,1600", "--virtual-time-budget=6000", "--enable-logging=stderr",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}", *arguments, region.status()["console"],
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    complaints = [line for line in done.stderr.decode().splitlines() if "CONSOLE" in line]
    assert not complaints, complaints
    return done.stdout.decode()


def first_pixel(png):
    """Red, green and blue of a PNG's corner: enough to tell day from night."""
    at, data = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    return tuple(zlib.decompressobj().decompress(data, 16)[1:4])


def test_the_console_shows_the_stack_at_work(region, web_tier, client):
    fronts, host = region.front()
    with Load(fronts, host) as load:
        wait_for("load", lambda: len(load.done) > 50)
        page = browse(region, "--dump-dom")
    assert ">Live<" in page, page[-3000:]
    instances = [i for g in region.status()["groups"] for i in g["instances"]]
    assert len(instances) >= 2
    picture = page[page.index('class="picture"') : page.index('class="charts"')]
    for instance in instances:
        assert instance["id"] in picture and instance["zone"] in picture
    assert "healthy" in picture
    for words in ["Requests a second", "Latency", "Processor use", "Capacity", "Launching a new EC2 instance", "2 of 2 in service"]:
        assert words in page, words
    # Everything came from the region itself.
    addresses = re.findall(r'(?:src|href)="(https?://[^"]+)"', page)
    assert all(re.match(r"http://([^/]+\.)?(localhost|127\.\d+\.\d+\.\d+)([:/]|$)", address) for address in addresses), addresses


def test_the_console_is_light_by_day_and_dark_by_night(region, web_tier):
    seen = {}
    for dark in (False, True):
        with tempfile.NamedTemporaryFile(suffix=".png") as picture:
            browse(region, f"--screenshot={picture.name}", dark=dark)
            seen[dark] = first_pixel(picture.read())
    assert min(seen[False]) > 200, seen
    assert max(seen[True]) < 80, seen
