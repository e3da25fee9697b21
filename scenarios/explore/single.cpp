// Modes single and crash: one fault at one observation point, everywhere; and a second crash at every point
// of the recovery from the first.
#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "scenarios/explore/candidates.hpp"
#include "scenarios/explore/generator.hpp"
#include "scenarios/explore/saved_plan.hpp"

namespace drover::explore {
namespace {

// A plan that is not written out yet.
struct Sketch {
  std::uint32_t base = 0;
  std::uint32_t point = 0;
  std::uint32_t candidate = 0;
  std::uint64_t rank = 0;
};

// How early something is tried: first what nothing else tries (a fault at a point), then what differs in its
// context, then the rest; plain scenarios before those that bring faults of their own.
std::uint64_t rank_of(unsigned novelty, const Base& base, std::uint64_t tie) {
  return (static_cast<std::uint64_t>(novelty) << 60U) | (std::uint64_t{base.own_faults} << 59U) | (tie >> 5U);
}

using Enumerate = std::vector<Candidate> (*)(const ObservedPoint&);

class PointByPoint : public Generator {
 public:
  PointByPoint(Mode mode, const GeneratorContext& context, Enumerate enumerate)
      : Generator(mode), context_(context), enumerate_(enumerate) {
    std::unordered_set<std::uint64_t> cells, contexts, seen;
    per_base_.resize(context.bases.size());
    // The plainest files first: what they try needs not be tried first elsewhere.
    std::vector<std::uint32_t> order(context.bases.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::map<std::string, std::uint64_t> shortest;  // case of each file
    for (const Base& base : context.bases) {
      auto& events = shortest.try_emplace(base.scenario.file, UINT64_MAX).first->second;
      events = std::min(events, base.reference.run.events);
    }
    const auto key = [&](std::uint32_t i) {
      const Base& base = context.bases[i];
      return std::tuple(shortest[base.scenario.file], base.scenario.file, base.reference.run.events);
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
    for (const std::uint32_t index : order) {
      const Base& base = context.bases[index];
      counts_.observed += base.reference.observed;
      if (base.too_large) {
        counts_.pruned["scenario too large to be explored point by point"] += base.reference.points.size();
        continue;
      }
      if (base.repeated) {
        counts_.pruned["points: the same scenario once its own faults are taken away"] +=
            base.reference.points.size();
        continue;
      }
      if (const auto& file = base.scenario.file; file != file_) {
        file_ = file;
        identities_.clear();
      }
      counts_.points += base.reference.points.size();
      per_base_[index].points += base.reference.points.size();
      counts_.pruned["points: same point, same situation"] +=
          base.reference.observed - base.reference.points.size();
      for (std::uint32_t p = 0; p < base.reference.points.size(); ++p)
        sketch(index, p, cells, contexts, seen);
    }
    std::sort(sketches_.begin(), sketches_.end(),
              [](const Sketch& a, const Sketch& b) { return a.rank < b.rank; });
    counts_.plans = sketches_.size();
  }

  std::optional<Plan> next() override {
    if (position_ >= sketches_.size()) return std::nullopt;
    const Sketch& sketch = sketches_[position_++];
    const Base& base = context_.bases[sketch.base];
    const ObservedPoint& point = base.reference.points[sketch.point];
    Candidate candidate = enumerate_(point)[sketch.candidate];
    Plan plan;
    plan.base = sketch.base;
    plan.mode = mode();
    plan.seed = context_.settings.seed;
    plan.masked = candidate.masked && candidate.transient;
    plan.cell = point.point + " × " + candidate.action;
    plan.context = point.context;
    plan.faults.push_back(std::move(candidate.rule));
    return plan;
  }

  nlohmann::json save() const override { return {{"position", position_}}; }
  void load(const nlohmann::json& saved) override { saved.at("position").get_to(position_); }

  void count(ModeCounts& to, std::vector<Search::BaseCounts>& bases) const override {
    to = counts_;
    for (std::size_t i = 0; i < bases.size(); ++i) {
      bases[i].points = std::max(bases[i].points, per_base_[i].points);
      bases[i].plans += per_base_[i].plans;
    }
  }

 private:
  void sketch(std::uint32_t index, std::uint32_t p, std::unordered_set<std::uint64_t>& cells,
              std::unordered_set<std::uint64_t>& contexts, std::unordered_set<std::uint64_t>& seen) {
    const Base& base = context_.bases[index];
    const ObservedPoint& point = base.reference.points[p];
    const auto candidates = enumerate_(point);
    for (std::uint32_t c = 0; c < candidates.size(); ++c) {
      const Candidate& candidate = candidates[c];
      if (candidate.rule.beyond_budget && !context_.settings.beyond_budget) continue;
      ++counts_.applicable;
      if (!identities_.insert(candidate.identity).second) {
        ++counts_.pruned["faults: the same one in the same situation of the same file"];
        continue;
      }
      // The same fault in the same situation, met in another file too: the steps that follow may differ, so
      // it is only put off, not left out.
      const std::uint64_t fault = hash_text(candidate.action);
      const std::uint64_t at_point = hash_text(point.point, fault);
      const bool new_cell = cells.insert(at_point).second;
      const bool new_context = contexts.insert(hash_text(point.context, at_point)).second;
      const bool again = !seen.insert(mix(point.situation, fault)).second;
      const unsigned novelty = new_cell ? 0 : new_context ? 1 : again ? 3 : 2;
      const std::uint64_t tie = mix(mix(context_.settings.seed, at_point), mix(index, p));
      sketches_.push_back({index, p, c, rank_of(novelty, base, tie)});
      ++per_base_[index].plans;
    }
  }

 protected:
  GeneratorContext context_;

 private:
  Enumerate enumerate_;
  ModeCounts counts_;
  std::vector<Search::BaseCounts> per_base_;
  std::unordered_set<std::uint64_t> identities_;  // of the cases of one file
  std::string file_;
  std::vector<Sketch> sketches_;
  std::size_t position_ = 0;
};

// The manager dies at a point, and again at each point of its recovery.
class Crash final : public PointByPoint {
 public:
  explicit Crash(const GeneratorContext& context) : PointByPoint(Mode::crash, context, &crashes_at) {}

  std::optional<Plan> next() override {
    // One of the second crashes for each first one, as long as there are any.
    if (turn_ = !turn_; turn_ && !seconds_.empty()) {
      Plan plan = std::move(seconds_.front());
      seconds_.pop_front();
      return plan;
    }
    auto first = PointByPoint::next();
    if (first) {
      first->wants_recording = true;
      return first;
    }
    if (seconds_.empty()) return std::nullopt;
    Plan plan = std::move(seconds_.front());
    seconds_.pop_front();
    return plan;
  }

  void learn(const Plan& plan, const Outcome& outcome) override {
    if (plan.faults.size() != 1 || !outcome.result.failures.empty()) return;
    for (const ObservedPoint& point : outcome.recording.points) {
      for (Candidate& again : crashes_at(point)) {
        if (!recoveries_.insert(mix(point.situation, hash_text(point.point))).second) continue;
        Plan second = plan;
        second.wants_recording = false;
        second.faults.front().id = "first";
        fault::Trigger after{fault::Trigger::Kind::then, "", 1, true, {}};
        after.children.push_back({fault::Trigger::Kind::point, "first", 1, true, {}});
        after.children.push_back(*again.rule.when);
        again.rule.when = std::move(after);
        again.rule.times = 1;
        second.faults.push_back(std::move(again.rule));
        second.cell = "recovery: " + point.point + " × manager.crash";
        second.context = point.context;
        seconds_.push_back(std::move(second));
      }
    }
  }

  nlohmann::json save() const override {
    auto saved = PointByPoint::save();
    saved["turn"] = turn_;
    saved["seconds"] = nlohmann::json::array();
    for (const Plan& plan : seconds_) saved["seconds"].push_back(to_json(plan));
    saved["recoveries"] = recoveries_;
    return saved;
  }
  void load(const nlohmann::json& saved) override {
    PointByPoint::load(saved);
    saved.at("turn").get_to(turn_);
    for (const auto& plan : saved.at("seconds")) seconds_.push_back(plan_of(plan).value());
    saved.at("recoveries").get_to(recoveries_);
  }

 private:
  bool turn_ = false;
  std::deque<Plan> seconds_;
  std::set<std::uint64_t> recoveries_;
};

// The files as they are.
class Reference final : public Generator {
 public:
  explicit Reference(const GeneratorContext& context) : Generator(Mode::reference), context_(context) {}

  std::optional<Plan> next() override {
    if (position_ >= context_.bases.size()) return std::nullopt;
    Plan plan;
    plan.base = position_++;
    plan.mode = Mode::reference;
    plan.seed = context_.settings.seed;
    plan.as_written = true;
    plan.cell = "as written";
    return plan;
  }
  nlohmann::json save() const override { return {{"position", position_}}; }
  void load(const nlohmann::json& saved) override { saved.at("position").get_to(position_); }
  void count(ModeCounts& to, std::vector<Search::BaseCounts>&) const override {
    to.plans = context_.bases.size();
  }

 private:
  GeneratorContext context_;
  std::size_t position_ = 0;
};

}  // namespace

std::unique_ptr<Generator> make_reference(const GeneratorContext& context) {
  return std::make_unique<Reference>(context);
}
std::unique_ptr<Generator> make_single(const GeneratorContext& context) {
  return std::make_unique<PointByPoint>(Mode::single, context, &candidates_at);
}
std::unique_ptr<Generator> make_crash(const GeneratorContext& context) {
  return std::make_unique<Crash>(context);
}

}  // namespace drover::explore
