#include "mockcloud/wire/opennebula/allocation.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "manager/system/digest.hpp"

namespace drover::wire::opennebula {
namespace {

constexpr std::size_t kTagBytesMax = 255;
constexpr std::size_t kTagsMax = 50;
constexpr std::size_t kNameMax = 128;

// Attributes that make the machine; every other one is its user's.
constexpr std::array<std::string_view, 36> kMachine = {
    "AUTOMATIC_DS_REQUIREMENTS",
    "AUTOMATIC_REQUIREMENTS",
    "BACKUP_CONFIG",
    "CONTEXT",
    "CPU",
    "CPU_COST",
    "CPU_MODEL",
    "DISK",
    "DISK_COST",
    "EMULATOR",
    "FEATURES",
    "GRAPHICS",
    "HYPERV_OPTIONS",
    "IMAGE",
    "IMAGE_ID",
    "INPUT",
    "MEMORY",
    "MEMORY_COST",
    "MEMORY_MAX",
    "NAME",
    "NETWORK",
    "NETWORK_ID",
    "NIC",
    "NIC_ALIAS",
    "NIC_DEFAULT",
    "NUMA_NODE",
    "OS",
    "PCI",
    "RAW",
    "TEMPLATE_ID",
    "TOPOLOGY",
    "TPM",
    "VCPU",
    "VCPU_MAX",
    "VIDEO",
    "VMID",
};
bool is_machine(const std::string& name) {
  return std::binary_search(kMachine.begin(), kMachine.end(), std::string_view(name));
}

Error refuse(const std::string& message) { return make_error(ErrorCode::invalid, message); }

std::string shortened(const std::string& text) { return text.substr(0, kNameMax); }

// The entry of a catalogue that is meant by an id or a name.
std::optional<std::string> chosen(const std::vector<std::string>& catalogue, const std::string& id,
                                  const std::string& name, bool strict) {
  if (!id.empty()) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), index);
    if (error != std::errc() || end != id.data() + id.size() || index >= catalogue.size())
      return std::nullopt;
    return catalogue[index];
  }
  if (strict && index_of(catalogue, name) < 0) return std::nullopt;
  return name;
}

std::string first_of(const std::vector<std::string>& catalogue) {
  return catalogue.empty() ? std::string() : catalogue.front();
}

Result<std::string> image_of(const cloud::CloudConfig& config, const one::Template& from) {
  std::string image;
  unsigned index = 0;
  for (const one::Attribute& disk : from) {
    if (disk.name != "DISK") continue;
    const std::string id = disk.part("IMAGE_ID"), name = disk.part("IMAGE");
    const std::string where = "DISK " + std::to_string(index++) + ": ";
    if (id.empty() && name.empty()) continue;  // a volatile disk
    const auto found = chosen(config.images, id, name, config.strict);
    if (!found && !id.empty()) return refuse(where + "Image with ID: " + shortened(id) + " does not exist");
    if (!found)
      return refuse(where + "User 0 does not own an image with name: " + shortened(name) +
                    " . Set IMAGE_UNAME or IMAGE_UID of owner in DISK.");
    if (image.empty()) image = *found;
  }
  if (!image.empty()) return image;
  const std::string id = one::value_of(from, "IMAGE_ID"), name = one::value_of(from, "IMAGE");
  if (id.empty() && name.empty()) return first_of(config.images);
  const auto found = chosen(config.images, id, name, config.strict);
  if (!found) return refuse("Image " + shortened(id + name) + " does not exist");
  return *found;
}

Result<std::string> network_of(const cloud::CloudConfig& config, const one::Template& from) {
  std::string network;
  for (const one::Attribute& nic : from) {
    if (nic.name != "NIC") continue;
    const std::string id = nic.part("NETWORK_ID"), name = nic.part("NETWORK");
    if (id.empty() && name.empty()) continue;
    const auto found = chosen(config.networks, id, name, config.strict);
    if (!found && !id.empty()) return refuse("Virtual network with ID: " + shortened(id) + " does not exist");
    if (!found)
      return refuse("User 0 does not own a network with name: " + shortened(name) +
                    " . Set NETWORK_UNAME or NETWORK_UID of owner in NIC.");
    if (network.empty()) network = *found;
  }
  if (!network.empty()) return network;
  const std::string id = one::value_of(from, "NETWORK_ID"), name = one::value_of(from, "NETWORK");
  if (id.empty() && name.empty()) return first_of(config.networks);
  const auto found = chosen(config.networks, id, name, config.strict);
  if (!found) return refuse("Virtual network " + shortened(id + name) + " does not exist");
  return *found;
}

