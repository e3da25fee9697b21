#include "manager/adapters/opennebula/vm_words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <pugixml.hpp>

#include "manager/system/digest.hpp"
#include "manager/system/one_template.hpp"

namespace drover::opennebula {
namespace {

constexpr std::size_t kAddressMax = 45;
constexpr std::size_t kFaultMax = 500;
constexpr std::size_t kTextMax = 300;
constexpr std::size_t kReplyBytesMax = 64 * 1024 * 1024;
constexpr std::size_t kTokenMax = 128;

// OpenNebula's error codes.
constexpr std::int64_t kAuthentication = 256, kAuthorization = 512, kNoExists = 1024, kAction = 2048,
                       kApi = 4096, kInternal = 8192, kAllocate = 16384, kLocked = 32768,
                       kReplication = 65536;

Error unreadable(const std::string& what) {
  return make_error(ErrorCode::protocol, "OpenNebula's answer could not be understood: " + what);
}

Result<void> load(pugi::xml_document& document, const std::string& xml) {
  const auto parsed = document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!parsed) return unreadable(parsed.description());
  return success();
}

// A number of at most nine digits, or -1.
std::int64_t number_of(const pugi::xml_node& node, const char* name) {
  const std::string_view text = node.child_value(name);
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > INT32_MAX) return -1;
  return number;
}

std::string address_of(const pugi::xml_node& vm) {
  const pugi::xml_node body = vm.child("TEMPLATE");
  for (const char* text :
       {body.child("NIC").child_value("IP"), body.child("CONTEXT").child_value("ETH0_IP"),
        body.child("NIC").child_value("IP6_GLOBAL"), body.child("CONTEXT").child_value("ETH0_IP6")}) {
    const std::string_view address = text;
    if (address.empty() || address.size() > kAddressMax) continue;
    if (address.find_first_not_of("0123456789abcdefABCDEF.:") == std::string_view::npos)
      return std::string(address);
  }
  return {};
}

std::string image_of(const pugi::xml_node& vm, const std::string& asked) {
  const pugi::xml_node disk = vm.child("TEMPLATE").child("DISK");
  const std::string name = disk.child_value("IMAGE"), id = disk.child_value("IMAGE_ID");
  if (!asked.empty() && (asked == name || asked == id)) return asked;
  if (!name.empty()) return name;
  return id.empty() ? asked : id;
}

bool has_elements(const pugi::xml_node& node) {
  for (const pugi::xml_node& child : node.children())
    if (child.type() == pugi::node_element) return true;
  return false;
}

std::string fault_of(const pugi::xml_node& vm, std::int64_t lcm) {
  std::string fault = vm.child("USER_TEMPLATE").child_value("ERROR");
  if (fault.empty()) fault = vm.child("TEMPLATE").child_value("ERROR");
  if (fault.empty()) fault = "OpenNebula reports a failure (LCM_STATE " + std::to_string(lcm) + ")";
  return fault.substr(0, kFaultMax);
}

Result<VmRecord> record_of(const pugi::xml_node& vm) {
  VmRecord record;
  record.id = number_of(vm, "ID");
  const std::int64_t state = number_of(vm, "STATE"), lcm = number_of(vm, "LCM_STATE");
  if (record.id < 0 || state < 0 || lcm < 0) return unreadable("a VM has no usable ID, STATE or LCM_STATE");
  InstanceInfo& info = record.info;
  info.id = std::to_string(record.id);
  info.name = vm.child_value("NAME");
  info.state = state_of(static_cast<int>(state), static_cast<int>(lcm));
  info.address = address_of(vm);
  if (info.state == InstanceState::error) info.fault = fault_of(vm, lcm);
  std::string asked;
  for (const pugi::xml_node& node : vm.child("USER_TEMPLATE").children()) {
    if (node.type() != pugi::node_element || has_elements(node)) continue;
    const std::string_view name = node.name();
    const char* value = node.child_value();
    if (name == kTokenAttribute)
      record.token = value;
    else if (name == kDigestAttribute)
      record.digest = value;
    else if (name == kSizeAttribute)
      info.size = value;
    else if (name == kImageAttribute)
      asked = value;
    else if (name != "ERROR")
      info.tags.emplace_back(one::tag_key(name), value);
  }
  info.image = image_of(vm, asked);
  info.created_at = TimePoint(std::chrono::seconds(std::max<std::int64_t>(0, number_of(vm, "STIME"))));
  return record;
}

