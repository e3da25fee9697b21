#include "manager/adapters/opennebula/opennebula_cloud.hpp"

#include <algorithm>

#include "manager/adapters/opennebula/listing.hpp"
#include "manager/system/digest.hpp"

namespace drover {
namespace {

using opennebula::VmRecord;
using xml_rpc::Value;

constexpr std::size_t kKnownMax = 100'000;
constexpr std::size_t kIdDigitsMax = 9;

Error no_volumes() {
  return make_error(ErrorCode::invalid,
                    "the driver of OpenNebula has no volumes: a VM's data is on the disk of its template");
}

Error not_found(const std::string& id) {
  return make_error(ErrorCode::not_found, "OpenNebula has no VM \"" + id.substr(0, 80) + "\"");
}

std::optional<std::int64_t> vm_number(const std::string& id) {
  if (id.empty() || id.size() > kIdDigitsMax || id.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoll(id);
}

}  // namespace

OpenNebulaCloud::OpenNebulaCloud(Scheduler& scheduler, HttpClient& client, OpenNebulaConfig config)
    : scheduler_(scheduler), client_(client), config_(std::move(config)), domain_(scheduler) {
  if (const auto url = http::parse_url(config_.url)) {
    url_ = *url;
    url_valid_ = true;
  }
  if (url_.path.empty()) url_.path = "/RPC2";
  const std::string& password = config_.password.value;
  session_ = config_.user + ":" + (config_.hashed ? to_hex(sha1(password)) : password);
}

OpenNebulaCloud::~OpenNebulaCloud() = default;

void OpenNebulaCloud::newInstance(const CallContext& context, const InstanceSpec& spec,
                                  const std::string& token, Handler<InstanceInfo> handler) {
  spawn(domain_, run_new(ask_of(context), spec, token, std::move(handler)));
}

void OpenNebulaCloud::killInstance(const CallContext& context, const std::string& id, Handler<void> handler) {
  spawn(domain_, run_kill(ask_of(context), id, std::move(handler)));
}

void OpenNebulaCloud::getVMInfo(const CallContext& context, const std::string& id,
                                Handler<InstanceInfo> handler) {
  spawn(domain_, run_info(ask_of(context), id, std::move(handler)));
}

void OpenNebulaCloud::listVMs(const CallContext& context, const std::string& key, const std::string& value,
                              Handler<std::vector<InstanceInfo>> handler) {
  spawn(domain_, run_list(ask_of(context), key, value, std::move(handler)));
}

void OpenNebulaCloud::createVolume(const CallContext&, const std::string&, unsigned, const std::string&,
                                   Handler<VolumeInfo> handler) {
  handler(no_volumes());
}

void OpenNebulaCloud::attachVolume(const CallContext&, const std::string&, const std::string&,
                                   Handler<void> handler) {
  handler(no_volumes());
}

void OpenNebulaCloud::deleteVolume(const CallContext&, const std::string&, Handler<void> handler) {
  handler(success());  // what is not there is deleted
}

void OpenNebulaCloud::listVolumes(const CallContext&, Handler<std::vector<VolumeInfo>> handler) {
  handler(std::vector<VolumeInfo>{});
}

Task<void> OpenNebulaCloud::run_new(Ask ask, InstanceSpec spec, std::string token,
                                    Handler<InstanceInfo> handler) {
  // One after the other for one token: the second finds what the first has made.
  while (!token.empty() && under_way_.contains(token)) {
    const Duration wait = left(ask);
    const auto freed = co_await token_free_.wait(wait);
    if (!freed) {
      handler(make_error(ErrorCode::timeout,
                         "newInstance: an earlier call with this token is still under way", Effect::possible,
                         Retry::soon));
      co_return;
    }
  }
  if (!token.empty()) under_way_.insert(token);
  auto result = co_await create(std::move(ask), std::move(spec), token);
  under_way_.erase(token);
  token_free_.notify_all();
  handler(std::move(result));
}

Task<Result<InstanceInfo>> OpenNebulaCloud::create(Ask ask, InstanceSpec spec, std::string token) {
  if (spec.image.empty()) spec.image = config_.image;
  if (spec.network.empty()) spec.network = config_.network;
  const std::string digest = opennebula::digest_of(spec);
  if (!token.empty()) {
    auto twin = co_await twin_of(ask, opennebula::kept_token(token), digest);
    if (!twin) co_return twin.error();
    if (twin.value()) co_return *std::move(twin).value();
  }
  auto made = co_await allocate(ask, std::move(spec), token, digest);
  co_return made;
}

Task<Result<std::optional<InstanceInfo>>> OpenNebulaCloud::twin_of(Ask ask, std::string token,
                                                                   std::string digest) {
  for (bool learned = false;; learned = true) {
    if (const auto found = known_.find(token); found != known_.end()) {
      const Known known = found->second;
      if (known.digest != digest)
        co_return make_error(
            ErrorCode::already_exists,
            "newInstance: the idempotency token was used before with other parameters; use a "
            "new token for a new request");
      auto there = co_await info(ask, known.id);
      const bool done = there ? there.value().state == InstanceState::terminated
                              : there.error().code == ErrorCode::not_found;
      // What this process made is remembered although it is DONE.
      if (there && (known.made || !done)) co_return std::optional<InstanceInfo>(std::move(there).value());
      if (!done) co_return there.error();
      // Another VM may have the same token: all are read again.
      known_.erase(token);
      learned_below_ = 0;
    }
    if (learned) co_return std::optional<InstanceInfo>();
    auto all = co_await learn_tokens(ask);
    if (!all) co_return all.error();
  }
}

Task<Result<void>> OpenNebulaCloud::learn_tokens(Ask ask) {
  if (known_.size() > kKnownMax) {
    known_.clear();
    learned_below_ = 0;
  }
  const std::int64_t first = learned_below_;
  auto listing = co_await list_from(std::move(ask), first);
  if (!listing) co_return listing.error();
  for (const VmRecord& record : listing.value().records) {
    if (!record.token.empty())
      known_.try_emplace(record.token, Known{record.digest, std::to_string(record.id), false});
    learned_below_ = std::max(learned_below_, record.id + 1);
  }
  co_return success();
}

Task<Result<InstanceInfo>> OpenNebulaCloud::allocate(Ask ask, InstanceSpec spec, std::string token,
                                                     std::string digest) {
  opennebula::Placed placed;
  auto image = co_await id_of(ask, "image", spec.image);
  if (!image) co_return image.error();
  placed.image_id = std::move(image).value();
  auto network = co_await id_of(ask, "vn", spec.network);
  if (!network) co_return network.error();
  placed.network_id = std::move(network).value();
  placed.token = token.empty() ? std::string() : opennebula::kept_token(token);
  placed.digest = digest;
  placed.spec = spec;
  auto text = opennebula::vm_template(config_, placed);
  if (!text) co_return text.error();

  std::vector<Value> params;
  params.push_back(Value::of_text(std::move(text).value()));
  params.push_back(Value::of_bool(false));
  auto answer = co_await call(ask, "one.vm.allocate", std::move(params), false);
  if (!answer) {
    // An id that was found earlier may be another's by now.
    if (answer.error().code == ErrorCode::invalid) found_.clear();
    co_return answer.error();
  }
  if (answer.value().kind != Value::Kind::integer || answer.value().number < 0)
    co_return make_error(ErrorCode::protocol, "one.vm.allocate answered no VM id", Effect::possible,
                         Retry::soon);
  InstanceInfo made;
  made.id = std::to_string(answer.value().number);
  made.name = spec.name;
  made.image = spec.image;
  made.size = spec.size;
  made.tags = spec.tags;
  made.created_at = scheduler_.now();
  if (!token.empty()) {
    known_[placed.token] = Known{digest, made.id, true};
  }
  co_return made;
}

Task<void> OpenNebulaCloud::run_kill(Ask ask, std::string id, Handler<void> handler) {
  auto result = co_await kill(std::move(ask), std::move(id));
  handler(std::move(result));
}

Task<Result<void>> OpenNebulaCloud::kill(Ask ask, std::string id) {
  const auto number = vm_number(id);
  if (!number) co_return not_found(id);
  while (true) {
    std::vector<Value> params;
    params.push_back(Value::of_text("terminate-hard"));
    params.push_back(Value::of_int(*number));
    auto answer = co_await call(ask, "one.vm.action", std::move(params), false);
    if (answer) co_return success();
    const Error refused = answer.error();
    if (refused.code == ErrorCode::not_found) co_return success();
    if (refused.code != ErrorCode::wrong_state) co_return refused;
    // In transition: it may be going already, and otherwise can be ended a little later.
    auto there = co_await info(ask, id);
    if (!there && there.error().code == ErrorCode::not_found) co_return success();
    if (there && is_gone(there.value().state)) co_return success();
    if (left(ask) <= config_.wrong_state_retry) co_return refused;
    co_await sleep_for(config_.wrong_state_retry);
  }
}

Task<void> OpenNebulaCloud::run_info(Ask ask, std::string id, Handler<InstanceInfo> handler) {
  auto result = co_await info(std::move(ask), std::move(id));
  handler(std::move(result));
}

Task<Result<InstanceInfo>> OpenNebulaCloud::info(Ask ask, std::string id) {
  const auto number = vm_number(id);
  if (!number) co_return not_found(id);
  std::vector<Value> params;
  params.push_back(Value::of_int(*number));
  params.push_back(Value::of_bool(false));
  auto answer = co_await read(ask, "one.vm.info", std::move(params));
  if (!answer && answer.error().code == ErrorCode::not_found) co_return not_found(id);
  if (!answer) co_return answer.error();
  auto record = opennebula::parse_vm(answer.value());
  if (!record) co_return record.error();
  if (record.value().id != *number)
    co_return make_error(ErrorCode::protocol, "one.vm.info of " + id + " answered another VM");
  co_return std::move(record.value().info);
}

Task<void> OpenNebulaCloud::run_list(Ask ask, std::string key, std::string value,
                                     Handler<std::vector<InstanceInfo>> handler) {
  auto listing = co_await list(std::move(ask));
  if (!listing) {
    handler(listing.error());
    co_return;
  }
  std::vector<InstanceInfo> found;
  for (VmRecord& record : listing.value().records)
    if (key.empty() || record.info.tag(key) == value) found.push_back(std::move(record.info));
  handler(std::move(found));
}

Task<Result<OpenNebulaCloud::Listing>> OpenNebulaCloud::list(Ask ask) {
  constexpr int kAttempts = 4;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Listing listing;
    const auto whole = co_await add_pages(ask, &listing);
    if (!whole) co_return whole.error();
    if (!whole.value()) continue;  // it changed meanwhile
    listing.sort();
    co_return listing;
  }
  co_return make_error(ErrorCode::unavailable,
                       "the list of VMs changed too often while it was read; try again", Effect::none,
                       Retry::soon);
}

Task<Result<OpenNebulaCloud::Listing>> OpenNebulaCloud::list_from(Ask ask, std::int64_t first) {
  if (first == 0) {
    auto all = co_await list(std::move(ask));
    co_return all;
  }
  std::vector<Value> params;
  // -3: the user's own; a range of ids with an open end; -1: every state but DONE.
  for (const std::int64_t number : std::initializer_list<std::int64_t>{-3, first, -1, -1})
    params.push_back(Value::of_int(number));
  auto answer = co_await read(std::move(ask), "one.vmpool.info", std::move(params));
  if (!answer) co_return answer.error();
  auto range = opennebula::parse_vm_pool(answer.value());
  if (!range) co_return range.error();
  Listing listing;
  listing.join(std::move(range).value());
  listing.sort();
  co_return listing;
}

// Pages overlap by one VM. Where a page does not begin with the VM that the one before ended with, VMs have
// left the list meanwhile, and one could be missed: false, the list is read again.
Task<Result<bool>> OpenNebulaCloud::add_pages(Ask ask, Listing* listing) {
  const std::int64_t size = std::max(2U, config_.page_size);
  std::int64_t offset = 0;
  while (true) {
    std::vector<Value> params;
    // -3: the user's own; a negative end is a page's size; -1: every state but DONE.
    const std::int64_t page_size = -size;
    for (const std::int64_t number : std::initializer_list<std::int64_t>{-3, offset, page_size, -1})
      params.push_back(Value::of_int(number));
    auto answer = co_await read(ask, "one.vmpool.info", std::move(params));
    if (!answer) co_return answer.error();
    auto page = opennebula::parse_vm_pool(answer.value());
    if (!page) co_return page.error();
    const auto count = static_cast<std::int64_t>(page.value().size());
    const bool joins = listing->join(std::move(page).value());
    if (!joins) co_return false;
    // A server that knows no pages gives everything at once.
    if (count != size) co_return true;
    offset += size - 1;
  }
}

}  // namespace drover
