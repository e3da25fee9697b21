#!/usr/bin/python3
"""libcloud's EC2 drivers against a mock cloud: signature version 2 as it comes, version 4, and Eucalyptus."""

import sys
import urllib.parse
import uuid

import libcloud.security
from libcloud.common.types import InvalidCredsError
from libcloud.compute.base import NodeLocation, NodeSize
from libcloud.compute.drivers.ec2 import ExEC2AvailabilityZone
from libcloud.compute.providers import get_driver
from libcloud.compute.types import KeyPairDoesNotExistError, NodeState, Provider

from checks import Checks, arguments, eventually

libcloud.security.VERIFY_SSL_CERT = False
IMAGE, TYPE = "ami-12345678", "t3.micro"
args = arguments(__doc__, big_url="a mock cloud without latency, for more than 1,000 nodes")
checks = Checks("libcloud-ec2")
run = uuid.uuid4().hex[:8]


def place(url):
    parts = urllib.parse.urlsplit(url)
    return {"host": parts.hostname, "port": parts.port, "secure": False}


def drivers(url, secret=None):
    ec2, eucalyptus = get_driver(Provider.EC2), get_driver(Provider.EUCALYPTUS)
    secret = secret or args.secret
    return {"v2": lambda: ec2(args.access_key, secret, **place(url)),
            "v4": lambda: ec2(args.access_key, secret, signature_version="4", **place(url)),
            "eucalyptus": lambda: eucalyptus(args.access_key, secret, path="/", **place(url))}


def size_of(driver):
    known = {size.id: size for size in driver.list_sizes()}
    return known.get(TYPE) or NodeSize(TYPE, TYPE, 1024, 8, None, None, driver)


def life(kind, driver):
    name = f"{kind}-{run}"
    images = {image.id: image for image in driver.list_images()}
    checks.check(f"{kind}: list_images", IMAGE in images, list(images))
    size, location = size_of(driver), None
    if kind != "eucalyptus":  # Eucalyptus has lists of its own for these, which EC2 has not
        checks.check(f"{kind}: list_sizes", size.id in [each.id for each in driver.list_sizes()])
        location = driver.list_locations()[0]
        checks.equal(f"{kind}: list_locations", location.availability_zone.name, "us-east-1a")
    key = driver.create_key_pair(name)
    checks.check(f"{kind}: create_key_pair", "PRIVATE KEY" in key.private_key)
    checks.check(f"{kind}: list_key_pairs", name in [pair.name for pair in driver.list_key_pairs()])
    group = driver.ex_create_security_group(name, "of a test")
    checks.check(f"{kind}: ex_create_security_group", group["group_id"].startswith("sg-"), group)
    checks.check(f"{kind}: a rule", driver.ex_authorize_security_group(name, "22", "22", "0.0.0.0/0"))
    node = driver.create_node(name=name, image=images[IMAGE], size=size, ex_keyname=name, ex_security_groups=[name],
                              ex_userdata="#!/bin/sh\necho <hi> & bye\n", ex_clienttoken=name)
    checks.equal(f"{kind}: create_node", (node.name, node.state), (name, NodeState.PENDING))
    again = driver.create_node(name=name, image=images[IMAGE], size=size, ex_keyname=name, ex_security_groups=[name],
                               ex_userdata="#!/bin/sh\necho <hi> & bye\n", ex_clienttoken=name)
    checks.equal(f"{kind}: the same token, the same node", again.id, node.id)
    (node, addresses), = driver.wait_until_running([node], wait_period=0.2, timeout=30)
    checks.check(f"{kind}: wait_until_running", node.state == NodeState.RUNNING and addresses)
    checks.equal(f"{kind}: key and group", (node.extra["key_name"], [g["group_name"] for g in node.extra["groups"]]),
                 (name, [name]))
    checks.check(f"{kind}: list_nodes of one", [n.id for n in driver.list_nodes(ex_node_ids=[node.id])] == [node.id])
    checks.check(f"{kind}: list_nodes by filter", node.id in [
        n.id for n in driver.list_nodes(ex_filters={"tag:Name": name, "instance-state-name": "running"})])
    driver.ex_create_tags(node, {"role": "db", "odd": "<&>\"'"})
    tags = driver.ex_describe_tags(node)
    checks.equal(f"{kind}: tags", (tags.get("role"), tags.get("odd"), tags.get("Name")), ("db", "<&>\"'", name))
    driver.ex_delete_tags(node, {"role": "db"})
    checks.check(f"{kind}: ex_delete_tags", "role" not in driver.ex_describe_tags(node))
    checks.check(f"{kind}: ex_stop_node", driver.ex_stop_node(node))

    def state():
        return driver.list_nodes(ex_node_ids=[node.id])[0].extra["status"]
    checks.check(f"{kind}: it stops", eventually(lambda: state() == "stopped"))
    checks.check(f"{kind}: ex_start_node", driver.ex_start_node(node))
    checks.check(f"{kind}: it runs again", eventually(lambda: state() == "running"))
    checks.check(f"{kind}: reboot_node", driver.reboot_node(node))
    zone = NodeLocation("0", "us-east-1a", "", driver)
    zone.availability_zone = ExEC2AvailabilityZone("us-east-1a", "available", "us-east-1")
    volume = driver.create_volume(size=3, name=name, location=location or zone)
    checks.check(f"{kind}: create_volume", volume.id in [each.id for each in driver.list_volumes()])
    checks.check(f"{kind}: attach_volume", driver.attach_volume(node, volume, "/dev/sdf"))
    checks.check(f"{kind}: detach_volume", driver.detach_volume(volume))
    checks.check(f"{kind}: destroy_volume", driver.destroy_volume(volume))
    checks.check(f"{kind}: destroy_node", driver.destroy_node(node))
    checks.check(f"{kind}: it ends", eventually(lambda: state() == "terminated"))
    checks.check(f"{kind}: ex_delete_security_group", driver.ex_delete_security_group(name))
    checks.check(f"{kind}: delete_key_pair", driver.delete_key_pair(key))


for kind, make in drivers(args.url).items():
    with checks.group(kind):
        life(kind, make())
    with checks.group(kind + " errors"):
        driver = make()
        try:
            driver.create_node(name="none", image=driver.list_images()[0], size=size_of(driver),
                               ex_keyname="none")
            checks.check(f"{kind}: an unknown key pair", False, "was accepted")
        except Exception as error:  # pylint: disable=broad-except
            checks.check(f"{kind}: an unknown key pair", isinstance(error, KeyPairDoesNotExistError), repr(error))
for kind, make in drivers(args.url, secret="wrong").items():
    with checks.group(kind + " wrong secret"):
        try:
            make().list_nodes()
            checks.check(f"{kind}: wrong secret", False, "was accepted")
        except InvalidCredsError:
            checks.check(f"{kind}: wrong secret", True)

if args.big_url:
    with checks.group("many nodes"):
        driver = drivers(args.big_url)["v2"]()
        image = [each for each in driver.list_images() if each.id == IMAGE][0]
        before = len(driver.list_nodes())
        for _ in range(2):
            driver.create_node(name="many", image=image, size=size_of(driver), ex_mincount="600", ex_maxcount="600")
        checks.equal("more than 1,000 nodes without pages", len(driver.list_nodes()) - before, 1200)

sys.exit(checks.exit_code())
