#include "manager/adapters/ec2/ec2_cloud.hpp"

#include <algorithm>

#include "manager/adapters/ec2/ec2_words.hpp"

namespace drover {
namespace {

constexpr std::size_t kPagesMax = 10'000;
constexpr std::size_t kKilledKept = 10'000;
// A VM just made may be unknown to another part of the cloud for so long.
constexpr Duration kUnknownFor = 2min;
constexpr const char* kNotFound = "InvalidInstanceID.NotFound";

Ec2Query::Settings query_settings(const Ec2Config& config) {
  Ec2Query::Settings settings;
  const std::string endpoint =
      config.endpoint.empty() ? "https://ec2." + config.region + ".amazonaws.com" : config.endpoint;
  settings.url = http::parse_url(endpoint).value_or(http::Url{});
  settings.region = config.region;
  settings.api_version = config.api_version;
  settings.credentials = config.credentials;
  return settings;
}

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

// Of a page: what asks for the next one, "" after the last. Errors: protocol, for a listing without an end.
Result<std::string> next_page(pugi::xml_node root, const std::string& former, std::size_t pages) {
  std::string token = root.child_value("nextToken");
  if (!token.empty() && (token == former || pages >= kPagesMax))
    return make_error(ErrorCode::protocol,
                      "the cloud's listing has no end: its pages name the same next one");
  return token;
}

void set_next(Ec2Call& call, const std::string& token) {
  std::erase_if(call.parameters, [](const auto& field) { return field.first == "NextToken"; });
  if (!token.empty()) call.parameters.emplace_back("NextToken", token);
}

}  // namespace

Result<void> check_config(const Ec2Config& config) {
  const auto refuse = [](const std::string& message) { return make_error(ErrorCode::invalid, message); };
  if (config.region.empty() || config.region.size() > 64 ||
      !std::all_of(config.region.begin(), config.region.end(), is_token_char))
    return refuse("ec2.region takes a region's name such as eu-north-1");
  if (!config.endpoint.empty() && !http::parse_url(config.endpoint))
    return refuse("ec2.endpoint takes a URL such as https://ec2.eu-north-1.amazonaws.com");
  if (config.credentials.access_key.empty() || config.credentials.secret.empty())
    return refuse(
        "ec2: no access key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ec2.access_key and "
        "ec2.secret_key_file");
  if (config.page_size < 5 || config.page_size > 1000)
    return refuse("ec2.page_size takes 5 to 1000 instances a page");
  if (config.public_address && !config.subnet.empty())
    for (const auto& group : config.security_groups)
      if (!group.starts_with("sg-"))
        return refuse("ec2.security_groups: with a subnet and public addresses EC2 takes ids (sg-…) only");
  return success();
}

Ec2Cloud::Ec2Cloud(Scheduler& scheduler, HttpClient& client, Ec2Config config,
                   std::function<TimePoint()> wall)
    : scheduler_(scheduler),
      config_(std::move(config)),
      query_(scheduler, client, query_settings(config_), std::move(wall)) {}

Ec2Cloud::~Ec2Cloud() { domain_.kill(); }

// --- the port ---

Ec2Call Ec2Cloud::call(const CallContext& context, const char* action, std::string about) const {
  Ec2Call call;
  call.action = action;
  call.about = std::move(about);
  call.subject = context.subject;
  call.deadline = scheduler_.later(context.timeout);
  return call;
}

template <class T>
Task<void> Ec2Cloud::answer(Task<Result<T>> task, Handler<T> handler) {
  Result<T> result = co_await std::move(task);
  handler(std::move(result));
}

void Ec2Cloud::newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                           Handler<InstanceInfo> handler) {
  Ec2Call run = call(context, "RunInstances", "\"" + spec.name + "\"");
  run.changing = true;
  run.repeatable = !token.empty();
  spawn(domain_, answer(create(std::move(run), spec, token), std::move(handler)));
}

void Ec2Cloud::killInstance(const CallContext& context, const std::string& id, Handler<void> handler) {
  Ec2Call kill = call(context, "TerminateInstances", id);
  kill.changing = true;
  kill.parameters.emplace_back("InstanceId.1", id);
  spawn(domain_, answer(terminate(std::move(kill), id), std::move(handler)));
}

