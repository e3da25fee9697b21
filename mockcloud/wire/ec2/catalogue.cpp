// What there is to launch and where: images, types, regions, zones, networks.
#include <algorithm>

#include "manager/base/hash.hpp"
#include "mockcloud/wire/ec2/call.hpp"

namespace drover::wire::ec2 {
namespace {

constexpr const char* kCreated = "2026-01-01T00:00:00.000Z";  // of everything that was always there

// A listing of things that do not change: `items` writes those that pass.
template <class Items>
void answer_listing(const CallPtr& call, const char* site, Items items) {
  auto filters = call->query.filters();
  if (filters.has_error()) return call->fail(filters.error());
  call->perform(
      site, call->backend.subject(call->request, nullptr), [](Call&) -> Answer<void> { return success(); },
      [call, items, wanted = filters.value()](XmlWriter& xml) { items(*call, wanted, xml); });
}

// "10.0.0.0/16" of the prefix "10.0.".
std::string cidr_of(std::string prefix) {
  const auto octets = std::count(prefix.begin(), prefix.end(), '.');
  for (auto more = octets; more < 3; ++more) prefix += "0.";
  return prefix + "0/" + std::to_string(8 * octets);
}

bool wants(const std::vector<std::string>& ids, const std::string& id) {
  return ids.empty() || std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Whether a thing with these properties passes; a filter on anything else lets nothing through.
bool passes(const std::vector<Filter>& filters, const http::Fields& properties, const Tags& tags = {}) {
  return std::all_of(filters.begin(), filters.end(), [&](const Filter& filter) {
    if (const auto tagged = passes_tag_filter(filter, tags)) return *tagged;
    const std::string* value = http::find_field(properties, filter.name);
    return value != nullptr && filter.matches(*value);
  });
}

void describe_images(const CallPtr& call) {
  const auto ids = call->query.list("ImageId");
  for (const std::string& id : ids) {
    const auto& images = call->cloud().config().images;
    const bool known = std::any_of(images.begin(), images.end(), [&](const std::string& name) {
      return name == id || image_alias(name) == id;
    });
    if (!known)
      return call->fail(id.starts_with("ami-")
                            ? Fault{400,
                                    "InvalidAMIID.NotFound",
                                    "The image id '[" + id.substr(0, 100) + "]' does not exist",
                                    {}}
                            : Fault{400,
                                    "InvalidAMIID.Malformed",
                                    "Invalid id: \"" + id.substr(0, 100) + "\" (expecting \"ami-...\")",
                                    {}});
  }
  answer_listing(call, "ec2.DescribeImages",
                 [ids](Call& self, const std::vector<Filter>& filters, XmlWriter& xml) {
                   const std::string& owner = self.backend.settings().owner_id;
                   xml.element("imagesSet", [&] {
                     for (const std::string& name : self.cloud().config().images) {
                       const bool wanted = wants(ids, name) || wants(ids, image_alias(name));
                       const Tags tags = resource_tags(self.backend, name);
                       if (!wanted || !passes(filters,
                                              {{"image-id", name},
                                               {"name", name},
                                               {"state", "available"},
                                               {"architecture", "x86_64"},
                                               {"image-type", "machine"},
                                               {"is-public", "true"},
                                               {"owner-id", owner},
                                               {"owner-alias", "self"},
                                               {"root-device-type", "ebs"},
                                               {"virtualization-type", "hvm"},
                                               {"hypervisor", "xen"},
                                               {"description", name}},
                                              tags))
                         continue;
                       xml.element("item", [&] {
                         xml.text("imageId", name);
                         xml.text("imageLocation", owner + "/" + name);
                         xml.text("imageState", "available");
                         xml.text("imageOwnerId", owner);
                         xml.text("creationDate", kCreated);
                         xml.flag("isPublic", true);
                         xml.text("architecture", "x86_64");
                         xml.text("imageType", "machine");
                         xml.text("name", name);
                         xml.text("description", name);
                         xml.text("rootDeviceType", "ebs");
                         xml.text("rootDeviceName", "/dev/xvda");
                         xml.element("blockDeviceMapping", [&] {
                           xml.element("item", [&] {
                             xml.text("deviceName", "/dev/xvda");
                             xml.element("ebs", [&] {
                               xml.number("volumeSize", 8);
                               xml.flag("deleteOnTermination", true);
                               xml.text("volumeType", "gp3");
                             });
                           });
                         });
                         xml.text("virtualizationType", "hvm");
                         xml.text("hypervisor", "xen");
                         write_tags(xml, tags);
                       });
                     }
                   });
                 });
}

// A type's size grows with its place in the list: the mock cloud's sizes have names only.
void write_type(XmlWriter& xml, const std::string& name, std::size_t place) {
  const std::int64_t cpus = std::int64_t{1} << std::min<std::size_t>(place, 6);
  xml.element("item", [&] {
    xml.text("instanceType", name);
    xml.flag("currentGeneration", true);
    xml.flag("freeTierEligible", place == 0);
    xml.element("supportedUsageClasses", [&] { xml.text("item", "on-demand"); });
    xml.element("supportedRootDeviceTypes", [&] { xml.text("item", "ebs"); });
    xml.element("supportedVirtualizationTypes", [&] { xml.text("item", "hvm"); });
    xml.flag("bareMetal", false);
    xml.text("hypervisor", "xen");
    xml.element("processorInfo",
                [&] { xml.element("supportedArchitectures", [&] { xml.text("item", "x86_64"); }); });
    xml.element("vCpuInfo", [&] {
      xml.number("defaultVCpus", cpus);
      xml.number("defaultCores", cpus);
      xml.number("defaultThreadsPerCore", 1);
    });
    xml.element("memoryInfo", [&] { xml.number("sizeInMiB", 1024 * cpus); });
    xml.flag("instanceStorageSupported", false);
  });
}

void describe_types(const CallPtr& call) {
  const auto names = call->query.list("InstanceType");
  const auto& sizes = call->cloud().config().sizes;
  std::string unknown;
  for (const std::string& name : names)
    if (std::find(sizes.begin(), sizes.end(), name) == sizes.end())
      unknown += (unknown.empty() ? "" : ", ") + name.substr(0, 100);
  if (!unknown.empty())
    return call->fail(Fault{400,
                            "InvalidInstanceType",
                            "The following supplied instance types do not exist: [" + unknown + "]",
                            {}});
  answer_listing(call, "ec2.DescribeInstanceTypes",
                 [names](Call& self, const std::vector<Filter>& filters, XmlWriter& xml) {
                   const auto& all = self.cloud().config().sizes;
                   xml.element("instanceTypeSet", [&] {
                     for (std::size_t i = 0; i < all.size(); ++i)
                       if (wants(names, all[i]) &&
                           passes(filters, {{"instance-type", all[i]},
                                            {"current-generation", "true"},
                                            {"bare-metal", "false"},
                                            {"hypervisor", "xen"},
                                            {"supported-usage-class", "on-demand"},
                                            {"supported-root-device-type", "ebs"},
                                            {"processor-info.supported-architecture", "x86_64"}}))
                         write_type(xml, all[i], i);
                   });
                 });
}

void describe_offerings(const CallPtr& call) {
  std::string kind = call->query.value("LocationType");
  if (kind.empty()) kind = "region";
  if (kind != "region" && kind != "availability-zone") return call->fail(invalid_value(kind, "locationType"));
  answer_listing(call, "ec2.DescribeInstanceTypeOfferings",
                 [kind](Call& self, const std::vector<Filter>& filters, XmlWriter& xml) {
                   std::vector<std::string> places{self.backend.settings().region};
                   if (kind == "availability-zone") {
                     places.clear();
                     for (const std::string& zone : self.cloud().config().zones)
                       places.push_back(zone_shown(self.backend, zone));
                   }
                   xml.element("instanceTypeOfferingSet", [&] {
                     for (const std::string& size : self.cloud().config().sizes)
                       for (const std::string& place : places) {
                         if (!passes(filters, {{"instance-type", size}, {"location", place}})) continue;
                         xml.element("item", [&] {
                           xml.text("instanceType", size);
                           xml.text("locationType", kind);
                           xml.text("location", place);
                         });
                       }
                   });
                 });
}

void describe_regions(const CallPtr& call) {
  const auto names = call->query.list("RegionName");
  const std::string& region = call->backend.settings().region;
  for (const std::string& name : names)
    if (name != region) return call->fail(invalid_value(name, "RegionName"));
  answer_listing(call, "ec2.DescribeRegions",
                 [region](Call& self, const std::vector<Filter>& filters, XmlWriter& xml) {
                   std::string endpoint(self.request.value("Host"));
                   xml.element("regionInfo", [&] {
                     if (!passes(filters, {{"region-name", region},
                                           {"endpoint", endpoint},
                                           {"opt-in-status", "opt-in-not-required"}}))
                       return;
                     xml.element("item", [&] {
                       xml.text("regionName", region);
                       xml.text("regionEndpoint", endpoint);
                       xml.text("optInStatus", "opt-in-not-required");
                     });
                   });
                 });
}

void describe_zones(const CallPtr& call) {
  const auto names = call->query.list("ZoneName");
  for (const std::string& name : names)
    if (zone_inside(call->backend, name).empty()) return call->fail(invalid_value(name, "ZoneName"));
  answer_listing(
      call, "ec2.DescribeAvailabilityZones",
      [names](Call& self, const std::vector<Filter>& filters, XmlWriter& xml) {
        const std::string& region = self.backend.settings().region;
        xml.element("availabilityZoneInfo", [&] {
          unsigned number = 0;
          for (const std::string& zone : self.cloud().config().zones) {
            const std::string name = zone_shown(self.backend, zone);
            const std::string id = "use1-az" + std::to_string(++number);
            if (!wants(names, name) || !passes(filters, {{"zone-name", name},
                                                         {"zone-id", id},
                                                         {"region-name", region},
                                                         {"state", "available"},
                                                         {"zone-type", "availability-zone"},
                                                         {"opt-in-status", "opt-in-not-required"}}))
              continue;
            xml.element("item", [&] {
              xml.text("zoneName", name);
              xml.text("zoneId", id);
              xml.text("zoneState", "available");
              xml.text("zoneType", "availability-zone");
              xml.text("groupName", region);
              xml.text("networkBorderGroup", region);
              xml.text("optInStatus", "opt-in-not-required");
              xml.text("regionName", region);
              xml.open("messageSet");
              xml.close("messageSet");
            });
          }
        });
      });
}

void describe_subnets(const CallPtr& call) {
  const auto ids = call->query.list("SubnetId");
  const auto& networks = call->cloud().config().networks;
  for (const std::string& id : ids)
    if (std::find(networks.begin(), networks.end(), id) == networks.end())
      return call->fail(Fault{
          400, "InvalidSubnetID.NotFound", "The subnet ID '" + id.substr(0, 100) + "' does not exist", {}});
  answer_listing(call, "ec2.DescribeSubnets",
                 [ids](Call& self, const std::vector<Filter>& filters, XmlWriter& xml) {
                   const auto& config = self.cloud().config();
                   const std::string zone = zone_shown(self.backend, config.zones.front());
                   xml.element("subnetSet", [&] {
                     for (const std::string& name : config.networks) {
                       const Tags tags = resource_tags(self.backend, name);
                       if (!wants(ids, name) || !passes(filters,
                                                        {{"subnet-id", name},
                                                         {"vpc-id", vpc_id(self.backend)},
                                                         {"state", "available"},
                                                         {"availability-zone", zone},
                                                         {"default-for-az", "true"}},
                                                        tags))
                         continue;
                       xml.element("item", [&] {
                         xml.text("subnetId", name);
                         xml.text("state", "available");
                         xml.text("vpcId", vpc_id(self.backend));
                         xml.text("cidrBlock", cidr_of(config.address_prefix));
                         xml.number("availableIpAddressCount", 65'000);
                         xml.text("availabilityZone", zone);
                         xml.flag("defaultForAz", true);
                         xml.flag("mapPublicIpOnLaunch", true);
                         xml.text("ownerId", self.backend.settings().owner_id);
                         write_tags(xml, tags);
                       });
                     }
                   });
                 });
}

void describe_vpcs(const CallPtr& call) {
  answer_listing(
      call, "ec2.DescribeVpcs", [](Call& self, const std::vector<Filter>& filters, XmlWriter& xml) {
        const std::string id = vpc_id(self.backend);
        const Tags tags = resource_tags(self.backend, id);
        xml.element("vpcSet", [&] {
          if (!passes(filters,
                      {{"vpc-id", id}, {"state", "available"}, {"isDefault", "true"}, {"is-default", "true"}},
                      tags))
            return;
          xml.element("item", [&] {
            xml.text("vpcId", id);
            xml.text("state", "available");
            xml.text("cidrBlock", cidr_of(self.cloud().config().address_prefix));
            xml.text("dhcpOptionsId", "default");
            xml.text("instanceTenancy", "default");
            xml.flag("isDefault", true);
            xml.text("ownerId", self.backend.settings().owner_id);
            write_tags(xml, tags);
          });
        });
      });
}

void describe_account(const CallPtr& call) {
  answer_listing(
      call, "ec2.DescribeAccountAttributes", [](Call& self, const std::vector<Filter>&, XmlWriter& xml) {
        const unsigned quota = self.cloud().config().quota_instances;
        xml.element("accountAttributeSet", [&] {
          const auto one = [&](const char* name, const std::string& value) {
            xml.element("item", [&] {
              xml.text("attributeName", name);
              xml.element("attributeValueSet",
                          [&] { xml.element("item", [&] { xml.text("attributeValue", value); }); });
            });
          };
          one("supported-platforms", "VPC");
          one("default-vpc", vpc_id(self.backend));
          one("max-instances", std::to_string(quota == 0 ? 100'000 : quota));
        });
      });
}

// Listings of what this cloud has none of.
template <int Which>
void nothing(const CallPtr& call) {
  static constexpr const char* kSets[] = {"addressesSet", "snapshotSet", "reservedInstancesSet",
                                          "spotInstanceRequestSet", "placementGroupSet"};
  answer_listing(call, "ec2.Describe", [](Call&, const std::vector<Filter>&, XmlWriter& xml) {
    xml.open(kSets[Which]);
    xml.close(kSets[Which]);
  });
}

constexpr Action kActions[] = {{"DescribeImages", describe_images},
                               {"DescribeInstanceTypes", describe_types},
                               {"DescribeInstanceTypeOfferings", describe_offerings},
                               {"DescribeRegions", describe_regions},
                               {"DescribeAvailabilityZones", describe_zones},
                               {"DescribeSubnets", describe_subnets},
                               {"DescribeVpcs", describe_vpcs},
                               {"DescribeAccountAttributes", describe_account},
                               {"DescribeAddresses", nothing<0>},
                               {"DescribeSnapshots", nothing<1>},
                               {"DescribeReservedInstances", nothing<2>},
                               {"DescribeSpotInstanceRequests", nothing<3>},
                               {"DescribePlacementGroups", nothing<4>}};

}  // namespace

std::span<const Action> catalogue_actions() { return kActions; }

}  // namespace drover::wire::ec2
