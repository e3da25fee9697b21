// Mode pairs: two faults in one run, the second where it would have come next within a window after the
// first. What is covered are pairs of (action, what was under way), each once over all files; and before them
// pairs at points that follow each other about one node: what one fault shakes, and the next call would have
// put right, only both together break.
#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_set>

#include "scenarios/explore/candidates.hpp"
#include "scenarios/explore/generator.hpp"

namespace drover::explore {
namespace {

constexpr Duration kWindow = 2min;
constexpr Duration kMoment = 5s;
constexpr std::size_t kFollowers = 4;          // points about the same node that count as near
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
    // The cheapest cases first, as in mode single.
    std::vector<std::uint32_t> order(context.bases.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return context.bases[a].reference.run.events < context.bases[b].reference.run.events;
    });
    for (const std::uint32_t index : order)
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
    add_near(index, cells, known);
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
        pairs_.push_back({index, cells[i], cells[j], rank_of(index, key, false)});
      }
    }
  }

  // Each two points that follow each other about one node, of whatever file shows them first.
  void add_near(std::uint32_t index, const std::vector<Cell>& cells,
                std::unordered_set<std::uint64_t>& known) {
    const auto& points = context_.bases[index].reference.points;
    std::vector<std::pair<std::size_t, std::size_t>> of_point(points.size());  // its cells: from, to
    for (std::size_t i = 0; i < cells.size(); ++i) {
      auto& [from, to] = of_point[cells[i].point];
      if (to == 0) from = i;
      to = i + 1;
    }
    for (std::size_t p = 0; p < points.size(); ++p) {
      const auto [from, to] = of_point[p];
      std::size_t followers = 0;
      for (std::size_t q = p + 1; from < to && q < points.size() && followers < kFollowers; ++q) {
        if (points[q].subject != points[p].subject) continue;
        if (points[q].at - points[p].at > kMoment) break;
        ++followers;
        const std::uint64_t both = mix(place_of(points[p]), place_of(points[q]));
        if (of_point[q].second == 0 || !known.insert(both).second) continue;
        for (std::size_t i = from; i < to; ++i)
          for (std::size_t j = of_point[q].first; j < of_point[q].second; ++j) {
            ++counts_.applicable;
            const std::uint64_t key = mix(mix(both, cells[i].key), cells[j].key);
            pairs_.push_back({index, cells[i], cells[j], rank_of(index, key, true)});
          }
      }
    }
  }
  static std::uint64_t place_of(const ObservedPoint& point) {
    return hash_text(point.point, hash_text(point.context));
  }

  // Of those that are near, cheap runs come first.
  std::uint64_t rank_of(std::uint32_t index, std::uint64_t key, bool near) const {
    const std::uint64_t tie = mix(mix(context_.settings.seed, key), index);
    if (!near) return (std::uint64_t{1} << 63U) | (tie >> 1U);
    const auto cost = static_cast<std::uint64_t>(std::bit_width(context_.bases[index].reference.run.events));
    return (cost << 56U) | (tie >> 8U);
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