void Ec2Cloud::getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) {
  Ec2Call look = call(context, "DescribeInstances", id);
  look.parameters.emplace_back("InstanceId.1", id);
  spawn(domain_, answer(look_up(std::move(look), id), std::move(handler)));
}

void Ec2Cloud::listVMs(const CallContext& context, const std::string& key, const std::string& value,
                       Handler<Infos> handler) {
  Ec2Call look = call(context, "DescribeInstances", key.empty() ? "all instances" : key + "=" + value);
  if (!key.empty()) {
    look.parameters.emplace_back("Filter.1.Name", "tag:" + key);
    look.parameters.emplace_back("Filter.1.Value.1", value);
  }
  look.parameters.emplace_back("MaxResults", std::to_string(config_.page_size));
  spawn(domain_, answer(list(std::move(look)), std::move(handler)));
}

void Ec2Cloud::createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                            const std::string& token, Handler<VolumeInfo> handler) {
  Ec2Call make = call(context, "CreateVolume", "\"" + name + "\"");
  make.changing = true;
  make.repeatable = !token.empty();
  make.parameters = {{"Size", std::to_string(gigabytes)}};
  if (!config_.volume_type.empty()) make.parameters.emplace_back("VolumeType", config_.volume_type);
  if (!token.empty()) make.parameters.emplace_back("ClientToken", ec2::client_token(token));
  make.parameters.emplace_back("TagSpecification.1.ResourceType", "volume");
  make.parameters.emplace_back("TagSpecification.1.Tag.1.Key", "Name");
  make.parameters.emplace_back("TagSpecification.1.Tag.1.Value", name);
  spawn(domain_, answer(create_volume(std::move(make), name), std::move(handler)));
}

void Ec2Cloud::attachVolume(const CallContext& context, const std::string& volume,
                            const std::string& instance, Handler<void> handler) {
  Ec2Call attachment = call(context, "AttachVolume", volume);
  attachment.changing = true;
  spawn(domain_, answer(attach(std::move(attachment), volume, instance), std::move(handler)));
}

void Ec2Cloud::deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) {
  Ec2Call removal = call(context, "DeleteVolume", volume);
  removal.changing = true;
  removal.parameters.emplace_back("VolumeId", volume);
  spawn(domain_, answer(delete_volume(std::move(removal)), std::move(handler)));
}

void Ec2Cloud::listVolumes(const CallContext& context, Handler<Volumes> handler) {
  Ec2Call look = call(context, "DescribeVolumes", "all volumes");
  look.parameters.emplace_back("MaxResults", std::to_string(config_.page_size));
  spawn(domain_, answer(list_volumes(std::move(look)), std::move(handler)));
}

// --- instances ---

Task<Result<InstanceInfo>> Ec2Cloud::create(Ec2Call run, InstanceSpec spec, std::string token) {
  if (auto checked = check_config(config_); checked.has_error()) co_return std::move(checked).error();
  auto parameters = ec2::run_parameters(spec, token, config_);
  if (parameters.has_error()) co_return std::move(parameters).error();
  run.parameters = std::move(parameters).value();
  std::string code;
  const Result<Ec2Answer> answered = co_await query_.ask(run, &code);
  if (code == "IdempotentInstanceTerminated") {
    Result<InstanceInfo> first = co_await find_by_token(run, ec2::client_token(token));
    if (first.has_value()) co_return first;
  }
  if (answered.has_error()) co_return answered.error();
  const pugi::xml_node item = answered.value().root().child("instancesSet").child("item");
  Result<InstanceInfo> info = ec2::read_instance(item, config_.public_address);
  if (info.has_error()) {
    Error error = std::move(info).error();
    error.message = "RunInstances of " + run.about + ": " + error.message;
    error.effect = Effect::possible;
    co_return error;
  }
  // Some clouds leave the tags out of this answer.
  if (!item.child("tagSet")) {
    info.value().name = spec.name;
    info.value().tags = spec.tags;
  }
  remember_created(info.value().id);
  co_return as_seen(std::move(info).value());
}

