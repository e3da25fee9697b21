#!/usr/bin/python3
"""Bad requests over raw sockets: whatever is HTTP gets an answer, in the words of the protocol that it seems to be."""

import datetime
import hashlib
import hmac
import json
import socket
import sys
import time
import urllib.parse

from checks import Checks, Control, arguments

args = arguments(__doc__)
checks = Checks("bad-input")
parts = urllib.parse.urlsplit(args.url)
FORM = "application/x-www-form-urlencoded; charset=utf-8"


class Socket:
    def __init__(self, timeout=20):
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=timeout)
        self.rest = b""

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # the server may have answered and closed before it read everything
        return self

    def answer(self, head=False):
        """(status, fields, body) of the next answer; status 0 when the connection ended without one."""
        def more():
            try:
                data = self.socket.recv(65536)
            except (ConnectionResetError, socket.timeout):
                data = b""
            self.rest += data
            return bool(data)
        while b"\r\n\r\n" not in self.rest:
            if not more():
                return 0, {}, b""
        header, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = header.decode("latin-1").split("\r\n")
        fields = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        status = int(lines[0].split()[1])
        if status == 100:
            return self.answer(head)
        length = 0 if head else int(fields.get("content-length", 0))
        while len(self.rest) < length and more():
            pass
        body, self.rest = self.rest[:length], self.rest[length:]
        return status, fields, body

    def closed(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False


def http(method, target, body=b"", **fields):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    if body or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ask(method, target, body=b"", **fields):
    return Socket().send(http(method, target, body, **fields)).answer(method == "HEAD")


def signed(body, secret=None, at=None, key=None, target="/"):
    """A POST with a version 4 signature."""
    at = at or datetime.datetime.now(datetime.timezone.utc)
    stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    scope = f"{day}/us-east-1/ec2/aws4_request"
    names = "content-type;host;x-amz-date"
    canonical = (f"POST\n{target}\n\ncontent-type:{FORM}\nhost:{parts.netloc}\nx-amz-date:{stamp}\n\n{names}\n"
                 + hashlib.sha256(body).hexdigest())
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n" + hashlib.sha256(canonical.encode()).hexdigest()
    mac = ("AWS4" + (secret or args.secret)).encode()
    for step in scope.split("/"):
        mac = hmac.new(mac, step.encode(), hashlib.sha256).digest()
    signature = hmac.new(mac, text.encode(), hashlib.sha256).hexdigest()
    return http("POST", target, body, Content_Type=FORM, X_Amz_Date=stamp, Authorization=(
        f"AWS4-HMAC-SHA256 Credential={key or args.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"))


def ec2(name, request, status, code):
    got, fields, body = Socket().send(request).answer()
    checks.check(f"ec2: {name}", got == status and f"<Code>{code}</Code>".encode() in body and
                 "xml" in fields.get("content-type", ""), (got, body[:300]))


now = datetime.datetime.now(datetime.timezone.utc)
DESCRIBE = b"Action=DescribeInstances&Version=2016-11-15"
with checks.group("ec2"):
    checks.equal("ec2: signed rightly", Socket().send(signed(DESCRIBE)).answer()[0], 200)
    ec2("wrong secret", signed(DESCRIBE, secret="x"), 403, "SignatureDoesNotMatch")
    ec2("unknown key", signed(DESCRIBE, key="x"), 401, "AuthFailure")
    ec2("too old", signed(DESCRIBE, at=now - datetime.timedelta(minutes=16)), 400, "RequestExpired")
    ec2("too new", signed(DESCRIBE, at=now + datetime.timedelta(minutes=16)), 400, "RequestExpired")
    ec2("body changed after it was signed", signed(DESCRIBE).replace(b"2016-11-15", b"2016-11-16"), 403,
        "SignatureDoesNotMatch")
    ec2("not signed", http("POST", "/", DESCRIBE, Content_Type=FORM), 403, "MissingAuthenticationToken")
    ec2("half a signature", http("POST", "/", DESCRIBE, Content_Type=FORM, Authorization="AWS4-HMAC-SHA256 Credential=x"),
        400, "IncompleteSignature")
    ec2("unknown action", signed(b"Action=EatLunch&Version=2016-11-15"), 400, "InvalidAction")
    ec2("no action", signed(b"Version=2016-11-15"), 400, "MissingAction")
    ec2("unknown version", signed(b"Action=DescribeInstances&Version=nonsense"), 400, "NoSuchVersion")
    ec2("broken escapes", signed(b"Action=%zz&Version=2016-11-15"), 400, "MalformedQueryString")
    ec2("bytes that are no text", signed(b"Action=DescribeInstances&Version=2016-11-15&InstanceId.1=%ff%fe%00"), 400,
        "InvalidInstanceID.Malformed")
    ec2("a number that is none", signed(b"Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&MinCount=x&MaxCount=1"),
        400, "InvalidParameterValue")
    ec2("a huge number", signed(b"Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&MinCount=1&MaxCount="
                                b"99999999999999999999"), 400, "InvalidParameterValue")
    ec2("PUT", http("PUT", "/", DESCRIBE, Content_Type=FORM, Authorization="AWS4-HMAC-SHA256 x"), 405, "UnsupportedHttpVerb")
    ec2("a body above 16 MiB", http("POST", "/", b"x" * (17 << 20), Content_Type=FORM), 413, "RequestEntityTooLarge")
    ec2("more header than 64 KiB", http("POST", "/", DESCRIBE, Content_Type=FORM, X_Long="x" * 70000), 431,
        "MalformedQueryString")
    got = ask("HEAD", "/?Action=DescribeInstances&AWSAccessKeyId=x")
    checks.check("ec2: HEAD is answered", got[0] >= 400 and got[2] == b"", got)
    status, _, body = Socket().send(signed(b"Action=DescribeInstances&Version=2016-11-15&" + b"&".join(
        b"Filter.%d.Name=tag:a&Filter.%d.Value.1=%s" % (n, n, b"*a" * 100) for n in range(150)))).answer()
    checks.equal("ec2: many filters of many stars", status, 200)
    status, _, body = Socket().send(signed(b"Action=DescribeInstances&Version=2016-11-15&" + b"&".join(
        b"InstanceId.%d=i-%08d" % (n, n + 90000000) for n in range(20000)))).answer()
    checks.check("ec2: 20,000 unknown ids", status == 400 and b"NotFound" in body, (status, body[:200]))

with checks.group("openstack"):
    def openstack(name, got, statuses):
        status, fields, body = got
        text = body.decode("utf-8", "replace")
        try:
            fine = isinstance(json.loads(text), dict)
        except ValueError:
            fine = False
        checks.check(f"openstack: {name}", status in statuses and fine, (status, text[:300]))
    J = "application/json"
    login = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
        "name": args.access_key, "password": args.secret, "domain": {"name": "Default"}}}},
        "scope": {"project": {"name": "drover", "domain": {"name": "Default"}}}}}
    status, fields, body = ask("POST", "/identity/v3/auth/tokens", json.dumps(login).encode(), Content_Type=J)
    checks.equal("openstack: a token", status, 201)
    token = fields.get("x-subject-token", "")
    compute = next(e["url"] for s in json.loads(body)["token"]["catalog"] if s["type"] == "compute"
                   for e in s["endpoints"] if e["interface"] == "public")
    compute = urllib.parse.urlsplit(compute).path
    login["auth"]["identity"]["password"]["user"]["password"] = "wrong"
    openstack("wrong password", ask("POST", "/identity/v3/auth/tokens", json.dumps(login).encode(), Content_Type=J), [401])
    openstack("broken JSON", ask("POST", "/identity/v3/auth/tokens", b"{\"auth\": ", Content_Type=J), [400])
    openstack("JSON nested too deep", ask("POST", "/identity/v3/auth/tokens", b"[" * 100000, Content_Type=J), [400])
    openstack("nothing", ask("POST", "/identity/v3/auth/tokens", b"", Content_Type=J), [400])
    openstack("no token", ask("GET", compute + "/servers"), [401])
    openstack("a wrong token", ask("GET", compute + "/servers", X_Auth_Token="nonsense"), [401])
    openstack("an unknown server", ask("GET", compute + "/servers/none", X_Auth_Token=token), [404])
    openstack("an unknown resource", ask("GET", compute + "/nonsense", X_Auth_Token=token), [404])
    openstack("a server of nothing", ask("POST", compute + "/servers", b"{}", X_Auth_Token=token, Content_Type=J), [400])
    openstack("a server of broken JSON", ask("POST", compute + "/servers", b"{\"server\": [", X_Auth_Token=token,
              Content_Type=J), [400])
    openstack("a body above 16 MiB", ask("POST", compute + "/servers", b"x" * (17 << 20), X_Auth_Token=token,
              Content_Type=J), [413])
    openstack("PUT where none is", ask("PUT", compute + "/servers", b"{}", X_Auth_Token=token, Content_Type=J),
              [404, 405])