// What the other side says, fit for one line of a message.
std::string said(std::string_view text) {
  std::string line(text.substr(0, kTextMax));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') c = ' ';
  return line;
}

bool has(const std::string& text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(), [](char a, char b) {
           const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
           return lower(a) == lower(b);
         }) != text.end();
}

// Code 8192 is for mistakes of the caller as well as for failures of the server; only the words tell.
bool is_refusal(const std::string& message) {
  if (has(message, "internal error")) return false;
  constexpr std::array kWords = {"parse error",       "does not exist",    "does not own",
                                 "attribute must be", "invalid",           "no name",
                                 "not supported",     "cannot get ip/mac", "incorrect"};
  return std::any_of(kWords.begin(), kWords.end(), [&](const char* word) { return has(message, word); });
}

Error refusal(const std::string& method, std::int64_t code, const std::string& text, bool reading) {
  const std::string message =
      "OpenNebula refuses " + method + " (" + std::to_string(code) + "): " + said(text);
  const Effect perhaps = reading ? Effect::none : Effect::possible;
  switch (code) {
    case kAuthentication:
      return make_error(
          ErrorCode::unauthenticated,
          message + " Check opennebula.user and its password, and whether `hashed` fits the server.");
    case kAuthorization:
      if (!has(text, "not authorized") && (has(text, "quota") || has(text, "limit")))
        return make_error(ErrorCode::quota, message + " Terminate VMs or raise the user's quota.");
      return make_error(ErrorCode::permission, message);
    case kNoExists:
      return make_error(ErrorCode::not_found, message);
    case kAction:
      return make_error(ErrorCode::wrong_state, message);
    case kApi:
      return make_error(ErrorCode::invalid, message);
    case kAllocate:
      return make_error(ErrorCode::capacity, message, Effect::none, Retry::later);
    case kLocked:
      return make_error(ErrorCode::wrong_state, message, Effect::none, Retry::later);
    case kReplication:
      return make_error(ErrorCode::unavailable, message, perhaps, Retry::later);
    case kInternal:
      if (has(text, "already taken")) return make_error(ErrorCode::already_exists, message);
      if (is_refusal(text)) return make_error(ErrorCode::invalid, message);
      return make_error(ErrorCode::internal, message, perhaps, Retry::soon);
    default:
      return make_error(ErrorCode::internal, message, perhaps, Retry::soon);
  }
}

Error fault(const std::string& method, const xml_rpc::Reply& reply, bool reading) {
  // -501 to -509: the XML-RPC library did not take the call.
  const bool before = reply.fault_code <= -501 && reply.fault_code >= -509 && reply.fault_code != -505;
  return make_error(ErrorCode::protocol,
                    method + ": the XML-RPC server answers with fault " + std::to_string(reply.fault_code) +
                        ": " + said(reply.fault_text) +
                        ". Check that the URL is oned's and that its version is 5 or newer.",
                    before || reading ? Effect::none : Effect::possible);
}

}  // namespace

InstanceState state_of(int state, int lcm) {
  switch (state) {
    case 0:   // INIT
    case 1:   // PENDING
    case 2:   // HOLD
    case 10:  // CLONING
      return InstanceState::pending;
    case 4:  // STOPPED
    case 5:  // SUSPENDED
    case 8:  // POWEROFF
    case 9:  // UNDEPLOYED
      return InstanceState::stopped;
    case 6:  // DONE
      return InstanceState::terminated;
    case 3:  // ACTIVE: LCM_STATE tells
      break;
    default:  // FAILED, CLONING_FAILURE, and what we do not know
      return InstanceState::error;
  }
  constexpr std::array kPending = {0, 1, 2, 9, 15, 19, 20, 21, 22, 31, 32, 33, 34, 35};
  constexpr std::array kStopping = {5, 6, 10, 18, 29, 30};
  constexpr std::array kGoing = {11, 12, 13, 23};
  constexpr std::array kFailed = {14, 36, 37, 38, 39, 40, 41, 42, 44, 46, 47, 48, 49, 50, 61};
  const auto among = [&](const auto& states) {
    return std::find(states.begin(), states.end(), lcm) != states.end();
  };
  if (among(kPending)) return InstanceState::pending;
  if (among(kStopping)) return InstanceState::stopping;
  if (among(kGoing)) return InstanceState::shutting_down;
  if (among(kFailed)) return InstanceState::error;
  return InstanceState::running;  // and all that is done to a running VM; UNKNOWN too: its agent tells
}

