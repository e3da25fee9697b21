// Key pairs and security groups: kept as documents, they let nobody in or out.
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "manager/system/digest.hpp"
#include "mockcloud/wire/ec2/call.hpp"

namespace drover::wire::ec2 {
namespace {

using nlohmann::json;

json read(const std::string* text) {
  auto document = text == nullptr ? json() : json::parse(*text, nullptr, false);
  return document.is_object() ? document : json::object();
}
std::string write(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Answer<void> nothing_to_check(Call&) { return success(); }

// "1f:51:…" of bytes.
std::string fingerprint(std::string_view bytes) {
  const std::string hex = to_hex(bytes);
  std::string text;
  for (std::size_t i = 0; i < hex.size(); i += 2) text += (i == 0 ? "" : ":") + hex.substr(i, 2);
  return text;
}

// A private key in PEM. Drawn like every other decision of the cloud, so that a run can be repeated: for
// rehearsals, never for a door that matters.
std::string make_private_key(Backend& backend) {
  const std::string seed = sha256(backend.token("ec2.key", 64));
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                   reinterpret_cast<const unsigned char*>(seed.data()), seed.size()),
      EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_ctrl(bio.get(), BIO_CTRL_INFO, 0, &data);
  return {data, static_cast<std::size_t>(size)};
}

Answer<std::string> new_key_name(const Call& call) {
  DROVER_TRY(const std::string name, call.query.required("KeyName"));
  if (name.size() > 255) return invalid_value(name, "KeyName");
  if (call.backend.document("ec2.key", name) != nullptr)
    return Fault{400, "InvalidKeyPair.Duplicate", "The keypair already exists", {}};
  return name;
}

void keep_key(const CallPtr& call, const std::string& name, const std::string& print,
              const std::string& material) {
  const json key{{"id", "key-" + call->backend.token("ec2.key.id", 17)},
                 {"fingerprint", print},
                 {"created", to_iso8601(call->backend.now(), true)}};
  call->perform(
      "ec2.CreateKeyPair", call->backend.subject(call->request, nullptr, name),
      [name, key](Call& self) -> Answer<void> {
        DROVER_TRY(new_key_name(self));
        self.backend.put("ec2.key", name, write(key));
        return success();
      },
      [name, key, material](XmlWriter& xml) {
        xml.text("keyName", name);
        xml.text("keyFingerprint", key.value("fingerprint", ""));
        xml.maybe("keyMaterial", material);
        xml.text("keyPairId", key.value("id", ""));
      });
}

void create_key(const CallPtr& call) {
  const auto name = new_key_name(*call);
  if (name.has_error()) return call->fail(name.error());
  const std::string type = call->query.value("KeyType");
  if (!type.empty() && type != "rsa" && type != "ed25519") return call->fail(invalid_value(type, "KeyType"));
  const std::string material = make_private_key(call->backend);
  keep_key(call, name.value(), fingerprint(sha1(material)), material);
}

void import_key(const CallPtr& call) {
  const auto name = new_key_name(*call);
  if (name.has_error()) return call->fail(name.error());
  const auto encoded = call->query.required("PublicKeyMaterial");
  if (encoded.has_error()) return call->fail(encoded.error());
  const auto bytes = base64_decode(encoded.value());
  if (!bytes || bytes->empty())
    return call->fail(Fault{400, "InvalidKey.Format", "Key is not in valid OpenSSH public key format", {}});
  keep_key(call, name.value(), fingerprint(sha1(*bytes).substr(0, 16)), "");
}

std::string key_name_of(const Call& call) {
  const std::string name = call.query.value("KeyName"), id = call.query.value("KeyPairId");
  if (!name.empty() || id.empty()) return name;
  for (const auto& [known, text] : call.backend.documents("ec2.key"))
    if (read(&text).value("id", "") == id) return known;
  return {};
}

void delete_key(const CallPtr& call) {
  if (call->query.value("KeyName").empty() && call->query.value("KeyPairId").empty())
    return call->fail(missing_parameter("KeyName"));
  call->perform(
      "ec2.DeleteKeyPair", call->backend.subject(call->request, nullptr),
      [](Call& self) -> Answer<void> {
        self.backend.erase("ec2.key", key_name_of(self));
        return success();
      },
      [](XmlWriter& xml) { xml.flag("return", true); });
}

void describe_keys(const CallPtr& call) {
  auto filters = call->query.filters();
  if (filters.has_error()) return call->fail(filters.error());
  const auto names = call->query.list("KeyName"), ids = call->query.list("KeyPairId");
  for (const std::string& name : names)
    if (call->backend.document("ec2.key", name) == nullptr)
      return call->fail(Fault{
          400, "InvalidKeyPair.NotFound", "The key pair '" + name.substr(0, 100) + "' does not exist", {}});
  call->perform("ec2.DescribeKeyPairs", call->backend.subject(call->request, nullptr), nothing_to_check,
                [call, names, ids, wanted = filters.value()](XmlWriter& xml) {
                  xml.element("keySet", [&] {
                    for (const auto& [name, text] : call->backend.documents("ec2.key")) {
                      const json key = read(&text);
                      const std::string id = key.value("id", ""), print = key.value("fingerprint", "");
                      if (!names.empty() && std::find(names.begin(), names.end(), name) == names.end())
                        continue;
                      if (!ids.empty() && std::find(ids.begin(), ids.end(), id) == ids.end()) continue;
                      const Tags tags = resource_tags(call->backend, id);
                      const bool passes =
                          std::all_of(wanted.begin(), wanted.end(), [&](const Filter& filter) {
                            if (const auto tagged = passes_tag_filter(filter, tags)) return *tagged;
                            if (filter.name == "key-name") return filter.matches(name);
                            if (filter.name == "key-pair-id") return filter.matches(id);
                            return filter.name == "fingerprint" && filter.matches(print);
                          });
                      if (!passes) continue;
                      xml.element("item", [&] {
                        xml.text("keyPairId", id);
                        xml.text("keyName", name);
                        xml.text("keyFingerprint", print);
                        xml.text("keyType", "ed25519");
                        xml.text("createTime", key.value("created", ""));
                        write_tags(xml, tags);
                      });
                    }
                  });
                });
}

// --- security groups ---

struct FullGroup {
  std::string id;
  std::string name;
  std::string description;
  json ingress = json::array();
  json egress = json::array();
};

// What every new group lets out: everything.
json all_out() {
  return json::array({{{"protocol", "-1"}, {"ranges", {"0.0.0.0/0"}}, {"from", nullptr}, {"to", nullptr}}});
}

FullGroup default_group() {
  return {kDefaultGroup, "default", "default VPC security group", json::array(), all_out()};
}

std::vector<FullGroup> all_groups(const Backend& backend) {
  std::vector<FullGroup> groups;
  if (backend.document("ec2.group", kDefaultGroup) == nullptr) groups.push_back(default_group());
  for (const auto& [id, text] : backend.documents("ec2.group")) {
    const json document = read(&text);
    groups.push_back({id, document.value("name", ""), document.value("description", ""),
                      document.value("ingress", json::array()), document.value("egress", json::array())});
  }
  return groups;
}

void save_group(Backend& backend, const FullGroup& group) {
  backend.put("ec2.group", group.id,
              write({{"name", group.name},
                     {"description", group.description},
                     {"ingress", group.ingress},
                     {"egress", group.egress}}));
}

Fault no_group(const std::string& what) {
  return {
      400, "InvalidGroup.NotFound", "The security group '" + what.substr(0, 100) + "' does not exist", {}};
}

void create_group(const CallPtr& call) {
  const auto name = call->query.required("GroupName");
  if (name.has_error()) return call->fail(name.error());
  const auto description = call->query.required("GroupDescription");
  if (description.has_error()) return call->fail(description.error());
  if (name.value().size() > 255 || description.value().size() > 255)
    return call->fail(Fault{
        400, "InvalidParameterValue", "A group's name and description have at most 255 characters.", {}});
  const auto specifications = call->query.tag_specifications();
  if (specifications.has_error()) return call->fail(specifications.error());
  const auto id = std::make_shared<std::string>();
  call->perform(
      "ec2.CreateSecurityGroup", call->backend.subject(call->request, nullptr, name.value()),
      [id, name = name.value(), description = description.value(),
       tags = specifications.value()](Call& self) -> Answer<void> {
        for (const FullGroup& group : all_groups(self.backend))
          if (group.name == name)
            return Fault{
                400,
                "InvalidGroup.Duplicate",
                "The security group '" + name + "' already exists for VPC '" + vpc_id(self.backend) + "'",
                {}};
        *id = "sg-" + self.backend.token("ec2.group", 17);
        save_group(self.backend, {*id, name, description, json::array(), all_out()});
        for (const TagSpecification& each : tags)
          if (each.resource_type == "security-group") set_resource_tags(self.backend, *id, each.tags);
        return success();
      },
      [id](XmlWriter& xml) {
        xml.flag("return", true);
        xml.text("groupId", *id);
      });
}

Answer<FullGroup> group_of(const Call& call) {
  const std::string id = call.query.value("GroupId"), name = call.query.value("GroupName");
  if (id.empty() && name.empty()) return missing_parameter("GroupId");
  for (FullGroup& group : all_groups(call.backend))
    if (id.empty() ? group.name == name : group.id == id) return std::move(group);
  return no_group(id.empty() ? name : id);
}

void delete_group(const CallPtr& call) {
  call->perform(
      "ec2.DeleteSecurityGroup", call->backend.subject(call->request, nullptr),
      [](Call& self) -> Answer<void> {
        DROVER_TRY(const FullGroup group, group_of(self));
        if (group.name == "default")
          return Fault{
              400,
              "CannotDelete",
              "the specified group: \"" + group.id + "\" name: \"default\" cannot be deleted by a user",
              {}};
        bool used = false;
        self.cloud().for_each_instance([&](const cloud::Instance& vm) {
          if (is_gone(vm.state)) return;
          const auto groups = read_extras(vm.spec.extras).groups;
          used = used || std::find(groups.begin(), groups.end(), group.id) != groups.end();
        });
        if (used)
          return Fault{400, "DependencyViolation", "resource " + group.id + " has a dependent object", {}};
        self.backend.erase("ec2.group", group.id);
        self.backend.erase("ec2.tags", group.id);
        return success();
      },
      [](XmlWriter& xml) { xml.flag("return", true); });
}

// The permissions of a request, one JSON object each.
Answer<json> read_permissions(const Call& call) {
  json permissions = json::array();
  const auto port = [&](const std::string& name) -> Answer<json> {
    DROVER_TRY(const auto number, call.query.number(name, -1, 65'535));
    return number ? json(*number) : json();
  };
  const auto one = [&](const std::string& prefix, const std::vector<std::string>& ranges) -> Answer<void> {
    json permission{{"protocol", call.query.value(prefix + "IpProtocol")}, {"ranges", ranges}};
    DROVER_TRY(permission["from"], port(prefix + "FromPort"));
    DROVER_TRY(permission["to"], port(prefix + "ToPort"));
    if (permission["protocol"] == "-1") permission["from"] = permission["to"] = json();  // all have none
    permissions.push_back(std::move(permission));
    return success();
  };
  for (const unsigned number : call.query.numbers("IpPermissions")) {
    const std::string prefix = "IpPermissions." + std::to_string(number) + ".";
    std::vector<std::string> ranges;
    for (const unsigned range : call.query.numbers(prefix + "IpRanges"))
      ranges.push_back(call.query.value(prefix + "IpRanges." + std::to_string(range) + ".CidrIp"));
    DROVER_TRY(one(prefix, ranges));
  }
  if (const std::string cidr = call.query.value("CidrIp"); !cidr.empty()) {
    DROVER_TRY(one("", {cidr}));
  }
  if (permissions.empty()) return missing_parameter("IpPermissions");
  for (const json& permission : permissions)
    if (permission.value("protocol", "").empty()) return missing_parameter("IpProtocol");
  return permissions;
}

template <bool Ingress, bool Add>
void change_rules(const CallPtr& call) {
  call->perform(
      "ec2.SecurityGroupRules", call->backend.subject(call->request, nullptr),
      [](Call& self) -> Answer<void> {
        DROVER_TRY(FullGroup group, group_of(self));
        DROVER_TRY(const json permissions, read_permissions(self));
        json& rules = Ingress ? group.ingress : group.egress;
        for (const json& permission : permissions) {
          const auto found = std::find(rules.begin(), rules.end(), permission);
          if (Add && found != rules.end())
            return Fault{400, "InvalidPermission.Duplicate", "the specified rule already exists", {}};
          if (!Add && found == rules.end())
            return Fault{400,
                         "InvalidPermission.NotFound",
                         "The specified rule does not exist in this security group.",
                         {}};
          if (Add)
            rules.push_back(permission);
          else
            rules.erase(found);
        }
        save_group(self.backend, group);
        return success();
      },
      [](XmlWriter& xml) { xml.flag("return", true); });
}

void write_rules(XmlWriter& xml, const char* name, const json& rules) {
  xml.element(name, [&] {
    for (const json& rule : rules) {
      xml.element("item", [&] {
        xml.text("ipProtocol", rule.value("protocol", ""));
        for (const auto& [key, element] : {std::pair("from", "fromPort"), std::pair("to", "toPort")})
          if (rule.contains(key) && rule.at(key).is_number_integer())
            xml.number(element, rule.at(key).get<std::int64_t>());
        xml.open("groups");
        xml.close("groups");
        xml.element("ipRanges", [&] {
          for (const json& range : rule.value("ranges", json::array()))
            xml.element("item",
                        [&] { xml.text("cidrIp", range.is_string() ? range.get<std::string>() : ""); });
        });
      });
    }
  });
}

void describe_groups(const CallPtr& call) {
  auto filters = call->query.filters();
  if (filters.has_error()) return call->fail(filters.error());
  const auto ids = call->query.list("GroupId"), names = call->query.list("GroupName");
  for (const std::string& id : ids)
    if (const auto known = find_group(call->backend, id, false); known.has_error())
      return call->fail(known.error());
  for (const std::string& name : names)
    if (const auto known = find_group(call->backend, name, true); known.has_error())
      return call->fail(known.error());
  call->perform("ec2.DescribeSecurityGroups", call->backend.subject(call->request, nullptr), nothing_to_check,
                [call, ids, names, wanted = filters.value()](XmlWriter& xml) {
                  xml.element("securityGroupInfo", [&] {
                    for (const FullGroup& group : all_groups(call->backend)) {
                      if (!ids.empty() && std::find(ids.begin(), ids.end(), group.id) == ids.end()) continue;
                      if (!names.empty() && std::find(names.begin(), names.end(), group.name) == names.end())
                        continue;
                      const Tags tags = resource_tags(call->backend, group.id);
                      const bool passes =
                          std::all_of(wanted.begin(), wanted.end(), [&](const Filter& filter) {
                            if (const auto tagged = passes_tag_filter(filter, tags)) return *tagged;
                            if (filter.name == "group-id") return filter.matches(group.id);
                            if (filter.name == "group-name") return filter.matches(group.name);
                            if (filter.name == "description") return filter.matches(group.description);
                            return filter.name == "vpc-id" && filter.matches(vpc_id(call->backend));
                          });
                      if (!passes) continue;
                      xml.element("item", [&] {
                        xml.text("ownerId", call->backend.settings().owner_id);
                        xml.text("groupId", group.id);
                        xml.text("groupName", group.name);
                        xml.text("groupDescription", group.description);
                        xml.text("vpcId", vpc_id(call->backend));
                        write_rules(xml, "ipPermissions", group.ingress);
                        write_rules(xml, "ipPermissionsEgress", group.egress);
                        write_tags(xml, tags);
                      });
                    }
                  });
                });
}

constexpr Action kActions[] = {{"CreateKeyPair", create_key},
                               {"ImportKeyPair", import_key},
                               {"DeleteKeyPair", delete_key},
                               {"DescribeKeyPairs", describe_keys},
                               {"CreateSecurityGroup", create_group},
                               {"DeleteSecurityGroup", delete_group},
                               {"DescribeSecurityGroups", describe_groups},
                               {"AuthorizeSecurityGroupIngress", change_rules<true, true>},
                               {"RevokeSecurityGroupIngress", change_rules<true, false>},
                               {"AuthorizeSecurityGroupEgress", change_rules<false, true>},
                               {"RevokeSecurityGroupEgress", change_rules<false, false>}};

}  // namespace

std::span<const Action> access_actions() { return kActions; }

Answer<Group> find_group(const Backend& backend, const std::string& id_or_name, bool by_name) {
  if (!by_name && !id_or_name.starts_with("sg-"))
    return Fault{400,
                 "InvalidGroupId.Malformed",
                 "Invalid id: \"" + id_or_name.substr(0, 100) + "\" (expecting \"sg-...\")",
                 {}};
  for (const FullGroup& group : all_groups(backend))
    if (by_name ? group.name == id_or_name || group.id == id_or_name : group.id == id_or_name)
      return Group{group.id, group.name};
  return no_group(id_or_name);
}

std::string group_name(const Backend& backend, const std::string& id) {
  if (id == kDefaultGroup) return "default";
  return read(backend.document("ec2.group", id)).value("name", "");
}

}  // namespace drover::wire::ec2
