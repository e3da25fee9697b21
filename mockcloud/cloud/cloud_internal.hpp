// The parts of Cloud that its own source files share; included by them alone.
#pragma once

#include "mockcloud/cloud/cloud.hpp"

namespace drover::cloud {

class Cloud::Change {
 public:
  explicit Change(Cloud& cloud) : cloud_(cloud) { cloud_.tables_->begin_change(); }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;
  ~Change() {
    if (cloud_.tables_->end_change()) cloud_.tables_->commit(cloud_.counters());
  }

 private:
  Cloud& cloud_;
};

// Half of the latency, then the effect, then the other half, then the answer.
template <class T, class Function>
void Cloud::call(std::string_view subject, std::string_view site, Handler<T> handler, Function effect) {
  const Duration latency = config_.call_latency.sample(choices_, subject, site);
  const Duration half = latency / 2;
  const Duration rest = latency - half;
  scheduler_.call_after(
      domain_, half, [this, rest, handler = std::move(handler), effect = std::move(effect)]() mutable {
        Result<T> result = [&]() -> Result<T> {
          Change change(*this);
          if (auto admitted = admit(); !admitted) return std::move(admitted).error();
          return effect();
        }();
        scheduler_.call_after(domain_, rest,
                              [handler = std::move(handler), result = std::move(result)]() mutable {
                                handler(std::move(result));
                              });
      });
}

template <class Function>
void Cloud::update(Instance& vm, Function change) {
  const auto state = static_cast<std::size_t>(vm.state);
  const bool live = vm.live(), zombie = vm.zombie(), counted = vm.counts_to_quota;
  snapshots_.before_change(vm);
  change();
  --counts_[state];
  live_ -= live ? 1 : 0;
  zombies_ -= zombie ? 1 : 0;
  quota_used_ -= counted ? 1 : 0;
  count_in(vm);
  tables_->save_instance(vm);
  remember_appearance(vm);
  mark_changed(vm);
}

// Whom a call's draws are keyed by: the caller's subject, or else the thing it is about.
inline std::string_view subject_or(std::string_view subject, const std::string& fallback) {
  return subject.empty() ? std::string_view(fallback) : subject;
}

// Numbers as ids show them: "i-00000001".
inline std::string make_id(std::string_view prefix, std::uint32_t number) {
  const std::string digits = std::to_string(number);
  std::string id(prefix);
  id.append(digits.size() < 8 ? 8 - digits.size() : 0, '0');
  return id + digits;
}
// The number in an id, 0 for any other text.
std::uint32_t parse_id(std::string_view prefix, std::string_view id);

}  // namespace drover::cloud
