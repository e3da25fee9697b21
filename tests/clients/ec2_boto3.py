#!/usr/bin/python3
"""boto3 against a mock cloud: clients, resources, waiters, paginators, tokens, repetitions, faults."""

import datetime
import sys
import urllib.error
import urllib.request
import uuid

import boto3
from botocore import exceptions
from botocore.config import Config

from checks import Checks, Control, arguments, eventually

IMAGE, TYPE = "ami-12345678", "t3.micro"
args = arguments(
    __doc__,
    throttled_url="a mock cloud with a token bucket",
    quota_url="a mock cloud with quota {instances: 4}",
    capacity_url="a mock cloud with capacity 5",
    lagging_url="a mock cloud whose listings lag 5 s of real time",
)
checks = Checks("boto3")
control = Control(args.url)


def client(url=None, key=None, secret=None, token=None, **config):
    config = {"retries": {"mode": "standard", "max_attempts": 5}, **config}
    return boto3.client("ec2", endpoint_url=url or args.url, region_name="us-east-1",
                        aws_access_key_id=key or args.access_key,
                        aws_secret_access_key=secret or args.secret, aws_session_token=token,
                        config=Config(**config))


def launch(ec2, least=1, most=None, **more):
    return ec2.run_instances(ImageId=more.pop("ImageId", IMAGE), InstanceType=more.pop("InstanceType", TYPE),
                             MinCount=least, MaxCount=most or least, **more)


def ids_of(answer):
    reservations = answer["Reservations"] if "Reservations" in answer else [answer]
    return [vm["InstanceId"] for each in reservations for vm in each["Instances"]]


def live(ec2):
    return [vm["InstanceId"] for page in ec2.get_paginator("describe_instances").paginate()
            for each in page["Reservations"] for vm in each["Instances"]
            if vm["State"]["Name"] not in ("shutting-down", "terminated")]


def code_of(call):
    """The error's code and HTTP status, or ("", status) of a success."""
    try:
        answer = call()
        return "", answer["ResponseMetadata"]["HTTPStatusCode"]
    except exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]


def named(name):
    return [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}, {"Key": "team", "Value": "db"}]}]


def waiter(ec2, name, **what):
    ec2.get_waiter(name).wait(WaiterConfig={"Delay": 0.2, "MaxAttempts": 150}, **what)


ec2 = client()
run = uuid.uuid4().hex[:8]