Result<VmRecord> parse_vm(const std::string& xml) {
  pugi::xml_document document;
  DROVER_TRY(load(document, xml));
  const pugi::xml_node vm = document.child("VM");
  if (!vm) return unreadable("it is no <VM>");
  return record_of(vm);
}

Result<std::vector<VmRecord>> parse_vm_pool(const std::string& xml) {
  pugi::xml_document document;
  DROVER_TRY(load(document, xml));
  const pugi::xml_node pool = document.child("VM_POOL");
  if (!pool) return unreadable("it is no <VM_POOL>");
  std::vector<VmRecord> all;
  for (const pugi::xml_node& vm : pool.children("VM")) {
    DROVER_TRY(auto record, record_of(vm));
    all.push_back(std::move(record));
  }
  return all;
}

Result<std::vector<NamedObject>> parse_pool(const std::string& xml) {
  pugi::xml_document document;
  DROVER_TRY(load(document, xml));
  std::vector<NamedObject> all;
  for (const pugi::xml_node& node : document.document_element().children()) {
    const std::int64_t id = number_of(node, "ID");
    if (id >= 0) all.push_back(NamedObject{id, node.child_value("NAME")});
  }
  return all;
}

std::string kept_token(const std::string& token) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-/";
  if (token.size() <= kTokenMax && token.find_first_not_of(kPlain) == std::string::npos) return token;
  return "sha256-" + to_hex(sha256(token));
}

std::string digest_of(const InstanceSpec& spec) {
  std::string all;
  const auto add = [&](const std::string& text) { all += std::to_string(text.size()) + ":" + text; };
  for (const std::string* text : {&spec.name, &spec.image, &spec.size, &spec.network, &spec.user_data})
    add(*text);
  for (const auto& [key, value] : spec.tags) {
    add(key);
    add(value);
  }
  return to_hex(sha256(all));
}

Result<xml_rpc::Value> value_of_reply(const std::string& method, const std::string& body, bool reading) {
  xml_rpc::Limits limits;
  limits.bytes = kReplyBytesMax;
  const Effect perhaps = reading ? Effect::none : Effect::possible;
  auto reply = xml_rpc::parse_reply(body, limits);
  if (!reply) {
    Error error = unreadable(said(reply.error().message) + " (" + method + ")");
    error.effect = perhaps;
    return error;
  }
  if (reply.value().fault) return fault(method, reply.value(), reading);
  auto& items = reply.value().value.items;
  using Kind = xml_rpc::Value::Kind;
  if (reply.value().value.kind != Kind::array || items.size() < 2 || items[0].kind != Kind::boolean) {
    Error error = unreadable("it is no array of a success and a value (" + method + ")");
    error.effect = perhaps;
    return error;
  }
  if (items[0].number == 1) return std::move(items[1]);
  const std::int64_t code = items.size() > 2 ? items[2].number : 0;
  return refusal(method, code, items[1].text, reading);
}

Error error_of_status(const std::string& method, const http::Response& response, bool reading) {
  const std::string status = std::to_string(response.status);
  const std::string what = "OpenNebula at the configured URL answers " + method + " with HTTP " + status +
                           " " + http::reason_of(response.status);
  Duration wait{0};
  if (const std::string* after = response.field("Retry-After"); after != nullptr) {
    unsigned seconds = 0;
    const auto [end, error] = std::from_chars(after->data(), after->data() + after->size(), seconds);
    if (error == std::errc() && end == after->data() + after->size())
      wait = std::chrono::seconds(std::min(seconds, 3600U));
  }
  if (response.status == 429) {
    Error error = make_error(ErrorCode::throttled, what + "; slow down", Effect::none, Retry::later);
    error.retry_after = wait;
    return error;
  }
  if (response.status == 401) return make_error(ErrorCode::unauthenticated, what);
  if (response.status == 403) return make_error(ErrorCode::permission, what);
  if (response.status == 413) return make_error(ErrorCode::invalid, what);
  if (response.status == 404 || response.status == 405)
    return make_error(ErrorCode::protocol, what + "; check the URL, it usually ends with :2633/RPC2");
  const bool failing = response.status >= 500;
  Error error = make_error(failing ? ErrorCode::unavailable : ErrorCode::protocol, what,
                           reading ? Effect::none : Effect::possible, failing ? Retry::later : Retry::no);
  error.retry_after = wait;
  return error;
}

}  // namespace drover::opennebula
