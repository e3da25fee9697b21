// What the local cloud knows, as a file: instances.json in its folder.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "manager/adapters/local_cloud.hpp"
#include "manager/system/child_process.hpp"

namespace drover {
namespace {

using nlohmann::json;

std::int64_t to_stored(TimePoint at) { return at.time_since_epoch().count(); }
TimePoint from_stored(std::int64_t ns) { return TimePoint(Duration(ns)); }

json encode(const Tags& tags) {
  json list = json::array();
  for (const auto& [key, value] : tags) list.push_back({key, value});
  return list;
}

}  // namespace

Result<void> LocalCloud::save() {
  json list = json::array();
  for (const Vm& vm : vms_)
    list.push_back({{"number", vm.number},
                    {"id", vm.info.id},
                    {"token", vm.token},
                    {"name", vm.spec.name},
                    {"image", vm.spec.image},
                    {"size", vm.spec.size},
                    {"network", vm.spec.network},
                    {"user_data", vm.spec.user_data},
                    {"tags", encode(vm.spec.tags)},
                    {"state", static_cast<int>(vm.info.state)},
                    {"fault", vm.info.fault},
                    {"address", vm.info.address},
                    {"created_at_ns", to_stored(vm.info.created_at)},
                    {"ended_at_ns", to_stored(vm.ended_at)},
                    {"pid", vm.pid},
                    {"start_ticks", vm.start_ticks}});
  const json all{
      {"version", 1}, {"network", network_}, {"next", next_number_}, {"instances", std::move(list)}};
  return system::save_file(config_.folder + "/instances.json",
                           all.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

Result<void> LocalCloud::load() {
  const std::string path = config_.folder + "/instances.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    // Two clouds of one machine should not try the same addresses.
    network_ = config_.network.value_or(static_cast<unsigned>(::getpid())) % (128U * 256U);
    return save();
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  const json all = json::parse(text.str(), nullptr, false);
  const Error damaged = make_error(
      ErrorCode::storage, path + " cannot be read: end the processes of its VMs and delete the folder");
  if (!file || !all.is_object() || all.value("version", json()) != 1) return damaged;
  try {
    network_ = all.at("network").get<unsigned>();
    next_number_ = all.at("next").get<unsigned>();
    for (const json& one : all.at("instances")) {
      Vm vm;
      vm.number = one.at("number").get<unsigned>();
      vm.token = one.at("token").get<std::string>();
      vm.spec.name = one.at("name").get<std::string>();
      vm.spec.image = one.at("image").get<std::string>();
      vm.spec.size = one.at("size").get<std::string>();
      vm.spec.network = one.at("network").get<std::string>();
      vm.spec.user_data = one.at("user_data").get<std::string>();
      for (const json& tag : one.at("tags"))
        vm.spec.tags.emplace_back(tag.at(0).get<std::string>(), tag.at(1).get<std::string>());
      vm.info.id = one.at("id").get<std::string>();
      vm.info.name = vm.spec.name;
      vm.info.image = vm.spec.image;
      vm.info.size = vm.spec.size;
      vm.info.tags = vm.spec.tags;
      vm.info.state = static_cast<InstanceState>(one.at("state").get<int>());
      vm.info.fault = one.at("fault").get<std::string>();
      vm.info.address = one.at("address").get<std::string>();
      vm.info.created_at = from_stored(one.at("created_at_ns").get<std::int64_t>());
      vm.ended_at = from_stored(one.at("ended_at_ns").get<std::int64_t>());
      vm.pid = one.at("pid").get<pid_t>();
      vm.start_ticks = one.at("start_ticks").get<std::uint64_t>();
      vms_.push_back(std::move(vm));
    }
  } catch (const json::exception&) {
    return damaged;
  }
  return success();
}

}  // namespace drover
