// Modes single and crash: one fault at one observation point, everywhere; and a second crash at every point
// of the recovery from the first.
#include <algorithm>
#include <bit>
#include <deque>
#include <map>
#include <set>
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

// How early something is tried.
enum class Novelty : unsigned char {
  point,      // this kind of fault has not been met at this point, in no file
  setting,    // … nor, at any idle moment, under a manager that was told to behave like this one
  context,    // … nor at this point while this was under way
  variant,    // the same with other arguments
  situation,  // the roles and states of the nodes differ
  again,      // met in another file: the steps that follow may differ, so it is only put off, not left out
};

constexpr int kCheap = 12;  // up to 4,096 events all runs count as equally cheap

// Runs that cost less come first, for a budget is in events; of those plain scenarios before those that bring
// faults of their own.
std::uint64_t rank_of(Novelty novelty, const Base& base, std::uint64_t tie) {
  const auto cost = static_cast<std::uint64_t>(
      std::max(0, static_cast<int>(std::bit_width(base.reference.run.events)) - kCheap));
  return (static_cast<std::uint64_t>(novelty) << 60U) | (std::min<std::uint64_t>(cost, 15) << 56U) |
         (std::uint64_t{base.own_faults} << 55U) | (tie >> 9U);
}

// Whether nothing was under way: what is, tells moments apart by itself.
bool is_idle(const ObservedPoint& point) { return point.context.find(" RUNNING") == std::string::npos; }

// Of a point, and of what was under way there. Where nothing was, what is done to the master is another thing
// than what is done to the others: one is opened, the other closed.
struct PointHash {
  explicit PointHash(const ObservedPoint& point)
      : name(hash_text(point.point)),
        context(mix(hash_text(point.context, name),
                    is_idle(point) && !point.master.empty() && point.subject == point.master ? 1 : 0)) {}
  std::uint64_t name, context;
};

// What a manager was told that decides how it meets a failure.
std::uint64_t setting_of(const Base& base) {
  const scenario::Settings& manager = base.scenario.manager;
  return hash_text(manager.text("durability"), manager.boolean("failover.automatic") ? 1 : 0);
}

std::uint64_t key_of(const PointHash& point, const Option& option) { return mix(point.context, option.kind); }

using Enumerate = std::vector<Option> (*)(const ObservedPoint&);

