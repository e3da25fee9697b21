// The VM template that is given to one.vm.allocate.
#include <charconv>

#include "manager/adapters/opennebula/vm_words.hpp"
#include "manager/system/digest.hpp"
#include "manager/system/one_template.hpp"

namespace drover::opennebula {
namespace {

// USERDATA_ENCODING is understood by cloud-init; VMID tells the agent what it is called.
constexpr const char* kBuiltIn =
    "NAME = \"$NAME\"\n"
    "CPU = $CPU\n"
    "MEMORY = $MEM_SIZE\n"
    "OS = [ ARCH = \"x86_64\" ]\n"
    "DISK = [ IMAGE_ID = $IMAGE_ID ]\n"
    "NIC = [ NETWORK_ID = $NETWORK_ID ]\n"
    "CONTEXT = [ NETWORK = \"YES\", VMID = \"$VMID\", USERDATA_ENCODING = \"base64\",\n"
    "  USER_DATA = \"$USER_DATA_BASE64\" ]\n";

bool is_word(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// A placeholder at the start of `text`: its name and how long it is; no name where there is none.
struct Placeholder {
  std::string_view name;
  std::size_t size = 0;
};
Placeholder placeholder(std::string_view text) {
  const bool braced = text.substr(1).starts_with('{');
  const std::size_t first = braced ? 2 : 1;
  std::size_t end = first;
  while (end < text.size() && is_word(text[end])) ++end;
  if (end == first || (braced && (end == text.size() || text[end] != '}'))) return {};
  return {text.substr(first, end - first), end + (braced ? 1 : 0)};
}

using Values = std::vector<std::pair<std::string_view, std::string>>;

const std::string* find(const Values& values, std::string_view name) {
  for (const auto& [key, value] : values)
    if (key == name) return &value;
  return nullptr;
}

// Texts of the configuration, put in as they stand: they are template text themselves.
std::string with_fragments(std::string_view text, const Values& fragments) {
  std::string out;
  while (!text.empty()) {
    const Placeholder at = text.front() == '$' ? placeholder(text) : Placeholder{};
    const std::string* value = at.size > 0 ? find(fragments, at.name) : nullptr;
    const std::size_t size = value != nullptr ? at.size : 1;
    if (value != nullptr)
      out += *value;
    else
      out += text.front();
    text.remove_prefix(size);
  }
  return out;
}

Error unsayable(std::string_view name) {
  return make_error(ErrorCode::invalid, "newInstance: $" + std::string(name) +
                                            " cannot be said in an OpenNebula template: it must not contain "
                                            "\"]]>\" or control characters, nor end with a backslash");
}

// Values of the spec: inside quotes they are escaped, elsewhere quoted.
Result<std::string> with_values(std::string_view text, const Values& values) {
  std::string out;
  bool quoted = false;
  bool comment = false;
  char before = '\0';
  while (!text.empty()) {
    const char c = text.front();
    const Placeholder at = c == '$' && !comment ? placeholder(text) : Placeholder{};
    const std::string* value = at.size > 0 ? find(values, at.name) : nullptr;
    if (value != nullptr) {
      const auto said = one::quote(*value);
      if (!said) return unsayable(at.name);
      out += quoted ? said->substr(1, said->size() - 2) : *said;
      text.remove_prefix(at.size);
      before = '\0';
      continue;
    }
    if (c == '"' && !comment && (!quoted || before != '\\')) quoted = !quoted;
    if (c == '#' && !quoted) comment = true;
    if (c == '\n') comment = false;
    out += c;
    before = c;
    text.remove_prefix(1);
  }
  return out;
}

const OpenNebulaSize* size_of(const OpenNebulaConfig& config, const std::string& name) {
  for (const OpenNebulaSize& size : config.sizes)
    if (size.name == name) return &size;
  return nullptr;
}

std::string decimal(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return error == std::errc() ? std::string(buffer, end) : "1";
}

std::string user_data_of(const OpenNebulaConfig& config, const InstanceSpec& spec) {
  if (!spec.user_data.empty() || config.agent_script.empty()) return spec.user_data;
  return with_fragments(
      config.agent_script,
      {{"MANAGER_IP", config.manager_ip},
       {"MANAGER_PORT", config.manager_port == 0 ? "" : std::to_string(config.manager_port)}});
}

Error bad_template(const std::string& what) {
  return make_error(ErrorCode::invalid,
                    "opennebula.template is no OpenNebula template: " + what +
                        ". It is text such as NAME = \"$NAME\", with placeholders; see docs/opennebula.md.");
}

}  // namespace

Result<std::string> vm_template(const OpenNebulaConfig& config, const Placed& placed) {
  const InstanceSpec& spec = placed.spec;
  const OpenNebulaSize* size = size_of(config, spec.size);
  if (size == nullptr) {
    std::string known;
    for (const OpenNebulaSize& each : config.sizes) known += (known.empty() ? "" : ", ") + each.name;
    return make_error(ErrorCode::invalid,
                      "newInstance of \"" + spec.name + "\": size \"" + spec.size +
                          "\" is not in opennebula.sizes; there are: " + (known.empty() ? "none" : known));
  }
  const std::string user_data = user_data_of(config, spec);
  const std::string text =
      with_fragments(config.template_text.empty() ? std::string_view(kBuiltIn) : config.template_text,
                     {{"OS", config.os}, {"DISK", config.disk}, {"CONTEXT", config.context}});
  DROVER_TRY(const auto filled, with_values(text, {{"NAME", spec.name},
                                                   {"CPU", decimal(size->cpu)},
                                                   {"MEM_SIZE", std::to_string(size->memory_mb)},
                                                   {"IMAGE_ID", placed.image_id},
                                                   {"NETWORK_ID", placed.network_id},
                                                   {"AGENT_USER_DATA", to_hex(user_data)},
                                                   {"USER_DATA_BASE64", base64_encode(user_data)}}));
  auto parsed = one::parse_template(filled);
  if (!parsed) return bad_template(parsed.error().message);
  one::Template made = std::move(parsed).value();
  const auto put = [&](const char* name, const std::string& value) {
    one::set(made, one::single(name, value));
  };
  put("NAME", spec.name);
  if (one::find(made, "CPU") == nullptr) put("CPU", decimal(size->cpu));
  if (one::find(made, "MEMORY") == nullptr) put("MEMORY", std::to_string(size->memory_mb));
  put(kSizeAttribute, spec.size);
  put(kImageAttribute, spec.image);
  put(kTokenAttribute, placed.token);
  put(kDigestAttribute, placed.digest);
  for (const auto& [key, value] : spec.tags) {
    if (one::tag_key(one::tag_attribute(key)) != key)
      return make_error(ErrorCode::invalid,
                        "newInstance of \"" + spec.name + "\": the tag \"" + key.substr(0, 64) +
                            "\" cannot be kept by OpenNebula; use drover-… in small letters, or capitals");
    one::set(made, one::single(one::tag_attribute(key), value));
  }
  return one::write_text(made);
}

}  // namespace drover::opennebula