// The port wants the first instance of a token, also when it has ended. Listings may lag behind.
Task<Result<InstanceInfo>> Ec2Cloud::find_by_token(Ec2Call look, std::string token) {
  look.action = "DescribeInstances";
  look.changing = false;
  look.parameters = {{"Filter.1.Name", "client-token"}, {"Filter.1.Value.1", std::move(token)}};
  for (Duration pause = 500ms;; pause *= 2) {
    Result<Infos> found = co_await list(look);
    if (found.has_error()) co_return std::move(found).error();
    if (!found.value().empty()) co_return std::move(found.value().front());
    if (scheduler_.now() + pause >= look.deadline) break;
    co_await sleep_for(pause);
  }
  co_return make_error(ErrorCode::not_found, "the instance of the token is not listed any more");
}

Task<Result<void>> Ec2Cloud::terminate(Ec2Call call, std::string id) {
  if (auto checked = check_config(config_); checked.has_error()) co_return std::move(checked).error();
  std::string code;
  const Result<Ec2Answer> answered = co_await query_.ask(std::move(call), &code);
  if (code == kNotFound) {
    const auto made = created_.find(id);
    if (made != created_.end() && scheduler_.now() - made->second < kUnknownFor) {
      co_return make_error(
          ErrorCode::not_found,
          "TerminateInstances of " + id + ": the cloud does not know yet what it has just created; try again",
          Effect::none, Retry::soon);
    }
    co_return success();
  }
  if (answered.has_error()) co_return answered.error();
  created_.erase(id);
  remember_killed(id);
  co_return success();
}

Task<Result<InstanceInfo>> Ec2Cloud::look_up(Ec2Call call, std::string id) {
  Result<Infos> listed = co_await list(std::move(call));
  if (listed.has_error()) co_return std::move(listed).error();
  for (InstanceInfo& info : listed.value())
    if (info.id == id) co_return std::move(info);
  co_return make_error(ErrorCode::not_found, "DescribeInstances of " + id +
                                                 ": no such instance: it is gone, or too new to be listed");
}

Task<Result<Ec2Cloud::Infos>> Ec2Cloud::list(Ec2Call call) {
  if (auto checked = check_config(config_); checked.has_error()) co_return std::move(checked).error();
  Infos infos;
  std::string token;
  for (std::size_t pages = 1;; ++pages) {
    set_next(call, token);
    const Result<Ec2Answer> page = co_await query_.ask(call);
    if (page.has_error()) co_return page.error();
    if (auto read = ec2::read_instances(page.value().root(), config_.public_address, infos); read.has_error())
      co_return std::move(read).error();
    Result<std::string> next = next_page(page.value().root(), token, pages);
    if (next.has_error()) co_return std::move(next).error();
    token = std::move(next).value();
    if (token.empty()) break;
  }
  for (InstanceInfo& info : infos) info = as_seen(std::move(info));
  // The cloud promises no order.
  std::stable_sort(infos.begin(), infos.end(),
                   [](const auto& a, const auto& b) { return a.created_at < b.created_at; });
  co_return infos;
}

// An instance that failed at its launch is over once its termination was accepted: EC2 goes on giving the
// first reason.
InstanceInfo Ec2Cloud::as_seen(InstanceInfo info) const {
  if (info.state != InstanceState::error || !killed_.contains(info.id)) return info;
  info.state = InstanceState::terminated;
  info.fault.clear();
  return info;
}

void Ec2Cloud::remember_created(const std::string& id) {
  std::erase_if(created_, [&](const auto& made) { return scheduler_.now() - made.second >= kUnknownFor; });
  created_.try_emplace(id, scheduler_.now());
}

void Ec2Cloud::remember_killed(const std::string& id) {
  if (!killed_.insert(id).second) return;
  killed_order_.push_back(id);
  if (killed_order_.size() <= kKilledKept) return;
  killed_.erase(killed_order_.front());
  killed_order_.pop_front();
}

}  // namespace drover