class PointByPoint : public Generator {
 public:
  PointByPoint(Mode mode, const GeneratorContext& context, Enumerate enumerate)
      : Generator(mode), context_(context), enumerate_(enumerate) {
    per_base_.resize(context.bases.size());
    keys_.resize(context.bases.size());
    std::map<std::string, std::size_t> files;
    for (const Base& base : context.bases) {
      settings_.push_back(setting_of(base));
      file_of_.push_back(files.try_emplace(base.scenario.file, files.size()).first->second);
    }
    identities_.resize(files.size());
    // The cheapest cases first: what they try needs not be tried first elsewhere.
    std::vector<std::uint32_t> order(context.bases.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return context.bases[a].reference.run.events < context.bases[b].reference.run.events;
    });
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
      counts_.points += base.reference.points.size();
      per_base_[index].points += base.reference.points.size();
      counts_.pruned["points: same point, same situation"] +=
          base.reference.observed - base.reference.points.size();
      for (std::uint32_t p = 0; p < base.reference.points.size(); ++p) sketch(index, p);
    }
    known_ = {};
    identities_ = {};
    std::sort(sketches_.begin(), sketches_.end(),
              [](const Sketch& a, const Sketch& b) { return a.rank < b.rank; });
    counts_.plans = sketches_.size();
  }

  std::optional<Plan> next() override {
    if (position_ >= sketches_.size()) return std::nullopt;
    const Sketch& sketch = sketches_[position_++];
    const Base& base = context_.bases[sketch.base];
    const ObservedPoint& point = base.reference.points[sketch.point];
    const Option option = enumerate_(point)[sketch.candidate];
    Candidate candidate = candidate_of(point, option);
    Plan plan;
    plan.base = sketch.base;
    plan.mode = mode();
    plan.seed = context_.settings.seed;
    plan.masked = candidate.masked && candidate.transient;
    plan.cell = point.point + " × " + candidate.action;
    plan.context = point.context;
    plan.key = key_of(PointHash(point), option);
    plan.faults.push_back(std::move(candidate.rule));
    return plan;
  }

  nlohmann::json save() const override { return {{"position", position_}}; }
  void load(const nlohmann::json& saved) override { saved.at("position").get_to(position_); }

  std::vector<std::uint64_t> keys(std::size_t base) const override {
    return {keys_[base].begin(), keys_[base].end()};
  }
  void count(ModeCounts& to, std::vector<Search::BaseCounts>& bases) const override {
    to = counts_;
    for (std::size_t i = 0; i < bases.size(); ++i) {
      bases[i].points = std::max(bases[i].points, per_base_[i].points);
      bases[i].plans += per_base_[i].plans;
    }
  }

 private:
  // What has been met so far.
  struct Known {
    std::unordered_set<std::uint64_t> at_points, settings, contexts, variants, situations;
  };

  void sketch(std::uint32_t index, std::uint32_t p) {
    const Base& base = context_.bases[index];
    const ObservedPoint& point = base.reference.points[p];
    const PointHash hash(point);
    const auto options = enumerate_(point);
    for (std::uint32_t begin = 0, end = 0; begin < options.size(); begin = end) {
      while (end < options.size() && options[end].kind == options[begin].kind) ++end;
      // Which of the variants stands for the kind changes from point to point: all come early somewhere.
      const std::uint64_t key = key_of(hash, options[begin]);
      const auto first = begin + static_cast<std::uint32_t>(key % (end - begin));
      for (std::uint32_t c = first; c < end; ++c) sketch({index, p, c, 0}, hash, options[c]);
      for (std::uint32_t c = begin; c < first; ++c) sketch({index, p, c, 0}, hash, options[c]);
    }
  }

  void sketch(Sketch sketch, const PointHash& point, const Option& option) {
    const Base& base = context_.bases[sketch.base];
    if (option.beyond_budget && !context_.settings.beyond_budget) return;
    ++counts_.applicable;
    if (!identities_[file_of_[sketch.base]].insert(option.identity).second) {
      ++counts_.pruned["faults: the same one in the same situation of the same file"];
      return;
    }
    const ObservedPoint& at = base.reference.points[sketch.point];
    const std::uint64_t key = key_of(point, option);
    keys_[sketch.base].insert(key);
    const std::uint64_t variant = mix(point.name, option.action);
    const bool new_point = known_.at_points.insert(mix(point.name, option.kind)).second;
    const std::uint64_t role = at.subject == at.master ? 1 : 2;
    const std::uint64_t setting = mix(settings_[sketch.base], mix(role, option.kind));
    const bool new_setting = is_idle(at) && known_.settings.insert(setting).second;
    const bool new_context = known_.contexts.insert(key).second;
    const bool new_variant = known_.variants.insert(variant).second;
    const bool new_situation = known_.situations.insert(mix(at.situation, option.action)).second;
    const Novelty novelty = new_point       ? Novelty::point
                            : new_setting   ? Novelty::setting
                            : new_context   ? Novelty::context
                            : new_variant   ? Novelty::variant
                            : new_situation ? Novelty::situation
                                            : Novelty::again;
    const std::uint64_t tie = mix(mix(context_.settings.seed, variant), mix(sketch.base, sketch.point));
    sketch.rank = rank_of(novelty, base, tie);
    sketches_.push_back(sketch);
    ++per_base_[sketch.base].plans;
  }

 protected:
  GeneratorContext context_;

 private:
  Enumerate enumerate_;
  ModeCounts counts_;
  std::vector<Search::BaseCounts> per_base_;
  std::vector<std::unordered_set<std::uint64_t>> keys_;  // of each base
  Known known_;
  std::vector<std::uint64_t> settings_;                        // of each base
  std::vector<std::size_t> file_of_;                           // number of the file of each base
  std::vector<std::unordered_set<std::uint64_t>> identities_;  // of the cases of each file
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
      for (const Option& option : crashes_at(point)) {
        if (!recoveries_.insert(mix(point.situation, hash_text(point.point))).second) continue;
        Candidate again = candidate_of(point, option);
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

// The files as they are: one case of each file first, for the cases of a file are alike.
class Reference final : public Generator {
 public:
  explicit Reference(const GeneratorContext& context) : Generator(Mode::reference), context_(context) {
    std::map<std::string, std::size_t> cases;
    std::vector<std::pair<std::size_t, std::size_t>> places;  // of the case in its file, and of the base
    for (std::size_t i = 0; i < context.bases.size(); ++i)
      places.emplace_back(cases[context.bases[i].scenario.file]++, i);
    std::sort(places.begin(), places.end());
    for (const auto& [number, base] : places) order_.push_back(base);
  }

  std::optional<Plan> next() override {
    if (position_ >= context_.bases.size()) return std::nullopt;
    Plan plan;
    plan.base = order_[position_++];
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
  std::vector<std::size_t> order_;
  std::size_t position_ = 0;
};

}  // namespace

std::unique_ptr<Generator> make_reference(const GeneratorContext& context) {
  return std::make_unique<Reference>(context);
}
std::unique_ptr<Generator> make_single(const GeneratorContext& context) {
  return std::make_unique<PointByPoint>(Mode::single, context, &options_at);
}
std::unique_ptr<Generator> make_crash(const GeneratorContext& context) {
  return std::make_unique<Crash>(context);
}

}  // namespace drover::explore
