#!/usr/bin/python3
"""libcloud's OpenStack driver against a mock cloud."""

import sys
import urllib.parse
import uuid

from libcloud.common.types import InvalidCredsError
from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState, Provider

from checks import Checks, arguments, eventually

args = arguments(__doc__)
checks = Checks("libcloud-openstack")
run = uuid.uuid4().hex[:8]


def make(secret):
    return get_driver(Provider.OPENSTACK)(
        args.access_key, secret, ex_force_auth_url=args.url.rstrip("/") + "/identity/v3/auth/tokens", ex_force_auth_version="3.x_password",
        api_version="2.2", ex_tenant_name="drover", ex_domain_name="Default", ex_force_service_region="RegionOne",
        secure=urllib.parse.urlsplit(args.url).scheme == "https")


with checks.group("a node"):
    driver = make(args.secret)
    images = {image.name: image for image in driver.list_images()}
    checks.check("list_images", "debian-12-drover" in images, list(images))
    sizes = {size.name: size for size in driver.list_sizes()}
    checks.check("list_sizes", "small" in sizes, list(sizes))
    networks = {network.name: network for network in driver.ex_list_networks()}
    checks.check("ex_list_networks", "default" in networks, list(networks))
    name = "libcloud-" + run
    key = driver.create_key_pair(name)
    checks.check("create_key_pair", "PRIVATE KEY" in key.private_key)
    checks.check("list_key_pairs", name in [pair.name for pair in driver.list_key_pairs()])
    node = driver.create_node(name=name, image=images["debian-12-drover"], size=sizes["small"], ex_keyname=name,
                              networks=[networks["default"]], ex_metadata={"role": "db & <co>"}, ex_userdata="#!/bin/sh\n")
    checks.check("create_node", node.id)
    (node, addresses), = driver.wait_until_running([node], wait_period=0.2, timeout=30, ssh_interface="private_ips")
    checks.check("wait_until_running", node.state == NodeState.RUNNING and addresses)
    checks.equal("metadata", node.extra["metadata"].get("role"), "db & <co>")
    checks.check("list_nodes", node.id in [each.id for each in driver.list_nodes()])
    checks.equal("ex_get_node_details", driver.ex_get_node_details(node.id).name, name)
    driver.ex_set_metadata(node, {"more": "1"})
    checks.equal("ex_set_metadata", driver.ex_get_metadata(node).get("more"), "1")
    checks.check("stop_node", driver.stop_node(node))
    checks.check("it stops", eventually(lambda: driver.ex_get_node_details(node.id).state == NodeState.STOPPED))
    checks.check("start_node", driver.start_node(node))
    checks.check("it starts", eventually(lambda: driver.ex_get_node_details(node.id).state == NodeState.RUNNING))
    checks.check("reboot_node", driver.reboot_node(node))
    checks.check("it runs again", eventually(lambda: driver.ex_get_node_details(node.id).state == NodeState.RUNNING))
    volume = driver.create_volume(1, name)
    checks.check("create_volume", volume.id in [each.id for each in driver.list_volumes()])
    checks.check("attach_volume", driver.attach_volume(node, volume))
    checks.check("detach_volume", driver.detach_volume(driver.ex_get_volume(volume.id)))
    checks.check("destroy_volume", eventually(lambda: driver.ex_get_volume(volume.id).state == "available") and
                 driver.destroy_volume(volume))
    checks.check("destroy_node", driver.destroy_node(node))
    checks.check("it is gone", eventually(lambda: node.id not in [each.id for each in driver.list_nodes()]))
    checks.check("delete_key_pair", driver.delete_key_pair(key))

with checks.group("wrong password"):
    try:
        make("wrong").list_nodes()
        checks.check("a wrong password", False, "was accepted")
    except InvalidCredsError:
        checks.check("a wrong password", True)

sys.exit(checks.exit_code())
