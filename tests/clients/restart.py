#!/usr/bin/python3
"""A mock cloud that is killed and started again on its database: what it knew, and what was still to happen.

Called twice: with --phase before, then the process is ended with kill -9 and started again, then with --phase after.
"""

import argparse
import json
import sys

import boto3
from botocore.config import Config

from checks import Checks, Control, eventually

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--url", required=True, help="a mock cloud with a database, boot 600s, and the rule of run.sh")
parser.add_argument("--phase", required=True, choices=["before", "after"])
parser.add_argument("--memory", required=True, help="a file in which the first phase leaves what the second one needs")
parser.add_argument("--access-key", default="drover")
parser.add_argument("--secret", default="drover-secret")
args = parser.parse_args()
checks = Checks("restart-" + args.phase)
control = Control(args.url)
ec2 = boto3.client("ec2", endpoint_url=args.url, region_name="us-east-1", aws_access_key_id=args.access_key,
                   aws_secret_access_key=args.secret, config=Config(retries={"mode": "standard", "max_attempts": 5}))


def launch(token, least=1):
    return ec2.run_instances(ImageId="ami-12345678", InstanceType="t3.micro", MinCount=least, MaxCount=least,
                             ClientToken=token, KeyName="kept", TagSpecifications=[
                                 {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": token},
                                                                       {"Key": "odd", "Value": "<&> é"}]}])


def find(vm_id):
    return ec2.describe_instances(InstanceIds=[vm_id])["Reservations"][0]["Instances"][0]


if args.phase == "before":
    with checks.group("before"):
        control.scale(200)
        pair = ec2.create_key_pair(KeyName="kept")
        group = ec2.create_security_group(GroupName="kept", Description="kept")["GroupId"]
        booted = launch("booted")["Instances"][0]["InstanceId"]
        checks.check("one boots", eventually(lambda: find(booted)["State"]["Name"] == "running"))
        control.scale(1)
        fired = control.state()["rules"][0]["fired"]
        checks.equal("the rule has fired", fired, 1)
        pending = launch("pending", 2)["Instances"][0]["InstanceId"]
        volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=3)["VolumeId"]
        ec2.attach_volume(VolumeId=volume, InstanceId=booted, Device="/dev/sdf")
        ec2.create_tags(Resources=[volume], Tags=[{"Key": "role", "Value": "data"}])
        checks.equal("one is pending", find(pending)["State"]["Name"], "pending")
        with open(args.memory, "w", encoding="utf-8") as file:
            json.dump({"booted": booted, "pending": pending, "volume": volume, "group": group, "key": pair["KeyPairId"],
                       "address": find(booted)["PrivateIpAddress"]}, file)
else:
    with checks.group("after"):
        with open(args.memory, encoding="utf-8") as file:
            known = json.load(file)
        vm = find(known["booted"])
        checks.equal("a running instance runs", vm["State"]["Name"], "running")
        checks.equal("with its address, key and tags",
                     (vm["PrivateIpAddress"], vm["KeyName"], {t["Key"]: t["Value"] for t in vm["Tags"]}),
                     (known["address"], "kept", {"Name": "booted", "odd": "<&> é"}))
        checks.equal("a pending one is pending", find(known["pending"])["State"]["Name"], "pending")
        checks.equal("a key pair", ec2.describe_key_pairs(KeyNames=["kept"])["KeyPairs"][0]["KeyPairId"], known["key"])
        checks.equal("a security group",
                     ec2.describe_security_groups(GroupIds=[known["group"]])["SecurityGroups"][0]["GroupName"], "kept")
        volume = ec2.describe_volumes(VolumeIds=[known["volume"]])["Volumes"][0]
        checks.equal("a volume, its attachment and its tag",
                     (volume["Attachments"][0]["InstanceId"], volume["Attachments"][0]["Device"], volume["Tags"]),
                     (known["booted"], "/dev/sdf", [{"Key": "role", "Value": "data"}]))
        checks.equal("a used token gives its instance", launch("booted")["Instances"][0]["InstanceId"], known["booted"])
        checks.equal("and two of them", [v["InstanceId"] for v in launch("pending", 2)["Instances"]][0], known["pending"])
        checks.equal("nothing was made by that", control.state()["created"], 3)
        checks.equal("a rule that has fired does not fire again",
                     [rule["fired"] for rule in control.state()["rules"]], [1])
        control.scale(200)
        checks.check("the pending one comes to run", eventually(lambda: find(known["pending"])["State"]["Name"] == "running"))

sys.exit(checks.exit_code())
