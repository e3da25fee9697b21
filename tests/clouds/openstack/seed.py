#!/usr/bin/python3
"""Fills a fresh OpenStack through its APIs, which is faster than its command line.

seed.py identity|cloud|wait KEYSTONE NOVA PLACEMENT GLANCE NEUTRON (a URL, then ports): projects, users, services
and endpoints; flavors, an image and a network; or waits until nova-compute is up.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

what, keystone, nova, placement, glance, neutron = sys.argv[1:7]
HOST = "http://127.0.0.1:"


def call(method, url, body=None, token=None, content_type="application/json", raw=False):
    headers = {"Accept": "application/json"}
    if token:
        headers["X-Auth-Token"] = token
    data = None
    if body is not None:
        data = body if raw else json.dumps(body).encode()
        headers["Content-Type"] = content_type
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return answer.status, dict(answer.headers), json.loads(text) if text[:1] in (b"{", b"[") else text
    except urllib.error.HTTPError as error:
        text = error.read()
        print(method, url, error.code, text[:400], file=sys.stderr)
        return error.code, dict(error.headers), text


def login(user, password, project):
    _, headers, _ = call("POST", keystone + "/auth/tokens", {"auth": {
        "identity": {"methods": ["password"],
                     "password": {"user": {"name": user, "domain": {"name": "Default"}, "password": password}}},
        "scope": {"project": {"name": project, "domain": {"name": "Default"}}}}})
    return {key.lower(): value for key, value in headers.items()}["x-subject-token"]


def identity(token):
    roles = {role["name"]: role["id"] for role in call("GET", keystone + "/roles", token=token)[2]["roles"]}
    if "service" not in roles:
        made = call("POST", keystone + "/roles", {"role": {"name": "service"}}, token)[2]
        roles["service"] = made["role"]["id"]
    projects = {}
    for name in ("service", "demo"):
        made = call("POST", keystone + "/projects", {"project": {"name": name, "domain_id": "default"}}, token)[2]
        projects[name] = made["project"]["id"]
    for user, password, project, granted in (("svc", "svcpw", "service", ["admin", "service"]),
                                             ("demo", "demopw", "demo", ["member", "reader"])):
        made = call("POST", keystone + "/users", {"user": {
            "name": user, "password": password, "domain_id": "default", "default_project_id": projects[project]}}, token)
        user_id = made[2]["user"]["id"]
        for role in granted:
            call("PUT", f"{keystone}/projects/{projects[project]}/users/{user_id}/roles/{roles[role]}", token=token)
    for name, kind, url in (("nova", "compute", f"{HOST}{nova}/v2.1"), ("placement", "placement", f"{HOST}{placement}"),
                            ("glance", "image", f"{HOST}{glance}"), ("neutron", "network", f"{HOST}{neutron}")):
        service = call("POST", keystone + "/services", {"service": {"name": name, "type": kind}}, token)[2]["service"]
        for interface in ("public", "internal", "admin"):
            call("POST", keystone + "/endpoints", {"endpoint": {
                "service_id": service["id"], "interface": interface, "region_id": "RegionOne", "url": url}}, token)


def cloud(token):
    compute = f"{HOST}{nova}/v2.1"
    for flavor, name, cpus, ram, disk in (("1", "m1.tiny", 1, 64, 1), ("2", "m1.small", 1, 2048, 20),
                                          ("3", "m1.large", 4, 8192, 80)):
        call("POST", compute + "/flavors",
             {"flavor": {"id": flavor, "name": name, "vcpus": cpus, "ram": ram, "disk": disk}}, token)
    image = call("POST", f"{HOST}{glance}/v2/images", {
        "name": "tiny", "disk_format": "raw", "container_format": "bare", "visibility": "public"}, token)[2]
    call("PUT", f"{HOST}{glance}/v2/images/{image['id']}/file", b"\0" * 1024, token, "application/octet-stream", True)
    project = call("GET", keystone + "/projects?name=demo", token=token)[2]["projects"][0]["id"]
    call("PUT", f"{compute}/os-quota-sets/{project}",
         {"quota_set": {"instances": 1000, "cores": 4000, "ram": 4000000}}, token)
    user = login("demo", "demopw", "demo")
    try:
        network = call("POST", f"{HOST}{neutron}/v2.0/networks",
                       {"network": {"name": "private", "admin_state_up": True}}, user)[2]["network"]
        call("POST", f"{HOST}{neutron}/v2.0/subnets", {"subnet": {
            "network_id": network["id"], "ip_version": 4, "cidr": "10.10.0.0/16", "name": "private4",
            "enable_dhcp": False}}, user)
        call("PUT", f"{HOST}{neutron}/v2.0/quotas/{project}", {"quota": {"port": -1}}, token)
    except (TypeError, KeyError):
        print("no network: this is the stand-in for Neutron", file=sys.stderr)


def wait(token):
    since = os.environ.get("FAKE_SINCE", "")  # an older heartbeat reads as "up", too
    for _ in range(300):
        answer = call("GET", f"{HOST}{nova}/v2.1/os-services?binary=nova-compute", token=token)[2]
        if isinstance(answer, dict) and any(
                service["state"] == "up" and (service["updated_at"] or "") >= since for service in answer["services"]):
            return
        time.sleep(.3)
    sys.exit("nova-compute never came up")


{"identity": identity, "cloud": cloud, "wait": wait}[what](login("admin", "adminpw", "admin"))