with checks.group("life of an instance"):
    before = control.last()
    made = launch(ec2, TagSpecifications=named("life-" + run))
    first = made["Instances"][0]
    vm_id = first["InstanceId"]
    checks.equal("an instance begins as pending", first["State"], {"Code": 0, "Name": "pending"})
    checks.check("a reservation has an id", made["ReservationId"].startswith("r-"))
    checks.equal("the owner is a number of 12 digits", len(made["OwnerId"]), 12)
    checks.check("a launch time in UTC",
                 abs(first["LaunchTime"] - datetime.datetime.now(datetime.timezone.utc)).days < 100)
    waiter(ec2, "instance_exists", InstanceIds=[vm_id])
    waiter(ec2, "instance_running", InstanceIds=[vm_id])
    vm = ec2.describe_instances(InstanceIds=[vm_id])["Reservations"][0]["Instances"][0]
    checks.equal("waited until it runs", vm["State"], {"Code": 16, "Name": "running"})
    checks.check("a running instance has addresses", vm["PrivateIpAddress"] and vm["PublicIpAddress"])
    checks.equal("its network interface has the address",
                 vm["NetworkInterfaces"][0]["PrivateIpAddress"], vm["PrivateIpAddress"])
    checks.equal("tags of the launch", {t["Key"]: t["Value"] for t in vm["Tags"]},
                 {"Name": "life-" + run, "team": "db"})
    checks.check("boto3 filled in a client token", len(vm.get("ClientToken", "")) > 10)
    waiter(ec2, "instance_status_ok", InstanceIds=[vm_id])
    status = ec2.describe_instance_status(InstanceIds=[vm_id])["InstanceStatuses"][0]
    checks.equal("status checks pass", (status["InstanceStatus"]["Status"], status["SystemStatus"]["Status"]),
                 ("ok", "ok"))
    change = ec2.stop_instances(InstanceIds=[vm_id])["StoppingInstances"][0]
    checks.equal("stopping", (change["PreviousState"]["Name"], change["CurrentState"]["Name"]),
                 ("running", "stopping"))
    waiter(ec2, "instance_stopped", InstanceIds=[vm_id])
    change = ec2.start_instances(InstanceIds=[vm_id])["StartingInstances"][0]
    checks.equal("starting", (change["PreviousState"]["Name"], change["CurrentState"]["Name"]),
                 ("stopped", "pending"))
    waiter(ec2, "instance_running", InstanceIds=[vm_id])
    ec2.reboot_instances(InstanceIds=[vm_id])
    checks.equal("a rebooting instance is shown as running",
                 ec2.describe_instances(InstanceIds=[vm_id])["Reservations"][0]["Instances"][0]["State"]["Name"],
                 "running")
    change = ec2.terminate_instances(InstanceIds=[vm_id])["TerminatingInstances"][0]
    checks.equal("terminating", (change["PreviousState"]["Name"], change["CurrentState"]["Name"]),
                 ("running", "shutting-down"))
    waiter(ec2, "instance_terminated", InstanceIds=[vm_id])
    gone = ec2.describe_instances(InstanceIds=[vm_id])["Reservations"][0]["Instances"][0]
    checks.equal("a terminated instance says why", gone["StateReason"]["Code"], "Client.UserInitiatedShutdown")
    checks.equal("terminating twice is no error",
                 ec2.terminate_instances(InstanceIds=[vm_id])["TerminatingInstances"][0]["CurrentState"]["Name"],
                 "terminated")
    checks.check("the journal has every request",
                 len(control.journal(before, "RunInstances")) == 1 and
                 len(control.journal(before, "TerminateInstances")) == 2)

with checks.group("client tokens"):
    token = "token-" + run
    one = launch(ec2, ClientToken=token)
    two = launch(ec2, ClientToken=token)
    checks.equal("the same token gives the same instance", ids_of(one), ids_of(two))
    checks.equal("and the same reservation", one["ReservationId"], two["ReservationId"])
    checks.equal("other parameters are refused",
                 code_of(lambda: launch(ec2, ClientToken=token, InstanceType="m1.small")),
                 ("IdempotentParameterMismatch", 400))
    three = launch(ec2, 3, ClientToken=token + "-three")
    again = launch(ec2, 3, ClientToken=token + "-three")
    checks.equal("a token of three instances", (len(set(ids_of(three))), ids_of(three)), (3, ids_of(again)))
    checks.equal("three of one reservation are one item",
                 len(ec2.describe_instances(Filters=[{"Name": "reservation-id",
                                                      "Values": [three["ReservationId"]]}])["Reservations"]), 1)
    checks.equal("launch indices", sorted(vm["AmiLaunchIndex"] for vm in three["Instances"]), [0, 1, 2])
    ec2.terminate_instances(InstanceIds=ids_of(one) + ids_of(three))
    waiter(ec2, "instance_terminated", InstanceIds=ids_of(one) + ids_of(three))
    checks.equal("the token of a terminated instance",
                 code_of(lambda: launch(ec2, ClientToken=token)), ("IdempotentInstanceTerminated", 400))
    checks.equal("a token of more than 64 characters",
                 code_of(lambda: launch(ec2, ClientToken="x" * 65)), ("InvalidParameterValue", 400))

