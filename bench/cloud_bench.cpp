// The mock cloud: calls with 10, 1,000 and 10,000 instances in it, each from the call to its answer, the
// instance's row written.
#include <benchmark/benchmark.h>

#include <optional>

#include "mockcloud/cloud/cloud.hpp"

namespace drover {
namespace {

class Stage {
 public:
  explicit Stage(std::int64_t instances)
      : choices_(1), domain_(scheduler_), cloud_(scheduler_, domain_, choices_, trace_, config()) {
    for (std::int64_t i = 0; i < instances; ++i) ids_.push_back(create());
    scheduler_.run_until(scheduler_.later(10min));
  }

  std::string create() {
    const std::string name = "node-" + std::to_string(++created_);
    const InstanceSpec spec{
        name, "debian-12-drover", "small", "default", "", {{kServiceTag, "drover"}, {kNodeTag, name + ".1"}}};
    const auto info = ask<InstanceInfo>([&](Handler<InstanceInfo> handler) {
      cloud_.newInstance(CallContext{name}, spec, "drover:" + name + ".1", std::move(handler));
    });
    return info.value().id;
  }
  Result<InstanceInfo> look_up(std::size_t n) {
    return ask<InstanceInfo>([&](Handler<InstanceInfo> handler) {
      cloud_.getVMInfo(CallContext{"node-1"}, ids_[n % ids_.size()], std::move(handler));
    });
  }
  std::size_t list() {
    using Infos = std::vector<InstanceInfo>;
    return ask<Infos>([&](Handler<Infos> handler) {
             cloud_.listVMs(CallContext{"reconcile"}, kServiceTag, "drover", std::move(handler));
           })
        .value()
        .size();
  }

 private:
  static cloud::CloudConfig config() {
    cloud::CloudConfig config;
    config.call_latency = Distribution::constant(1ms);
    return config;
  }
  template <class T, class Start>
  Result<T> ask(Start start) {
    std::optional<Result<T>> answer;
    start(Handler<T>([&](Result<T> result) { answer.emplace(std::move(result)); }));
    while (!answer && scheduler_.run_one()) {
    }
    return *std::move(answer);
  }

  Scheduler scheduler_;
  Choices choices_;
  Trace trace_;
  Domain domain_;
  cloud::Cloud cloud_;
  std::vector<std::string> ids_;
  std::uint64_t created_ = 0;
};

// The number of instances grows while it runs: a fixed number of calls.
void new_instance(benchmark::State& state) {
  Stage stage(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(stage.create());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(new_instance)
    ->Name("cloud/newInstance")
    ->Arg(10)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Iterations(2'000)
    ->Unit(benchmark::kMicrosecond);

void get_vm_info(benchmark::State& state) {
  Stage stage(state.range(0));
  std::size_t n = 0;
  for (auto _ : state) benchmark::DoNotOptimize(stage.look_up(n += 7));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(get_vm_info)
    ->Name("cloud/getVMInfo")
    ->Arg(10)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Unit(benchmark::kMicrosecond);

// Items are instances listed.
void list_vms(benchmark::State& state) {
  Stage stage(state.range(0));
  std::size_t listed = 0;
  for (auto _ : state) listed += stage.list();
  state.SetItemsProcessed(static_cast<std::int64_t>(listed));
}
BENCHMARK(list_vms)->Name("cloud/listVMs")->Arg(10)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace drover