with checks.group("opennebula"):
    def opennebula(name, got, wanted=(200,)):
        status, fields, body = got
        checks.check(f"opennebula: {name}", status in wanted and b"<methodResponse>" in body, (status, body[:300]))
        return body
    X = "text/xml"

    def call(method, *texts):
        values = "".join(f"<param><value><string>{text}</string></value></param>" for text in texts)
        return f"<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>{values}</params></methodCall>".encode()
    session = f"{args.access_key}:{args.secret}"
    body = opennebula("a version", ask("POST", "/RPC2", call("one.system.version", session), Content_Type=X))
    checks.check("opennebula: it is right", b"<boolean>1</boolean>" in body, body[:200])
    body = opennebula("a wrong password", ask("POST", "/RPC2", call("one.vmpool.info", "oneadmin:x"), Content_Type=X))
    checks.check("opennebula: code 256", b"256" in body, body[:300])
    opennebula("an unknown method", ask("POST", "/RPC2", call("one.eat.lunch", session), Content_Type=X))
    opennebula("broken XML", ask("POST", "/RPC2", b"<methodCall><methodName>one", Content_Type=X))
    opennebula("XML nested too deep", ask("POST", "/RPC2", b"<methodCall>" + b"<a>" * 100000, Content_Type=X))
    opennebula("no arguments", ask("POST", "/RPC2", call("one.vm.info"), Content_Type=X))
    status, _, body = ask("GET", "/RPC2")
    checks.check("opennebula: GET is 405", status == 405, (status, body[:200]))
    status, _, body = ask("POST", "/RPC2", b"x" * (17 << 20), Content_Type=X)
    checks.check("opennebula: a body above 16 MiB", status in (200, 413) and b"<fault>" in body, (status, body[:200]))