with checks.group("paginators and filters"):
    many = ids_of(launch(ec2, 12, TagSpecifications=[{"ResourceType": "instance", "Tags": [
        {"Key": "Name", "Value": f"page-{run}"}, {"Key": "set", "Value": run}]}]))
    only = [{"Name": "tag:set", "Values": [run]}]
    pages = list(ec2.get_paginator("describe_instances").paginate(Filters=only, PaginationConfig={"PageSize": 5}))
    checks.equal("pages of five", [sum(len(r["Instances"]) for r in page["Reservations"]) for page in pages],
                 [5, 5, 2])
    checks.equal("pages together are everything, once",
                 sorted(i for page in pages for i in ids_of(page)), sorted(many))
    for name, filters, count in [
            ("a wildcard", [{"Name": "tag:Name", "Values": ["pag?-" + run + "*"]}], 12),
            ("a wildcard taken literally", [{"Name": "tag:Name", "Values": ["page\\*"]}], 0),
            ("two filters", only + [{"Name": "instance-type", "Values": [TYPE]}], 12),
            ("two filters, one fails", only + [{"Name": "instance-type", "Values": ["m5.large"]}], 0),
            ("several values", only + [{"Name": "instance-state-name", "Values": ["pending", "running"]}], 12),
            ("tag-key", only + [{"Name": "tag-key", "Values": ["set"]}], 12),
            ("one id of many", [{"Name": "instance-id", "Values": many[:1]}], 1)]:
        checks.equal("filter: " + name, len(ids_of(ec2.describe_instances(Filters=filters))), count)
    checks.equal("an unknown filter", code_of(lambda: ec2.describe_instances(
        Filters=[{"Name": "no-such", "Values": ["1"]}])), ("InvalidParameterValue", 400))
    checks.equal("a token that is none", code_of(lambda: ec2.describe_instances(NextToken="nonsense")),
                 ("InvalidNextToken", 400))
    checks.equal("ids and pages exclude each other", code_of(lambda: ec2.describe_instances(
        InstanceIds=many[:1], MaxResults=5)), ("InvalidParameterCombination", 400))
    for name, key in [("describe_images", "Images"), ("describe_instance_types", "InstanceTypes"),
                      ("describe_security_groups", "SecurityGroups"), ("describe_subnets", "Subnets"),
                      ("describe_vpcs", "Vpcs"), ("describe_volumes", "Volumes"), ("describe_tags", "Tags"),
                      ("describe_instance_status", "InstanceStatuses"),
                      ("describe_instance_type_offerings", "InstanceTypeOfferings")]:
        pages = ec2.get_paginator(name).paginate() if ec2.can_paginate(name) else [getattr(ec2, name)()]
        found = [row for page in pages for row in page[key]]
        checks.check("paginator " + name, found or key in ("Volumes", "InstanceStatuses"), found)
    tags = [tag for page in ec2.get_paginator("describe_tags").paginate(
        Filters=only[:0] + [{"Name": "key", "Values": ["set"]}, {"Name": "value", "Values": [run]}],
        PaginationConfig={"PageSize": 5}) for tag in page["Tags"]]
    checks.equal("tags in pages", sorted(tag["ResourceId"] for tag in tags), sorted(many))
    statuses = [row for page in ec2.get_paginator("describe_instance_status").paginate(
        IncludeAllInstances=True, Filters=only[:0], PaginationConfig={"PageSize": 5})
        for row in page["InstanceStatuses"] if row["InstanceId"] in many]
    checks.equal("statuses of all instances in pages", len(statuses), 12)
    ec2.terminate_instances(InstanceIds=many)

