"""The codec of front/wire as a child process: what it reads from a request, and the bytes of its answers."""

import base64
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Echo:
    def __init__(self):
        subprocess.run(["cargo", "build", "--quiet", "--package", "wire", "--example", "echo"], cwd=ROOT, check=True)
        metadata = subprocess.run(
            ["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        program = pathlib.Path(json.loads(metadata.stdout)["target_directory"]) / "debug/examples/echo"
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(timeout=10) == 0

    def ask(self, task):
        self.child.stdin.write(json.dumps(task) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        assert line, "the echo program has ended"
        return json.loads(line)

    def request(self, prepared):
        """What the codec reads from a request that botocore has prepared."""
        body = prepared.body or b""
        body = body.encode() if isinstance(body, str) else body
        headers = [[name, value.decode() if isinstance(value, bytes) else str(value)] for name, value in prepared.headers.items()]
        uri = "/" + prepared.url.split("://", 1)[1].partition("/")[2]
        request = {"method": prepared.method, "uri": uri, "headers": headers, "body": base64.b64encode(body).decode()}
        return self.ask({"request": request})

    def answer(self, service, operation, protocol, **outcome):
        """The answer's bytes in the form that botocore's parsers take."""
        task = {"service": service, "operation": operation, "protocol": protocol, **outcome}
        return response(self.ask({"answer": task}))


def response(answer):
    headers = {name: value for name, value in answer["headers"]}
    return {"status_code": answer["status"], "headers": headers, "body": base64.b64decode(answer["body"])}
