#!/usr/bin/python3
"""A stand-in for Neutron (NEUTRON=stub): enough for servers with `networks: none`. Argument: the port."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        what = self.path.split("?")[0].rstrip("/").rsplit("/", 1)[-1].replace(".json", "").replace("-", "_")
        if what in ("", "v2.0"):
            link = {"rel": "self", "href": f"http://{self.headers['Host']}/v2.0/"}
            body = {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]}
        else:
            body = {what: []}
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
