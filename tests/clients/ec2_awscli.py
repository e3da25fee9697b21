#!/usr/bin/python3
"""The aws command against a mock cloud: what a user types, and what the command makes of the answers."""

import json
import os
import subprocess
import sys
import tempfile
import uuid

from checks import Checks, arguments, eventually

IMAGE, TYPE = "ami-12345678", "t3.micro"
args = arguments(__doc__)
checks = Checks("awscli")
run = uuid.uuid4().hex[:8]
environment = {**os.environ, "AWS_ACCESS_KEY_ID": args.access_key, "AWS_SECRET_ACCESS_KEY": args.secret,
               "AWS_DEFAULT_REGION": "us-east-1", "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "3",
               "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null",
               "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
AWS = "/usr/bin/aws" if os.path.exists("/usr/bin/aws") else "aws"


def raw(*words, **more):
    return subprocess.run([AWS, "--endpoint-url", args.url, "--output", "json", *words], env={**environment, **more},
                          capture_output=True, text=True, timeout=120, check=False)


def aws(*words):
    done = raw("ec2", *words)
    if done.returncode != 0:
        raise RuntimeError(f"aws ec2 {' '.join(words)}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def error_of(*words, **more):
    """The code in "An error occurred (CODE) when calling …"."""
    done = raw("ec2", *words, **more)
    return done.stderr.split("(", 1)[1].split(")", 1)[0] if "(" in done.stderr else f"{done.returncode} {done.stderr}"


def instances(answer):
    return [vm for each in answer["Reservations"] for vm in each["Instances"]]


def state(vm_id):
    return instances(aws("describe-instances", "--instance-ids", vm_id))[0]["State"]["Name"]


with checks.group("an instance"):
    spec = "ResourceType=instance,Tags=[{Key=Name,Value=web-%s},{Key=set,Value=%s}]" % (run, run)
    made = aws("run-instances", "--image-id", IMAGE, "--instance-type", TYPE, "--count", "2",
               "--tag-specifications", spec, "--user-data", "#!/bin/sh\necho hi\n")
    ids = [vm["InstanceId"] for vm in made["Instances"]]
    checks.equal("two instances", len(ids), 2)
    checks.equal("wait instance-exists", raw("ec2", "wait", "instance-exists", "--instance-ids", *ids).returncode, 0)
    checks.check("they come to run", eventually(lambda: state(ids[0]) == "running" and state(ids[1]) == "running"))
    checks.equal("wait instance-running", raw("ec2", "wait", "instance-running", "--instance-ids", *ids).returncode, 0)
    aws("create-tags", "--resources", *ids, "--tags", "Key=role,Value=db & <co>")
    tags = aws("describe-tags", "--filters", "Name=resource-id,Values=" + ids[0])["Tags"]
    checks.equal("create-tags", {t["Key"]: t["Value"] for t in tags},
                 {"Name": "web-" + run, "set": run, "role": "db & <co>"})
    aws("delete-tags", "--resources", ids[0], "--tags", "Key=role")
    checks.equal("delete-tags", len(aws("describe-tags", "--filters", "Name=resource-id,Values=" + ids[0])["Tags"]), 2)
    attribute = aws("describe-instance-attribute", "--instance-id", ids[0], "--attribute", "userData")
    checks.check("describe-instance-attribute", attribute["UserData"]["Value"])
    checks.check("get-console-output", "has booted" in raw(
        "ec2", "get-console-output", "--instance-id", ids[0], "--output", "text").stdout)
    status = aws("describe-instance-status", "--instance-ids", ids[0])["InstanceStatuses"][0]
    checks.equal("describe-instance-status", status["InstanceState"]["Name"], "running")
    aws("stop-instances", "--instance-ids", ids[0])
    checks.check("stop-instances", eventually(lambda: state(ids[0]) == "stopped"))
    checks.equal("a stopped one has no status", aws("describe-instance-status", "--instance-ids", ids[0]),
                 {"InstanceStatuses": []})
    checks.equal("unless it is asked for", aws("describe-instance-status", "--include-all-instances", "--instance-ids",
                 ids[0])["InstanceStatuses"][0]["InstanceStatus"]["Status"], "not-applicable")
    aws("start-instances", "--instance-ids", ids[0])
    checks.check("start-instances", eventually(lambda: state(ids[0]) == "running"))
    aws("reboot-instances", "--instance-ids", *ids)
    checks.equal("reboot-instances", state(ids[0]), "running")

with checks.group("filters"):
    only = "Name=tag:set,Values=" + run
    for name, count, filters in [("by tag", 2, [only]), ("by state", 2, [only, "Name=instance-state-name,Values=running"]),
                                 ("by wildcard", 2, ["Name=tag:Name,Values=w?b-" + run[:4] + "*"]),
                                 ("by several that disagree", 0, [only, "Name=instance-type,Values=m5.large"]),
                                 ("by one of several values", 2, [only, "Name=instance-type,Values=m5.large,t3.*"]),
                                 ("by a zone", 2, [only, "Name=availability-zone,Values=us-east-1*"])]:
        checks.equal("filter " + name,
                     len(instances(aws("describe-instances", "--filters", *filters))), count)
    shown = aws("describe-instances", "--filters", only, "--query",
                "Reservations[].Instances[].{id: InstanceId, ip: PrivateIpAddress}")
    checks.check("--query", sorted(row["id"] for row in shown) == sorted(ids) and all(row["ip"] for row in shown))
    for output in ("table", "text", "yaml"):
        done = raw("ec2", "describe-instances", "--filters", only, "--output", output)
        checks.check("--output " + output, done.returncode == 0 and ids[0] in done.stdout, done.stderr)

with checks.group("pages"):
    aws("run-instances", "--image-id", IMAGE, "--instance-type", TYPE, "--count", "9", "--tag-specifications",
        "ResourceType=instance,Tags=[{Key=pages,Value=%s}]" % run)
    for _ in range(5):
        aws("run-instances", "--image-id", IMAGE, "--instance-type", TYPE, "--tag-specifications",
            "ResourceType=instance,Tags=[{Key=pages,Value=%s}]" % run)
    only = "Name=tag:pages,Values=" + run
    everything = [vm["InstanceId"] for vm in instances(aws("describe-instances", "--filters", only))]
    paged = [vm["InstanceId"] for vm in instances(aws("describe-instances", "--filters", only, "--page-size", "5"))]
    checks.equal("--page-size", (len(everything), paged), (14, everything))
    first = aws("describe-instances", "--filters", only, "--page-size", "6", "--max-items", "4")
    rest = aws("describe-instances", "--filters", only, "--starting-token", first["NextToken"])
    checks.check("--max-items and --starting-token",
                 len(first["Reservations"]) == 4 and first["Reservations"][-1] != rest["Reservations"][0])
    direct = aws("describe-instances", "--filters", only, "--no-paginate", "--max-results", "5")
    checks.check("--max-results gives a token", len(instances(direct)) == 5 and direct["NextToken"])

with checks.group("the catalogue"):
    checks.check("describe-images", IMAGE in [image["ImageId"] for image in aws("describe-images")["Images"]])
    checks.equal("describe-images of one", aws("describe-images", "--image-ids", IMAGE)["Images"][0]["State"],
                 "available")
    checks.check("describe-images by owner and name", aws("describe-images", "--owners", "self", "--filters",
                 "Name=name,Values=debian-*")["Images"])
    kinds = aws("describe-instance-types", "--instance-types", TYPE)["InstanceTypes"][0]
    checks.check("describe-instance-types", kinds["VCpuInfo"]["DefaultVCpus"] and kinds["MemoryInfo"]["SizeInMiB"])
    checks.check("describe-instance-type-offerings", TYPE in [
        row["InstanceType"] for row in aws("describe-instance-type-offerings")["InstanceTypeOfferings"]])
    checks.check("describe-regions", "us-east-1" in [row["RegionName"] for row in aws("describe-regions")["Regions"]])
    checks.equal("describe-availability-zones", sorted(
        row["ZoneName"] for row in aws("describe-availability-zones")["AvailabilityZones"]),
        ["us-east-1a", "us-east-1b", "us-east-1c"])
    checks.check("describe-subnets", aws("describe-subnets")["Subnets"])
    checks.check("describe-vpcs", aws("describe-vpcs")["Vpcs"])
    checks.check("describe-account-attributes", aws("describe-account-attributes")["AccountAttributes"])
    checks.check("describe-addresses", aws("describe-addresses")["Addresses"] == [])

with checks.group("key pairs"):
    key = "key-" + run
    made = aws("create-key-pair", "--key-name", key)
    checks.check("create-key-pair", made["KeyMaterial"].startswith("-----BEGIN") and made["KeyPairId"])
    checks.equal("once", error_of("create-key-pair", "--key-name", key), "InvalidKeyPair.Duplicate")
    with tempfile.NamedTemporaryFile("w", suffix=".pub") as public:
        public.write("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJl3dIeudNqd0DPMRD6OIh65tjkxFNOtwGcWB2gCgPhk someone\n")
        public.flush()
        aws("import-key-pair", "--key-name", key + "-2", "--public-key-material", "fileb://" + public.name)
    names = [row["KeyName"] for row in aws("describe-key-pairs", "--filters", "Name=key-name,Values=%s*" % key)["KeyPairs"]]
    checks.equal("describe-key-pairs", names, [key, key + "-2"])
    aws("delete-key-pair", "--key-name", key)
    aws("delete-key-pair", "--key-name", key)
    checks.equal("delete-key-pair, twice", error_of("describe-key-pairs", "--key-names", key), "InvalidKeyPair.NotFound")

with checks.group("security groups"):
    group = aws("create-security-group", "--group-name", "group-" + run, "--description", "of a test")["GroupId"]
    aws("authorize-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "22",
        "--cidr", "10.0.0.0/8")
    checks.equal("twice the same rule", error_of("authorize-security-group-ingress", "--group-id", group, "--protocol",
                 "tcp", "--port", "22", "--cidr", "10.0.0.0/8"), "InvalidPermission.Duplicate")
    shown = aws("describe-security-groups", "--group-ids", group)["SecurityGroups"][0]
    checks.equal("describe-security-groups", shown["IpPermissions"][0]["IpRanges"][0]["CidrIp"], "10.0.0.0/8")
    aws("revoke-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "22", "--cidr",
        "10.0.0.0/8")
    checks.equal("revoke", aws("describe-security-groups", "--group-ids", group)["SecurityGroups"][0]["IpPermissions"], [])
    aws("delete-security-group", "--group-id", group)
    checks.equal("delete-security-group", error_of("describe-security-groups", "--group-ids", group),
                 "InvalidGroup.NotFound")

with checks.group("volumes"):
    volume = aws("create-volume", "--availability-zone", "us-east-1a", "--size", "7", "--tag-specifications",
                 "ResourceType=volume,Tags=[{Key=Name,Value=data}]")["VolumeId"]
    checks.equal("wait volume-available", raw("ec2", "wait", "volume-available", "--volume-ids", volume).returncode, 0)
    aws("attach-volume", "--volume-id", volume, "--instance-id", ids[1], "--device", "/dev/sdf")
    shown = aws("describe-volumes", "--volume-ids", volume)["Volumes"][0]
    checks.equal("attach-volume", (shown["State"], shown["Attachments"][0]["InstanceId"], shown["Size"]),
                 ("in-use", ids[1], 7))
    checks.equal("its tag", shown["Tags"], [{"Key": "Name", "Value": "data"}])
    aws("detach-volume", "--volume-id", volume)
    aws("delete-volume", "--volume-id", volume)
    checks.equal("delete-volume", error_of("describe-volumes", "--volume-ids", volume), "InvalidVolume.NotFound")

with checks.group("errors"):
    launch = ["run-instances", "--image-id", IMAGE, "--instance-type", TYPE]
    for name, words, wanted in [
            ("dry run", launch + ["--dry-run"], "DryRunOperation"),
            ("dry run of a termination", ["terminate-instances", "--dry-run", "--instance-ids", ids[0]], "DryRunOperation"),
            ("dry run of a key pair", ["create-key-pair", "--dry-run", "--key-name", "x"], "DryRunOperation"),
            ("unknown image", ["run-instances", "--image-id", "ami-99999999"], "InvalidAMIID.NotFound"),
            ("unknown type", ["run-instances", "--image-id", IMAGE, "--instance-type", "none"], "InvalidParameterValue"),
            ("unknown key", launch + ["--key-name", "none"], "InvalidKeyPair.NotFound"),
            ("unknown instance", ["describe-instances", "--instance-ids", "i-0123456789abcdef0"],
             "InvalidInstanceID.NotFound"),
            ("malformed instance", ["terminate-instances", "--instance-ids", "none"], "InvalidInstanceID.Malformed"),
            ("two unknown instances", ["describe-instances", "--instance-ids", "i-0123456789abcdef0",
                                       "i-0123456789abcdef1"], "InvalidInstanceID.NotFound"),
            ("unknown filter", ["describe-instances", "--filters", "Name=none,Values=1"], "InvalidParameterValue"),
            ("unknown action", ["describe-dhcp-options"], "InvalidAction")]:
        checks.equal(name, error_of(*words), wanted)
    checks.equal("nothing came of the dry run of a key pair",
                 error_of("describe-key-pairs", "--key-names", "x"), "InvalidKeyPair.NotFound")
    checks.equal("wrong secret", error_of("describe-instances", AWS_SECRET_ACCESS_KEY="wrong"), "SignatureDoesNotMatch")
    checks.equal("unknown access key", error_of("describe-instances", AWS_ACCESS_KEY_ID="nobody"), "AuthFailure")
    done = raw("ec2", "describe-instances", AWS_SESSION_TOKEN="a-session")
    checks.equal("a session token", done.returncode, 0)

with checks.group("the end"):
    gone = [vm["InstanceId"] for vm in instances(aws("describe-instances", "--filters",
                                                     "Name=tag:set,Values=" + run, "Name=tag:set,Values=" + run))]
    change = aws("terminate-instances", "--instance-ids", *gone, *everything)["TerminatingInstances"]
    checks.equal("terminate-instances", {row["CurrentState"]["Name"] for row in change}, {"shutting-down"})
    checks.check("terminated", eventually(lambda: state(gone[0]) == "terminated"))
    checks.equal("wait instance-terminated",
                 raw("ec2", "wait", "instance-terminated", "--instance-ids", *gone).returncode, 0)

sys.exit(checks.exit_code())
