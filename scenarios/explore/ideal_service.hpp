// What a service that does everything right would be after some steps of a scenario, with no fault in its
// way: as far as the steps themselves say it. The shrinker has no other manager to ask than the one that may
// be broken. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/engine/scenario.hpp"

namespace drover::explore {

// A call that changes nothing: it only asks, or is to be refused.
bool only_reads(const scenario::Call& call);

class IdealService {
 public:
  // Takes in what the step does. False when it does something that is not foreseen here; is that more than to
  // the users and their data, nothing is known from then on.
  bool take(const scenario::Step& step);
  bool known() const { return known_; }

  // Whether it would accept the call now, and carry its operation through.
  bool accepts(const scenario::Call& call) const;
  // Whether the operation that `await` names is one that it carries through.
  bool carries_through(const scenario::Await& await) const;
  // A metric of metrics.cpp, once all operations have ended. Nothing for those that are not foreseen.
  std::optional<scenario::Value> value(std::string_view metric) const;

  // Operations whose end no step has waited for.
  bool is_settled() const { return unsettled_.empty(); }
  // All that is foreseen, as text: equal for equal services.
  std::string to_text() const;

 private:
  struct Begun {
    std::string as;
    bool adds = false;  // nodes; the others of these run one after the other
  };
  bool apply(const scenario::Call& call);
  std::optional<std::string> node_of(
      const scenario::Call& call) const;  // its argument `id`; nothing: unclear
  bool adds_are_settled() const;
  // It has ended, and those before it that run one after the other with it.
  void settle(const Begun& ended);
  bool unforeseen() { return known_ = false; }

  bool known_ = true;
  std::size_t created_ = 0;  // nodes are numbered from 1
  std::string master_;
  std::set<std::string> replicas_;
  unsigned epoch_ = 0;
  std::vector<Begun> unsettled_;
  std::set<std::string> awaitable_;  // captures of operations that it carries through
};

}  // namespace drover::explore