with checks.group("resources"):
    resource = boto3.resource("ec2", endpoint_url=args.url, region_name="us-east-1",
                              aws_access_key_id=args.access_key, aws_secret_access_key=args.secret)
    pair = resource.create_key_pair(KeyName="key-" + run)
    checks.check("a key pair's private key", "PRIVATE KEY" in pair.key_material, pair.key_material[:40])
    group = resource.create_security_group(GroupName="group-" + run, Description="of a test")
    group.authorize_ingress(IpPermissions=[{"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306,
                                            "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
    group.reload()
    checks.equal("a rule of a group", group.ip_permissions[0]["FromPort"], 3306)
    vm = resource.create_instances(ImageId=IMAGE, InstanceType=TYPE, MinCount=1, MaxCount=1, KeyName=pair.name,
                                   SecurityGroupIds=[group.id], UserData="#!/bin/sh\necho hello\n",
                                   TagSpecifications=named("resource-" + run))[0]
    vm.wait_until_running()
    vm.reload()
    checks.equal("key, group and state", (vm.key_name, vm.security_groups[0]["GroupName"], vm.state["Name"]),
                 (pair.name, "group-" + run, "running"))
    import base64
    data = vm.describe_attribute(Attribute="userData")["UserData"]["Value"]
    checks.equal("user data comes back", base64.b64decode(data), b"#!/bin/sh\necho hello\n")
    vm.create_tags(Tags=[{"Key": "odd <&> \"'", "Value": "é ☃ <b>"}])
    vm.reload()
    checks.check("hostile tags come back", {"Key": "odd <&> \"'", "Value": "é ☃ <b>"} in vm.tags, vm.tags)
    checks.check("instances.filter", vm in list(resource.instances.filter(
        Filters=[{"Name": "tag:Name", "Values": ["resource-" + run]}])))
    checks.check("image of an instance", vm.image.state == "available")
    volume = resource.create_volume(AvailabilityZone=vm.placement["AvailabilityZone"], Size=5)
    waiter(ec2, "volume_available", VolumeIds=[volume.id])
    vm.attach_volume(VolumeId=volume.id, Device="/dev/sdf")
    waiter(ec2, "volume_in_use", VolumeIds=[volume.id])
    checks.equal("deleting a volume in use", code_of(volume.delete), ("VolumeInUse", 400))
    volume.detach_from_instance(InstanceId=vm.id)
    waiter(ec2, "volume_available", VolumeIds=[volume.id])
    volume.delete()
    checks.equal("a deleted volume", code_of(lambda: ec2.describe_volumes(VolumeIds=[volume.id])),
                 ("InvalidVolume.NotFound", 400))
    checks.equal("a group in use", code_of(lambda: group.delete()), ("DependencyViolation", 400))
    ec2.modify_instance_attribute(InstanceId=vm.id, DisableApiTermination={"Value": True})
    checks.equal("a protected instance", code_of(lambda: ec2.terminate_instances(InstanceIds=[vm.id])),
                 ("OperationNotPermitted", 400))
    ec2.modify_instance_attribute(InstanceId=vm.id, DisableApiTermination={"Value": False})
    checks.check("console output", isinstance(vm.console_output()["Output"], str))
    vm.terminate()
    vm.wait_until_terminated()
    group.delete()
    pair.delete()

with checks.group("errors"):
    for name, call, wanted in [
            ("unknown instance", lambda: ec2.describe_instances(InstanceIds=["i-0123456789abcdef0"]),
             ("InvalidInstanceID.NotFound", 400)),
            ("malformed instance", lambda: ec2.describe_instances(InstanceIds=["nonsense"]),
             ("InvalidInstanceID.Malformed", 400)),
            ("unknown image", lambda: launch(ec2, ImageId="ami-99999999"), ("InvalidAMIID.NotFound", 400)),
            ("malformed image", lambda: launch(ec2, ImageId="nonsense"), ("InvalidAMIID.Malformed", 400)),
            ("unknown type", lambda: launch(ec2, InstanceType="x9.none"), ("InvalidParameterValue", 400)),
            ("unknown key pair", lambda: launch(ec2, KeyName="none"), ("InvalidKeyPair.NotFound", 400)),
            ("unknown group", lambda: launch(ec2, SecurityGroupIds=["sg-12345678"]),
             ("InvalidGroup.NotFound", 400)),
            ("unknown subnet", lambda: launch(ec2, SubnetId="subnet-99999999"), ("InvalidSubnetID.NotFound", 400)),
            ("more at least than at most", lambda: launch(ec2, 3, 2), ("InvalidParameterValue", 400)),
            ("dry run", lambda: launch(ec2, DryRun=True), ("DryRunOperation", 412)),
            ("dry run of a listing", lambda: ec2.describe_instances(DryRun=True), ("DryRunOperation", 412)),
            ("an action that is not there", lambda: ec2.create_transit_gateway(), ("InvalidAction", 400)),
            ("wrong secret", lambda: client(secret="wrong").describe_instances(), ("SignatureDoesNotMatch", 403)),
            ("unknown key", lambda: client(key="nobody").describe_instances(), ("AuthFailure", 401)),
            ("a session token is let through", lambda: client(token="session").describe_instances(), ("", 200))]:
        checks.equal(name, code_of(call), wanted)

with checks.group("signatures"):
    url = ec2.generate_presigned_url("describe_instances", Params={"InstanceIds": many[:1]}, ExpiresIn=60,
                                     HttpMethod="GET")
    with urllib.request.urlopen(url, timeout=10) as answer:
        checks.check("a presigned URL", many[0].encode() in answer.read())
    try:
        urllib.request.urlopen(url + "&MaxResults=5", timeout=10)
        checks.check("a presigned URL that was changed", False, "was accepted")
    except urllib.error.HTTPError as error:
        checks.check("a presigned URL that was changed", b"SignatureDoesNotMatch" in error.read())

    # A client whose clock is wrong: signed with a time of the past.
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    def signed(offset, data="Action=DescribeInstances&Version=2016-11-15"):
        request = AWSRequest("POST", args.url + "/", data=data,
                             headers={"Content-Type": "application/x-www-form-urlencoded"})
        auth = SigV4Auth(Credentials(args.access_key, args.secret), "ec2", "us-east-1")
        import botocore.auth
        real = botocore.auth.datetime.datetime

        class Shifted(real):
            @classmethod
            def utcnow(cls):
                return real.utcnow() + datetime.timedelta(minutes=offset)
        botocore.auth.datetime.datetime = Shifted
        try:
            auth.add_auth(request)
        finally:
            botocore.auth.datetime.datetime = real
        sent = urllib.request.Request(request.url, data=data.encode(), headers=dict(request.headers), method="POST")
        try:
            with urllib.request.urlopen(sent, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    checks.equal("a clock ten minutes slow is let through", signed(-10)[0], 200)
    status, body = signed(-20)
    checks.check("a clock twenty minutes slow", status == 400 and "<Code>RequestExpired</Code>" in body, (status, body))
    status, body = signed(20)
    checks.check("a clock twenty minutes fast", status in (400, 401, 403) and "<Errors>" in body, (status, body))

with checks.group("repetitions"):
    before = control.last()
    control.faults("- {id: busy, when: 'iaas.newInstance.before', times: 2, do: throttle}")
    one = launch(ec2)
    rows = control.journal(before, "RunInstances")
    checks.equal("boto3 repeats RequestLimitExceeded until it works", [row["status"] for row in rows], [503, 503, 200])
    checks.equal("the journal names the rule on each request",
                 [[fired["rule"] for fired in row["fired"]] for row in rows], [["busy"], ["busy"], []])
    before = control.last()
    control.faults("- {id: busy, when: 'iaas.newInstance.before', do: throttle}")
    checks.equal("in the end boto3 gives up", code_of(lambda: launch(ec2)), ("RequestLimitExceeded", 503))
    checks.equal("after its five repetitions", len(control.journal(before, "RunInstances")), 6)
    control.faults("- {id: lost, when: 'iaas.newInstance.reply#1', do: lose_reply}")
    before, created = control.last(), control.state()["created"]
    hasty = client(read_timeout=1, connect_timeout=5)
    two = launch(hasty, ClientToken="lost-" + run)
    checks.equal("a lost reply is asked for again", len(control.journal(before, "RunInstances")), 2)
    checks.equal("and there is one instance", control.state()["created"] - created, 1)
    control.faults("- {id: late, when: 'iaas.newInstance.reply#1', do: error_after_effect}")
    created = control.state()["created"]
    three = launch(ec2)
    checks.equal("an error after the effect, repeated, is one instance", control.state()["created"] - created, 1)
    control.no_faults()
    ec2.terminate_instances(InstanceIds=ids_of(one) + ids_of(two) + ids_of(three))

with checks.group("faults of instances"):
    control.do("vm.boot_error", "bad-" + run)
    bad = ids_of(launch(ec2, TagSpecifications=named("bad-" + run)))
    checks.check("an instance whose boot fails ends as terminated", eventually(
        lambda: ec2.describe_instances(InstanceIds=bad)["Reservations"][0]["Instances"][0]["State"]["Name"] ==
        "terminated"))
    shown = ec2.describe_instances(InstanceIds=bad)["Reservations"][0]["Instances"][0]
    checks.check("and says why", shown.get("StateReason", {}).get("Code", "").startswith("Server."), shown)
    try:
        waiter(ec2, "instance_running", InstanceIds=bad)
        checks.check("a waiter for it fails", False, "it did not")
    except exceptions.WaiterError:
        checks.check("a waiter for it fails", True)
    ec2.terminate_instances(InstanceIds=bad)
    zombie = ids_of(launch(ec2, TagSpecifications=named("zombie-" + run)))
    waiter(ec2, "instance_running", InstanceIds=zombie)
    control.do("vm.zombie", zombie[0])
    ec2.terminate_instances(InstanceIds=zombie)
    waiter(ec2, "instance_terminated", InstanceIds=zombie)
    checks.check("a zombie is shown as terminated and goes on running", control.state()["zombies"] == 1)
    crashed = ids_of(launch(ec2, TagSpecifications=named("crash-" + run)))
    waiter(ec2, "instance_running", InstanceIds=crashed)
    control.do("vm.crash", crashed[0])
    checks.equal("a crash is seen", ec2.describe_instances(InstanceIds=crashed)[
        "Reservations"][0]["Instances"][0]["State"]["Name"], "stopped")
    ec2.terminate_instances(InstanceIds=crashed)

if args.throttled_url:
    with checks.group("throttled account"):
        slow, control_slow = client(args.throttled_url), Control(args.throttled_url)
        for _ in range(6):
            slow.describe_instances()
        statuses = [row["status"] for row in control_slow.journal()]
        checks.check("a token bucket refuses with 503", 503 in statuses, statuses)
        checks.equal("standard retries get through all the same", statuses.count(200), 6)

if args.quota_url:
    with checks.group("quota"):
        small = client(args.quota_url, retries={"mode": "standard", "max_attempts": 1})
        checks.equal("as many as fit", len(ids_of(launch(small, 2, 10, ClientToken="few"))), 4)
        checks.equal("and none more", code_of(lambda: launch(small)), ("InstanceLimitExceeded", 400))
        gone = live(small)[:2]
        small.terminate_instances(InstanceIds=gone)
        waiter(small, "instance_terminated", InstanceIds=gone)
        checks.equal("fewer than the minimum", code_of(lambda: launch(small, 3, 5, ClientToken="more")),
                     ("InstanceLimitExceeded", 400))
        checks.equal("leaves nothing", len(live(small)), 2)
        checks.equal("nor any trace", Control(args.quota_url).state()["created"], 4)
        checks.equal("and the token is still good", len(ids_of(launch(small, 2, 2, ClientToken="more"))), 2)
        checks.equal("the quota is told", next(
            row["AttributeValues"][0]["AttributeValue"] for row in small.describe_account_attributes()[
                "AccountAttributes"] if row["AttributeName"] == "max-instances"), "4")

if args.capacity_url:
    with checks.group("capacity"):
        small = client(args.capacity_url, retries={"mode": "standard", "max_attempts": 1})
        token = "cap-" + run
        few = ids_of(launch(small, 1, 10, ClientToken=token))
        checks.equal("as many as there is room for", len(few), 5)
        checks.equal("no room", code_of(lambda: launch(small)), ("InsufficientInstanceCapacity", 500))
        small.terminate_instances(InstanceIds=few[3:])
        waiter(small, "instance_terminated", InstanceIds=few[3:])
        checks.equal("a repeated request gives what it gave, and no more",
                     ids_of(launch(small, 1, 10, ClientToken=token)), few)
        checks.equal("too little room", code_of(lambda: launch(small, 3)), ("InsufficientInstanceCapacity", 500))
        checks.equal("leaves nothing", len(live(small)), 3)

if args.lagging_url:
    with checks.group("eventual consistency"):
        late = client(args.lagging_url)
        made = ids_of(launch(late))[0]
        checks.check("a new instance is not listed at once", made not in live(late))
        checks.check("but later", eventually(lambda: made in live(late)))

sys.exit(checks.exit_code())
