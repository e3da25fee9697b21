// RunInstances.
#include <algorithm>
#include <charconv>

#include "manager/base/hash.hpp"
#include "manager/system/digest.hpp"
#include "mockcloud/wire/ec2/call.hpp"

namespace drover::wire::ec2 {
namespace {

constexpr std::int64_t kCountMax = 1000;
constexpr std::size_t kTokenMax = 64;
constexpr std::size_t kUserDataMax = 16'384;  // bytes, as EC2

struct Launch {
  InstanceSpec spec;
  Extras extras;
  std::string digest;  // of the whole request, when it carries a token
  std::string token;
  unsigned least = 1;
  unsigned most = 1;
};

std::string hex16(std::uint64_t value) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (unsigned i = 0; i < 16; ++i) text[15 - i] = kDigits[value >> (4U * i) & 15U];
  return text;
}

// Of 42 bits: alone among the extras it makes a text that takes no memory beside the instance.
std::string digest_of(const std::string& text) {
  constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string digest(kDigestDigits, 'A');
  std::uint64_t hash = hash_text(text);
  for (char& digit : digest) {
    digit = kDigits[hash & 63U];
    hash >>= 6U;
  }
  return digest;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Answer<std::string> read_image(const Call& call) {
  DROVER_TRY(const std::string id, call.query.required("ImageId"));
  const auto& config = call.cloud().config();
  if (has(config.images, id)) return id;
  for (const std::string& name : config.images)
    if (image_alias(name) == id) return name;
  if (!config.strict) return id;
  if (!id.starts_with("ami-"))
    return Fault{400,
                 "InvalidAMIID.Malformed",
                 "Invalid id: \"" + id.substr(0, 100) +
                     "\" (expecting \"ami-...\", or an image of this cloud: DescribeImages lists them)",
                 {}};
  return Fault{400, "InvalidAMIID.NotFound", "The image id '[" + id.substr(0, 100) + "]' does not exist", {}};
}

Answer<std::string> read_type(const Call& call) {
  const auto& config = call.cloud().config();
  std::string type = call.query.value("InstanceType");
  if (type.empty()) return config.sizes.empty() ? std::string("m1.small") : config.sizes.front();
  if (!config.strict || has(config.sizes, type)) return type;
  return Fault{
      400, "InvalidParameterValue", "Invalid value '" + type.substr(0, 100) + "' for InstanceType.", {}};
}

Answer<std::string> read_network(const Call& call) {
  std::string subnet = call.query.value("SubnetId");
  if (subnet.empty()) subnet = call.query.value("NetworkInterface.1.SubnetId");
  if (subnet.empty()) return default_network(call.backend);
  const auto& config = call.cloud().config();
  if (!config.strict || has(config.networks, subnet)) return subnet;
  return Fault{
      400, "InvalidSubnetID.NotFound", "The subnet ID '" + subnet.substr(0, 100) + "' does not exist", {}};
}

Answer<std::vector<std::string>> read_groups(const Call& call) {
  std::vector<std::string> ids;
  const auto add = [&](const std::vector<std::string>& wanted, bool by_name) -> Answer<void> {
    for (const std::string& each : wanted) {
      DROVER_TRY(const Group group, find_group(call.backend, each, by_name));
      if (!has(ids, group.id)) ids.push_back(group.id);
    }
    return success();
  };
  DROVER_TRY(add(call.query.list("SecurityGroupId"), false));
  DROVER_TRY(add(call.query.list("SecurityGroup"), true));
  DROVER_TRY(add(call.query.list("NetworkInterface.1.SecurityGroupId"), false));
  if (ids.size() == 1 && ids.front() == kDefaultGroup) ids.clear();
  return ids;
}

Answer<std::string> read_user_data(const Call& call) {
  const std::string encoded = call.query.value("UserData");
  const auto bytes = base64_decode(encoded);
  if (!bytes) return Fault{400, "InvalidParameterValue", "Invalid BASE64 encoding of user data.", {}};
  if (bytes->size() > kUserDataMax)
    return Fault{400, "InvalidParameterValue", "User data is limited to 16384 bytes", {}};
  return *bytes;
}

Answer<std::string> read_zone(const Call& call) {
  const std::string wanted = call.query.value("Placement.AvailabilityZone");
  if (wanted.empty()) return wanted;
  std::string zone = zone_inside(call.backend, wanted);
  if (zone.empty())
    return Fault{
        400, "InvalidParameterValue", "Invalid availability zone: [" + wanted.substr(0, 100) + "]", {}};
  return zone;
}

Answer<void> read_counts(const Call& call, Launch& launch) {
  DROVER_TRY(call.query.required("MinCount"));
  DROVER_TRY(call.query.required("MaxCount"));
  DROVER_TRY(const auto least, call.query.number("MinCount", 1, kCountMax));
  DROVER_TRY(const auto most, call.query.number("MaxCount", 1, kCountMax));
  if (*least > *most)
    return Fault{400, "InvalidParameterValue", "The parameter MinCount cannot be larger than MaxCount.", {}};
  launch.least = static_cast<unsigned>(*least);
  launch.most = static_cast<unsigned>(*most);
  return success();
}

// The Name tag becomes the name; other tags stay.
Answer<void> read_tags(const Call& call, Launch& launch) {
  DROVER_TRY(const auto specifications, call.query.tag_specifications());
  for (const TagSpecification& each : specifications) {
    if (each.resource_type == "instance")
      launch.spec.tags.insert(launch.spec.tags.end(), each.tags.begin(), each.tags.end());
    else if (each.resource_type != "volume" && each.resource_type != "network-interface" &&
             each.resource_type != "spot-instances-request")
      return Fault{400,
                   "InvalidParameterValue",
                   "'" + each.resource_type.substr(0, 100) + "' is not a valid taggable resource type.",
                   {}};
  }
  const auto name = std::find_if(launch.spec.tags.begin(), launch.spec.tags.end(),
                                 [](const auto& tag) { return tag.first == "Name"; });
  if (name == launch.spec.tags.end()) return success();
  launch.spec.name = name->second;
  launch.spec.tags.erase(name);
  return success();
}

Answer<Launch> read_launch(const Call& call) {
  Launch launch;
  DROVER_TRY(read_counts(call, launch));
  DROVER_TRY(launch.spec.image, read_image(call));
  DROVER_TRY(launch.spec.size, read_type(call));
  DROVER_TRY(launch.spec.network, read_network(call));
  DROVER_TRY(launch.spec.user_data, read_user_data(call));
  DROVER_TRY(launch.spec.zone, read_zone(call));
  DROVER_TRY(launch.extras.groups, read_groups(call));
  DROVER_TRY(read_tags(call, launch));
  launch.extras.key_name = call.query.value("KeyName");
  if (!launch.extras.key_name.empty() && call.backend.document("ec2.key", launch.extras.key_name) == nullptr)
    return Fault{400,
                 "InvalidKeyPair.NotFound",
                 "The key pair '" + launch.extras.key_name.substr(0, 100) + "' does not exist",
                 {}};
  launch.token = call.query.value("ClientToken");
  if (launch.token.size() > kTokenMax || launch.token.find('/') != std::string::npos)
    return Fault{
        400, "InvalidParameterValue", "ClientToken must have at most 64 ASCII characters, and no '/'", {}};
  if (!launch.token.empty()) launch.digest = digest_of(call.query.essence());
  const std::uint64_t key = launch.token.empty() ? call.cloud().total_created() + 1 : hash_text(launch.token);
  if (launch.spec.name.empty())
    launch.spec.name = std::string(kUnnamed) + (launch.token.empty() ? std::to_string(key) : hex16(key));
  if (launch.most > 1) launch.extras.reservation = "r-" + hex16(mix(key, 3)) + "0";
  launch.spec.extras = to_text(launch.extras, launch.digest);
  return launch;
}

// How many instances the request with this token was answered with, when it were not as many as it wanted.
constexpr const char* kShortLaunches = "ec2.short";

std::string token_of(const Launch& launch, unsigned index) {
  return launch.token.empty() || index == 0 ? launch.token : launch.token + "/" + std::to_string(index);
}

// Why fewer than the least number could be launched now, or nothing. Asked before anything is made, so that a
// request that cannot be served leaves no trace.
std::optional<Error> lack_of_room(const cloud::Cloud& cloud, const Launch& launch) {
  const auto& config = cloud.config();
  const auto lacks = [&](std::size_t limit, std::size_t used) {
    return limit > 0 && (used >= limit || limit - used < launch.least);
  };
  const bool quota = lacks(config.quota_instances, cloud.quota_used());
  if (!quota && !lacks(config.capacity, cloud.live())) return std::nullopt;
  bool is_repeated = false;
  if (!launch.token.empty())
    cloud.for_each_instance(
        [&](const cloud::Instance& vm) { is_repeated = is_repeated || vm.token == launch.token; });
  if (is_repeated) return std::nullopt;
  const std::string wanted = std::to_string(launch.least) + " instances: ";
  return quota ? make_error(ErrorCode::quota, wanted + "the quota of " +
                                                  std::to_string(config.quota_instances) +
                                                  " does not allow so many; terminate some or raise it")
               : make_error(ErrorCode::capacity, wanted + "the cloud has no capacity for so many now");
}

// The first instance exists: the others of the request, as many as there is room for.
Answer<std::vector<InstanceInfo>> launch_others(Call& call, const Launch& launch, const InstanceInfo& first) {
  std::vector<InstanceInfo> all{first};
  unsigned most = launch.most;
  if (!launch.token.empty())
    if (const std::string* made = call.backend.document(kShortLaunches, launch.token); made != nullptr)
      std::from_chars(made->data(), made->data() + made->size(), most);
  for (unsigned i = 1; i < most; ++i) {
    InstanceSpec spec = launch.spec;
    Extras extras = launch.extras;
    extras.index = i;
    spec.extras = to_text(extras, launch.digest);
    auto next = call.cloud().launch(spec, token_of(launch, i));
    if (next.has_error()) {
      if (i >= launch.least) {
        if (!launch.token.empty()) call.backend.put(kShortLaunches, launch.token, std::to_string(i));
        break;
      }
      // Nothing remains, and the token is as good as new.
      for (unsigned made = 0; made < all.size(); ++made) {
        (void)call.cloud().terminate(all[made].id);
        if (!launch.token.empty()) call.cloud().forget_token(token_of(launch, made));
      }
      return fault_of(next.error());
    }
    all.push_back(std::move(next).value());
  }
  return all;
}

void answer_launched(Call& call, const std::vector<InstanceInfo>& all) {
  call.answer(
      [&](XmlWriter& xml) {
        const cloud::Instance* first = call.cloud().instance(all.front().id);
        xml.text("reservationId", reservation_of(*first, read_extras(first->spec.extras)));
        xml.text("ownerId", call.backend.settings().owner_id);
        xml.open("groupSet");
        xml.close("groupSet");
        xml.element("instancesSet", [&] {
          for (const InstanceInfo& info : all) {
            const cloud::Instance* vm = call.cloud().instance(info.id);
            write_instance(xml, call.backend, info, *vm, read_extras(vm->spec.extras));
          }
        });
      },
      2048 * all.size());
}

void run_instances(const CallPtr& call) {
  auto launch = read_launch(*call);
  if (launch.has_error()) return call->fail(launch.error());
  if (call->is_dry()) return;
  const auto shared = std::make_shared<Launch>(std::move(launch).value());
  if (shared->least > 1 && lack_of_room(call->cloud(), *shared))
    return call->perform(
        "ec2.RunInstances", call->backend.subject(call->request, shared->spec),
        [shared](Call& self) -> Answer<void> {
          const auto lack = lack_of_room(self.cloud(), *shared);
          return fault_of(lack ? *lack : make_error(ErrorCode::unavailable, "try again"));
        },
        [](XmlWriter&) {});
  const CallContext context = call->context(call->backend.subject(call->request, shared->spec));
  call->backend.calls().newInstance(
      context, shared->spec, shared->token, [call, shared](Result<InstanceInfo> first) {
        if (first.has_error()) return call->fail(first.error());
        if (is_gone(first.value().state))
          return call->fail(
              Fault{400,
                    "IdempotentInstanceTerminated",
                    "The instance of an earlier request with this client token has been terminated.",
                    {}});
        const auto all = launch_others(*call, *shared, first.value());
        if (all.has_error()) return call->fail(all.error());
        answer_launched(*call, all.value());
      });
}

constexpr Action kActions[] = {{"RunInstances", run_instances}};

}  // namespace

std::span<const Action> launch_actions() { return kActions; }

}  // namespace drover::wire::ec2
