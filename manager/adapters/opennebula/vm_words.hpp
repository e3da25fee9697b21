// OpenNebula's words and drover's: VMs out of XML, templates out of specs, refusals out of codes. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "manager/adapters/opennebula/opennebula_cloud.hpp"

namespace drover::opennebula {

// Attributes of the user template that are the driver's own, and no tags.
inline constexpr const char* kTokenAttribute = "DROVER_TOKEN";
inline constexpr const char* kDigestAttribute = "DROVER_SPEC";
inline constexpr const char* kSizeAttribute = "DROVER_SIZE";
inline constexpr const char* kImageAttribute = "DROVER_IMAGE";

struct VmRecord {
  std::int64_t id = 0;
  InstanceInfo info;
  std::string token;
  std::string digest;
};

InstanceState state_of(int state, int lcm_state);
// <VM> or <VM_POOL>. Errors: ErrorCode::protocol.
Result<VmRecord> parse_vm(const std::string& xml);
Result<std::vector<VmRecord>> parse_vm_pool(const std::string& xml);

struct NamedObject {
  std::int64_t id = 0;
  std::string name;
};
// The objects of <IMAGE_POOL>, <VNET_POOL>, …. Errors: ErrorCode::protocol.
Result<std::vector<NamedObject>> parse_pool(const std::string& xml);

// What the token is kept as: itself where it is short and plain, else its hash.
std::string kept_token(const std::string& token);
std::string digest_of(const InstanceSpec& spec);

struct Placed {
  InstanceSpec spec;
  std::string image_id, network_id;
  std::string token, digest;
};
// The text for one.vm.allocate: every value quoted, none pasted. Errors: ErrorCode::invalid (an unknown size,
// a value that templates cannot hold, a template that is none).
Result<std::string> vm_template(const OpenNebulaConfig& config, const Placed& placed);

// The value of an answer, or the refusal in it. `reading`: nothing can have changed.
Result<xml_rpc::Value> value_of_reply(const std::string& method, const std::string& body, bool reading);
// For an HTTP status that is not 200.
Error error_of_status(const std::string& method, const http::Response& response, bool reading);

}  // namespace drover::opennebula
