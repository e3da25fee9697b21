// Mode pairs: two faults in one run, the second where it would have come next within a window after the
// first. What is covered are pairs of (action, what was under way), each once over all files.
#include <algorithm>
#include <unordered_set>

#include "scenarios/explore/candidates.hpp"
#include "scenarios/explore/generator.hpp"

namespace drover::explore {
namespace {

constexpr Duration kWindow = 2min;
constexpr std::size_t kPairsPerBase = 60'000;  // looked at; files with many points would take all the memory

struct Cell {
  std::uint32_t point = 0;
  std::uint32_t candidate = 0;
  std::uint64_t key = 0;
  TimePoint at{};
};

struct Pair {
  std::uint32_t base = 0;
  Cell first, second;
  std::uint64_t rank = 0;
};

class Pairs final : public Generator {
 public:
  explicit Pairs(const GeneratorContext& context) : Generator(Mode::pairs), context_(context) {
    std::unordered_set<std::uint64_t> known;
    for (std::uint32_t index = 0; index < context.bases.size(); ++index)
      if (!context.bases[index].too_large && !context.bases[index].repeated) add_base(index, known);
    std::sort(pairs_.begin(), pairs_.end(), [](const Pair& a, const Pair& b) { return a.rank < b.rank; });
    counts_.plans = pairs_.size();
  }

  std::optional<Plan> next() override {
    if (position_ >= pairs_.size()) return std::nullopt;
    const Pair& pair = pairs_[position_++];
    const auto& points = context_.bases[pair.base].reference.points;
    const ObservedPoint& early = points[pair.first.point];
    const ObservedPoint& late = points[pair.second.point];
    Candidate first = candidates_at(early)[pair.first.candidate];
    Candidate second = candidates_at(late)[pair.second.candidate];
    Plan plan;
    plan.base = pair.base;
    plan.mode = Mode::pairs;
    plan.seed = context_.settings.seed;
    plan.cell = early.point + " × " + first.action + " + " + late.point + " × " + second.action;
    plan.context = early.context;
    first.rule.id = "first";
    fault::Trigger after{fault::Trigger::Kind::then, "", 1, true, {}};
    after.children.push_back({fault::Trigger::Kind::point, "first", 1, true, {}});
    after.children.push_back({fault::Trigger::Kind::point, late.point, 1, true, {}});
    second.rule.when = std::move(after);
    second.rule.times = 1;
    plan.faults.push_back(std::move(first.rule));
    plan.faults.push_back(std::move(second.rule));
    return plan;
  }

  nlohmann::json save() const override { return {{"position", position_}}; }
  void load(const nlohmann::json& saved) override { saved.at("position").get_to(position_); }
  void count(ModeCounts& to, std::vector<Search::BaseCounts>&) const override { to = counts_; }

 private:
  std::vector<Cell> cells_of(const Base& base) const {
    std::vector<Cell> cells;
    std::unordered_set<std::uint64_t> known;
    for (std::uint32_t p = 0; p < base.reference.points.size(); ++p) {
      const ObservedPoint& point = base.reference.points[p];
      const auto all = candidates_at(point);
      for (std::uint32_t c = 0; c < all.size(); ++c) {
        if (!all[c].transient || all[c].rule.beyond_budget) continue;
        const std::uint64_t key = mix(hash_text(all[c].rule.action, hash_text(point.context)),
                                      hash_text(point.subject.starts_with("node-") ? "node" : point.subject));
        if (!known.insert(mix(key, hash_text(point.point))).second) continue;
        cells.push_back({p, c, key, point.at});
      }
    }
    return cells;
  }

  void add_base(std::uint32_t index, std::unordered_set<std::uint64_t>& known) {
    const auto cells = cells_of(context_.bases[index]);
    counts_.points += context_.bases[index].reference.points.size();
    std::size_t looked_at = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      for (std::size_t j = i + 1; j < cells.size() && cells[j].at - cells[i].at <= kWindow; ++j) {
        if (++looked_at > kPairsPerBase) {
          ++counts_.pruned["files with too many pairs: the later ones of each"];
          return;
        }
        ++counts_.applicable;
        const std::uint64_t key = mix(cells[i].key, cells[j].key);
        if (!known.insert(key).second) {
          ++counts_.pruned["pairs: the same two actions in the same contexts"];
          continue;
        }
        pairs_.push_back({index, cells[i], cells[j], mix(mix(context_.settings.seed, key), index)});
      }
    }
  }

  GeneratorContext context_;
  ModeCounts counts_;
  std::vector<Pair> pairs_;
  std::size_t position_ = 0;
};

}  // namespace

std::unique_ptr<Generator> make_pairs(const GeneratorContext& context) {
  return std::make_unique<Pairs>(context);
}

}  // namespace drover::explore
