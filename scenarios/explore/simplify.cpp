#include "scenarios/explore/simplify.hpp"

#include <algorithm>
#include <functional>
#include <set>

namespace drover::explore {
namespace {

using scenario::Scenario;
using scenario::Step;

class Simplifier {
 public:
  explicit Simplifier(const Scenario& from) : from_(from) {}

  std::vector<Scenario> all() {
    whole();
    steps(from_.steps, [](Scenario& one) -> std::vector<Step>& { return one.steps; });
    settings();
    gather();
    for (std::size_t i = 0; i < from_.faults.size(); ++i) fault(i);
    return std::move(made_);
  }

  std::vector<Scenario> gathered() {
    gather_in_a_row();
    wait_once();
    return std::move(made_);
  }

 private:
  using Change = std::function<void(Scenario&)>;
  void add(const Change& change) {
    Scenario one = from_;
    change(one);
    made_.push_back(std::move(one));
  }

  void whole() {
    if (!from_.values.values.empty()) add([](Scenario& one) { one.values.values.clear(); });
    if (!from_.expect.empty()) add([](Scenario& one) { one.expect.clear(); });
    for (std::size_t i = 0; i < from_.expect.size() && from_.expect.size() > 1; ++i)
      add([i](Scenario& one) { one.expect.erase(one.expect.begin() + static_cast<std::ptrdiff_t>(i)); });
    if (from_.quiesce != scenario::Quiesce{}) add([](Scenario& one) { one.quiesce = {}; });
    if (from_.judge.as_without_faults) add([](Scenario& one) { one.judge.as_without_faults = false; });
    if (from_.real != scenario::RealSettings{}) add([](Scenario& one) { one.real = {}; });
    if (!from_.tags.empty()) add([](Scenario& one) { one.tags.clear(); });
  }

  // The list of steps of `one` that corresponds to the one under examination, at whatever depth.
  using Find = std::function<std::vector<Step>&(Scenario&)>;

  void steps(const std::vector<Step>& list, const Find& find) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Step& step = list[i];
      const auto with = [&, i](const std::function<void(Step&)>& change) {
        add([&](Scenario& one) { change(find(one)[i]); });
      };
      if (const auto* call = std::get_if<scenario::Call>(&step.action)) {
        simplify_call(*call, with);
        for (std::size_t k = i + 1; k < list.size(); ++k)
          if (waits_for(list[k], *call)) add([&, k](Scenario& one) { merge(find(one), i, k); });
        if (const std::size_t before = last_unawaited(list, i); before < i)
          add([&, before](Scenario& one) { wait_for_an_earlier_one(find(one), i, before); });
      } else if (const auto* wait = std::get_if<scenario::Wait>(&step.action)) {
        for (const Duration shorter : {Duration(1s), Duration(10s), Duration(1min), Duration(5min)})
          if (shorter < wait->time)
            with([shorter](Step& one) { std::get<scenario::Wait>(one.action).time = shorter; });
      } else if (const auto* until = std::get_if<scenario::Until>(&step.action)) {
        for (const Duration shorter : {Duration(1min), Duration(5min), Duration(15min)})
          if (shorter < until->time)
            with([shorter](Step& one) { std::get<scenario::Until>(one.action).time = shorter; });
      } else if (const auto* again = std::get_if<scenario::Repeat>(&step.action)) {
        for (const unsigned fewer : {1U, again->times / 2})
          if (fewer != 0 && fewer < again->times)
            with([fewer](Step& one) { std::get<scenario::Repeat>(one.action).times = fewer; });
        inner(again->steps, find, i,
              [](Step& one) -> std::vector<Step>& { return std::get<scenario::Repeat>(one.action).steps; });
      } else if (const auto* beside = std::get_if<scenario::Parallel>(&step.action)) {
        inner(beside->steps, find, i,
              [](Step& one) -> std::vector<Step>& { return std::get<scenario::Parallel>(one.action).steps; });
      }
    }
  }