with checks.group("control"):
    for name, got, wanted in [("broken JSON", ask("POST", "/_drover/time", b"{"), 400),
                              ("a negative scale", ask("POST", "/_drover/time", b'{"scale": -1}'), 400),
                              ("an unknown path", ask("GET", "/_drover/none"), 404),
                              ("a method that is not for it", ask("DELETE", "/_drover/time"), 405),
                              ("an unknown action", ask("POST", "/_drover/do", b'{"action": "eat"}'), 400),
                              ("rules that are none", ask("PUT", "/_drover/faults", b"- {when: 1, do: eat}"), 400),
                              ("half a rule", ask("PUT", "/_drover/faults", b"- {when"), 400)]:
        checks.check("control: " + name, got[0] == wanted and b"error" in got[2], got)

with checks.group("HTTP"):
    one = Socket().send(signed(DESCRIBE) + signed(b"Action=Nonsense&Version=2016-11-15") + http("GET", "/_drover/state"))
    checks.equal("pipelined requests are answered in their order", [one.answer()[0] for _ in range(3)], [200, 400, 200])
    one = Socket()
    request = signed(DESCRIBE)
    for position in range(0, len(request), 7):
        one.send(request[position:position + 7])
    checks.equal("a request in small pieces", one.answer()[0], 200)
    request = signed(DESCRIBE).replace(f"Content-Length: {len(DESCRIBE)}\r\n".encode(), b"Transfer-Encoding: chunked\r\n")
    head, body = request.split(b"\r\n\r\n", 1)
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 10]), body[i:i + 10]) for i in range(0, len(body), 10)) + b"0\r\n\r\n"
    checks.equal("a chunked body", Socket().send(head + b"\r\n\r\n" + chunked).answer()[0], 200)
    one = Socket().send(signed(DESCRIBE).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n", 1))
    checks.equal("Expect: 100-continue", one.answer()[0], 200)
    status, fields, _ = Socket().send(signed(DESCRIBE).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)).answer()
    checks.equal("Connection: close is kept", (status, fields.get("connection")), (200, "close"))
    status, _, _ = Socket().send(http("GET", "/_drover/state").replace(b"HTTP/1.1", b"HTTP/1.0")).answer()
    checks.equal("HTTP/1.0", status, 200)
    status, _, body = Socket().send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200 + b"\r\n\r\n").answer()
    checks.check("TLS on a plain port is no crash", status in (0, 400), status)
    for name, data in [("garbage", b"\x00\x01\x02\x03" * 64 + b"\r\n\r\n"), ("no version", b"GET /\r\n\r\n"),
                       ("a version of the future", b"GET / HTTP/9.9\r\n\r\n"),
                       ("two lengths", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
                       ("a length that is none", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\nabcd"),
                       ("a broken chunk", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]:
        status, fields, body = Socket().send(data).answer()
        checks.check(name + " is refused", status == 400 and b"<html" not in body.lower(), (status, body[:200]))
    status, _, body = Socket().send(http("GET", "/?x", **{f"X_{n}": "y" for n in range(8000)})).answer()
    checks.check("a flood of header fields", status == 431, (status, body[:200]))
    flood = [Socket() for _ in range(200)]
    for each in flood:
        each.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le")
    begin = time.monotonic()
    checks.equal("half requests of 200 clients hold up nobody", Socket().send(signed(DESCRIBE)).answer()[0], 200)
    checks.check("and not for long", time.monotonic() - begin < 2, time.monotonic() - begin)
    for target in ("/", "/nonsense", "/favicon.ico", "/a" * 5000, "//", "/%00", "/services/Cloud", "*"):
        status, fields, body = ask("GET", target)
        checks.check(f"GET {target[:20]} is answered, and not with HTML", status > 0 and b"<html" not in body.lower(),
                     (status, body[:200]))
    checks.check("the mock cloud still lives", Control(args.url).state()["requests"] > 0)

sys.exit(checks.exit_code())