// Bytes of hexadecimal digits, or the text itself where it is none.
std::string from_hex(const std::string& text) {
  std::string bytes;
  if (text.size() % 2 != 0) return text;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned value = 0;
    const char* const end = text.data() + i + 2;
    const auto [at, error] = std::from_chars(text.data() + i, end, value, 16);
    if (error != std::errc() || at != end) return text;
    bytes += static_cast<char>(value);
  }
  return bytes;
}

std::string user_data_of(const one::Template& from) {
  const one::Attribute* context = one::find(from, "CONTEXT");
  const auto look = [&](const char* name) {
    const std::string in_context = context == nullptr ? std::string() : context->part(name);
    return in_context.empty() ? one::value_of(from, name) : in_context;
  };
  std::string text = look("USER_DATA");
  if (text.empty()) text = look("USERDATA");
  if (text.empty()) return from_hex(look("AGENT_USER_DATA"));
  if (look("USERDATA_ENCODING") != "base64") return text;
  const auto decoded = base64_decode(text);
  return decoded ? *decoded : text;
}

bool is_positive(const std::string& text, bool whole) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0 && value < 1e12 &&
         (!whole || text.find_first_not_of("0123456789") == std::string::npos);
}

}  // namespace

UserAttributes user_attributes(const one::Template& from) {
  UserAttributes made;
  for (const one::Attribute& each : from) {
    if (is_machine(each.name)) continue;
    const std::string key = one::tag_key(each.name);
    const bool fits = !each.vector && each.value.size() <= kTagBytesMax && key.size() <= kTagBytesMax &&
                      made.tags.size() < kTagsMax;
    const bool twice =
        std::any_of(made.tags.begin(), made.tags.end(), [&](const auto& tag) { return tag.first == key; });
    if (fits && !twice)
      made.tags.emplace_back(key, each.value);
    else
      made.others.push_back(each);
  }
  return made;
}

Result<Allocation> allocation_of(const Backend& backend, const one::Template& from) {
  const cloud::CloudConfig& config = backend.cloud().config();
  if (!is_positive(one::value_of(from, "CPU"), false))
    return refuse("CPU attribute must be a positive float or integer value.");
  if (!is_positive(one::value_of(from, "MEMORY"), true))
    return refuse("MEMORY attribute must be a positive integer value.");
  const std::string vcpu = one::value_of(from, "VCPU");
  if (!vcpu.empty() && !is_positive(vcpu, true))
    return refuse("VCPU attribute must be a positive integer value.");

  Allocation made;
  made.spec.name = one::value_of(from, "NAME");
  if (made.spec.name.size() > kNameMax)
    return refuse("Invalid NAME, its length exceeds " + std::to_string(kNameMax) + " characters.");
  if (made.spec.name.empty()) made.spec.name = "one-" + std::to_string(backend.cloud().total_created());
  DROVER_TRY(made.spec.image, image_of(config, from));
  DROVER_TRY(made.spec.network, network_of(config, from));
  made.spec.size = one::value_of(from, "DROVER_SIZE");
  if (made.spec.size.empty()) made.spec.size = one::value_of(from, "INSTANCE_TYPE");
  if (made.spec.size.empty()) made.spec.size = first_of(config.sizes);
  made.spec.user_data = user_data_of(from);
  made.spec.extras = kMadeHere;
  UserAttributes user = user_attributes(from);
  made.spec.tags = std::move(user.tags);
  made.notes.user = std::move(user.others);
  for (const one::Attribute& each : from)
    if (is_machine(each.name) && each.name != "NAME") made.notes.of.push_back(each);
  return made;
}

void allocate(Backend& backend, Exchange exchange, const one::Template& from, bool hold,
              std::int64_t made_of) {
  auto allocation = allocation_of(backend, from);
  if (!allocation) return fail(exchange, kInternal, allocation.error().message);
  auto state =
      std::make_shared<std::pair<Exchange, Allocation>>(std::move(exchange), std::move(allocation).value());
  state->second.notes.held = hold;
  state->second.notes.made_of = made_of;
  const std::string subject = backend.subject(state->first.http, state->second.spec);
  CallContext context;
  context.subject = subject;
  backend.calls().newInstance(context, state->second.spec, {},
                              [&backend, state](const Result<InstanceInfo>& result) {
                                if (!result) return fail(state->first, result.error());
                                const std::string& id = result.value().id;
                                if (state->second.notes.held) {
                                  cloud::BootOutcome never;
                                  never.kind = cloud::BootOutcome::Kind::never;
                                  // Too late where it has booted already: it runs then, as a released one
                                  // does.
                                  if (!backend.cloud().set_boot_outcome(id, never))
                                    state->second.notes.held = false;
                                }
                                keep_notes(backend, id, state->second.notes);
                                succeed(state->first, vm_id(id));
                              });
}

}  // namespace drover::wire::opennebula