  // Whether `step` does nothing but wait for the end of the operation that the call begins.
  static bool waits_for(const Step& step, const scenario::Call& call) {
    const auto* await = std::get_if<scenario::Await>(&step.action);
    return await != nullptr && step.name.empty() && call.ends.empty() && !call.background &&
           await->operation == "$" + call.as + ".operation";
  }
  static void merge(std::vector<Step>& list, std::size_t i, std::size_t waiting) {
    auto& call = std::get<scenario::Call>(list[i].action);
    const auto& await = std::get<scenario::Await>(list[waiting].action);
    call.ends = await.state;
    call.within = await.within;
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(waiting));
  }

  // The call before number `i`, whose end is waited for, that has no such wait of its own; `i`: there is
  // none.
  static std::size_t last_unawaited(const std::vector<Step>& list, std::size_t i) {
    if (std::get<scenario::Call>(list[i].action).ends.empty()) return i;
    for (std::size_t k = i; k-- > 0;)
      if (const auto* call = std::get_if<scenario::Call>(&list[k].action);
          call != nullptr && call->ends.empty() && !call->background &&
          call->expect == scenario::CallExpect{})
        return k;
    return i;
  }
  // Where only the wait for a call was wanted, and not the call.
  static void wait_for_an_earlier_one(std::vector<Step>& list, std::size_t i, std::size_t before) {
    const auto& later = std::get<scenario::Call>(list[i].action);
    auto& call = std::get<scenario::Call>(list[before].action);
    call.ends = later.ends;
    call.within = later.within;
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(i));
  }

  void inner(const std::vector<Step>& list, const Find& find, std::size_t i,
             const std::function<std::vector<Step>&(Step&)>& get) {
    const Find deeper = [find, i, get](Scenario& one) -> std::vector<Step>& { return get(find(one)[i]); };
    for (std::size_t k = list.size(); k-- > 0;)
      add([&](Scenario& one) { deeper(one).erase(deeper(one).begin() + static_cast<std::ptrdiff_t>(k)); });
    steps(list, deeper);
  }

  static void simplify_call(const scenario::Call& call,
                            const std::function<void(const std::function<void(Step&)>&)>& with) {
    const auto count = call.with.find("count");
    if (count != call.with.end() && count->is_number_integer()) {
      const auto present = count->get<std::int64_t>();
      for (const std::int64_t fewer : {std::int64_t{1}, present / 2, present - 1})
        if (fewer >= 1 && fewer < present)
          with([fewer](Step& one) { std::get<scenario::Call>(one.action).with["count"] = fewer; });
    }
    for (const char* optional : {"key", "partial", "force"})
      if (call.with.contains(optional))
        with([optional](Step& one) { std::get<scenario::Call>(one.action).with.erase(optional); });
    if (call.client) with([](Step& one) { std::get<scenario::Call>(one.action).client.reset(); });
    if (call.background) with([](Step& one) { std::get<scenario::Call>(one.action).background = false; });
    if (call.expect != scenario::CallExpect{})
      with([](Step& one) { std::get<scenario::Call>(one.action).expect = {}; });
    if (!call.ends.empty())
      with([](Step& one) {
        auto& merged = std::get<scenario::Call>(one.action);
        merged.ends.clear();
        merged.within = scenario::kWithinDefault;
      });
    if (!call.as.empty()) with([](Step& one) { std::get<scenario::Call>(one.action).as.clear(); });
  }

  void settings() {
    for (scenario::Settings Scenario::*section :
         {&Scenario::cloud, &Scenario::agents, &Scenario::manager, &Scenario::traffic})
      for (const auto& key : (from_.*section).changed())
        add([section, &key](Scenario& one) { (one.*section).reset(key); });
    if (from_.traffic.integer("writers") > 1)
      add([](Scenario& one) { one.traffic.set("writers", std::int64_t{1}); });
  }

  void wait_once() {
    for (std::size_t i = 1; i < from_.steps.size(); ++i) {
      const auto* before = std::get_if<scenario::Wait>(&from_.steps[i - 1].action);
      const auto* wait = std::get_if<scenario::Wait>(&from_.steps[i].action);
      if (before == nullptr || wait == nullptr) continue;
      add([&](Scenario& one) {
        std::get<scenario::Wait>(one.steps[i].action).time += before->time;
        one.steps.erase(one.steps.begin() + static_cast<std::ptrdiff_t>(i - 1));
      });
    }
  }

  // The same fault at several occurrences of one point: once, for so many in a row.
  void gather() {
    for (std::size_t i = 0; i < from_.faults.size(); ++i) {
      if (!hits_one_occurrence(from_.faults[i])) continue;
      std::vector<std::size_t> others;
      unsigned first = from_.faults[i].when->first, last = first;
      for (std::size_t k = 0; k < from_.faults.size(); ++k) {
        if (k == i || !same_elsewhere(from_.faults[i], from_.faults[k])) continue;
        if (k < i) break;  // gathered there
        others.push_back(k);
        first = std::min(first, from_.faults[k].when->first);
        last = std::max(last, from_.faults[k].when->first);
      }
      if (others.empty()) continue;
      for (const unsigned times :
           std::set<unsigned>{last - first + 1, static_cast<unsigned>(others.size()) + 1})
        add([&](Scenario& one) {
          one.faults[i].when->first = first;
          one.faults[i].when->onward = true;
          one.faults[i].times = times;
          for (auto k = others.rbegin(); k != others.rend(); ++k)
            one.faults.erase(one.faults.begin() + static_cast<std::ptrdiff_t>(*k));
          one.fault_places.resize(one.faults.size());
        });
    }
  }
  // The same where only some of them follow each other: those become one.
  void gather_in_a_row() {
    for (std::size_t i = 0; i < from_.faults.size(); ++i) {
      if (!hits_one_occurrence(from_.faults[i])) continue;
      const unsigned first = from_.faults[i].when->first;
      if (occurrence(i, first - 1) != i) continue;  // its row begins earlier
      std::vector<std::size_t> row;
      for (std::size_t next = occurrence(i, first + 1); next != i;
           next = occurrence(i, first + 1 + std::size(row)))
        row.push_back(next);
      if (row.empty()) continue;
      std::sort(row.begin(), row.end());
      add([&](Scenario& one) {
        one.faults[i].when->onward = true;
        one.faults[i].times = static_cast<unsigned>(row.size()) + 1;
        for (auto k = row.rbegin(); k != row.rend(); ++k)
          one.faults.erase(one.faults.begin() + static_cast<std::ptrdiff_t>(*k));
        one.fault_places.resize(one.faults.size());
      });
    }
  }
  // The fault that is the same as number `i` at this occurrence; `i` when there is none.
  std::size_t occurrence(std::size_t i, std::size_t number) const {
    for (std::size_t k = 0; k < from_.faults.size(); ++k)
      if (k != i && same_elsewhere(from_.faults[i], from_.faults[k]) && from_.faults[k].when->first == number)
        return k;
    return i;
  }
  static bool hits_one_occurrence(const fault::Rule& rule) {
    return rule.when && rule.when->kind == fault::Trigger::Kind::point && !rule.when->onward;
  }
  static bool same_elsewhere(fault::Rule one, fault::Rule other) {
    if (!hits_one_occurrence(one) || !hits_one_occurrence(other)) return false;
    one.when->first = other.when->first = 1;
    return fault::canonical_text(one) == fault::canonical_text(other);
  }

  void fault(std::size_t i) {
    const fault::Rule& rule = from_.faults[i];
    const auto with = [this, i](const std::function<void(fault::Rule&)>& change) {
      add([&](Scenario& one) { change(one.faults[i]); });
    };
    if (!rule.id.empty()) with([](fault::Rule& one) { one.id.clear(); });
    if (rule.until) with([](fault::Rule& one) { one.until.reset(); });
    if (rule.probability) with([](fault::Rule& one) { one.probability.reset(); });
    if (rule.subject) with([](fault::Rule& one) { one.subject.reset(); });
    for (const auto& [name, value] : rule.arguments)
      with([name = name](fault::Rule& one) { one.arguments.erase(name); });
    if (rule.when && rule.when->kind == fault::Trigger::Kind::point) {
      if (rule.when->onward && rule.when->first == 1 && !rule.probability)
        with([](fault::Rule& one) { one.when->onward = false; });
      for (const unsigned earlier : {1U, 2U, 3U})
        if (earlier < rule.when->first) with([earlier](fault::Rule& one) { one.when->first = earlier; });
    }
    if (rule.when && rule.when->kind == fault::Trigger::Kind::then)
      with([](fault::Rule& one) {
        fault::Trigger last = one.when->children.back();
        one.when = std::move(last);
      });
    if (rule.at) snap(*rule.at, with);
  }

  // Round times say that the exact one does not matter.
  static void snap(Duration at, const std::function<void(const std::function<void(fault::Rule&)>&)>& with) {
    for (const Duration step : {Duration(1min), Duration(10s), Duration(1s)}) {
      const Duration rounded = at / step * step;
      if (rounded != at) with([rounded](fault::Rule& one) { one.at = rounded; });
    }
  }

  const Scenario& from_;
  std::vector<Scenario> made_;
};

}  // namespace

std::vector<Scenario> simplifications(const Scenario& scenario) { return Simplifier(scenario).all(); }

std::vector<Scenario> gatherings(const Scenario& scenario) { return Simplifier(scenario).gathered(); }

}  // namespace drover::explore
