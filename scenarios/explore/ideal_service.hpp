// What a service that does everything right would be after some steps of a scenario, with no fault in its
// way: as far as the steps themselves say it. The shrinker has no other manager to ask than the one that may
// be broken. Pure.
#pragma once

#include <cstddef>
#include <map>
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
  // `quota`: how many VMs its cloud lets it have.
  explicit IdealService(std::optional<std::size_t> quota = std::nullopt) : quota_(quota) {}

  // Takes in what the step does. False when it does something that is not foreseen here; is that more than to
  // the users and their data, nothing is known from then on.
  bool take(const scenario::Step& step);
  bool known() const { return known_; }

  // Whether it would accept the call now, and its operation would end as the call says.
  bool accepts(const scenario::Call& call) const;
  // Whether the answer that the call expects is right whatever happens but to the journal, for its `key` was
  // used before: the same operation once more, or that it was for something else.
  bool knows_the_key_of(const scenario::Call& call) const;
  // Whether the operation that `await` names ends in that state.
  bool carries_through(const scenario::Await& await) const;
  // A metric of metrics.cpp, once all operations have ended. Nothing for those that are not foreseen.
  std::optional<scenario::Value> value(std::string_view metric) const;

  // Operations whose end no step has waited for.
  bool is_settled() const { return unsettled_.empty(); }
  // All that is foreseen, as text: equal for equal services.
  std::string to_text() const;

 private:
  using Node = std::size_t;  // numbered from 1
  enum class End : unsigned char { unforeseen, done, failed };
  struct Begun {
    std::string as, key;
    bool adds = false;  // nodes; the others of these run one after the other
  };
  struct Keyed {
    std::string request, as;
    End end = End::done;
  };

  End apply(const scenario::Call& call);
  void remember_key(const scenario::Call& call, End end);
  End begin(const scenario::Call& call);
  End add(std::size_t count);
  End remove(const nlohmann::json& with);
  End set_role(const scenario::Call& call);
  End fail_over(const nlohmann::json& with);
  void take_away(Node node);
  std::optional<Node> node_of(const nlohmann::json& with, const char* argument) const;  // nothing: unclear
  bool adds_are_settled() const;
  // It has ended, and those before it that run one after the other with it.
  void settle(std::vector<Begun>::const_iterator ended);
  bool unforeseen() { return known_ = false; }

  bool known_ = true;
  std::optional<std::size_t> quota_;
  std::size_t created_ = 0, leaving_ = 0, removed_ = 0, failed_ = 0;
  std::set<Node> members_, replicas_;
  Node master_ = 0;
  bool has_moved_ = false;  // the master, to one of the replicas
  unsigned epoch_ = 0;
  std::vector<Begun> unsettled_;
  std::map<std::string, End> ends_;  // of operations, by their capture
  std::map<std::string, Keyed> keys_;
};

}  // namespace drover::explore
