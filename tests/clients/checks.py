"""What the scripts of this folder share: a check-list that prints itself, and the control API of a mock cloud."""

import argparse
import contextlib
import json
import sys
import time
import traceback
import urllib.error
import urllib.request


class Checks:
    """Prints "ok NAME" or "FAIL NAME: why" for every check; exit_code() is 1 when one of them failed."""

    def __init__(self, client):
        self.client = client
        self.passed = 0
        self.failed = []

    def check(self, name, passed, detail=""):
        if passed:
            self.passed += 1
            print(f"ok   {self.client}: {name}", flush=True)
        else:
            self.failed.append(name)
            print(f"FAIL {self.client}: {name}{': ' + str(detail)[:600] if detail != '' else ''}", flush=True)
        return bool(passed)

    def equal(self, name, got, wanted):
        return self.check(name, got == wanted, f"got {got!r}, wanted {wanted!r}")

    @contextlib.contextmanager
    def group(self, name):
        """What is raised inside is one failed check, and the script goes on."""
        try:
            yield
        except Exception as error:  # pylint: disable=broad-except
            where = traceback.extract_tb(error.__traceback__)
            line = next((f.lineno for f in reversed(where) if f.filename == sys.argv[0]), 0)
            self.check(f"{name} (line {line})", False, f"{type(error).__name__}: {error}")

    def exit_code(self):
        total = self.passed + len(self.failed)
        print(f"{self.client}: {self.passed} of {total} checks passed", flush=True)
        for name in self.failed:
            print(f"  failed: {name}", flush=True)
        return 1 if self.failed else 0


class Control:
    """The control API of a mock cloud at `url`."""

    def __init__(self, url):
        self.url = url.rstrip("/") + "/_drover"

    def ask(self, method, path, body=None):
        data = body if body is None or isinstance(body, bytes) else str(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def state(self):
        return self.ask("GET", "/state")

    def journal(self, after=0, call=None):
        """Requests behind number `after`, oldest first."""
        rows = self.ask("GET", f"/journal?after={after}&limit=100000")["requests"]
        return [row for row in rows if call is None or row["call"] == call]

    def last(self):
        return self.state()["requests"]

    def faults(self, text):
        return self.ask("PUT", "/faults", text)

    def no_faults(self):
        return self.ask("DELETE", "/faults")

    def do(self, action, target, **arguments):
        return self.ask("POST", "/do", json.dumps({"action": action, "target": target, "with": arguments}))

    def step(self, by):
        return self.ask("POST", "/time", json.dumps({"step": by}))

    def scale(self, scale):
        return self.ask("POST", "/time", json.dumps({"scale": scale}))


def eventually(condition, seconds=20.0, every=0.05):
    """Whether `condition()` became true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(every)
    return bool(condition())


def arguments(description, **urls):
    """The options --url (required), --access-key, --secret, and one for each of `urls`: its name and its help."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--url", required=True, help="a mock cloud with its usual settings and a fast clock")
    parser.add_argument("--access-key", default="drover")
    parser.add_argument("--secret", default="drover-secret")
    for name, text in urls.items():
        parser.add_argument("--" + name.replace("_", "-"), default="", help=text)
    return parser.parse_args()
