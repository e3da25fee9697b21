// The ways to think of runs, one per mode. A generator gives plans, learns from their outcomes, and counts.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "scenarios/explore/search.hpp"

namespace drover::explore {

class Generator {
 public:
  explicit Generator(Mode mode) : mode_(mode) {}
  virtual ~Generator() = default;
  Mode mode() const { return mode_; }

  // Nothing when there is nothing (more) to try now.
  virtual std::optional<Plan> next() = 0;
  virtual void learn(const Plan&, const Outcome&) {}
  // How far it is, and taking that up again. load() throws json::exception for what save() did not write.
  virtual nlohmann::json save() const = 0;
  virtual void load(const nlohmann::json& saved) = 0;
  // Counts what it knows before anything has run.
  virtual void count(ModeCounts&, std::vector<Search::BaseCounts>&) const {}
  // The keys of all plans from this base, each once.
  virtual std::vector<std::uint64_t> keys(std::size_t base) const {
    (void)base;
    return {};
  }

 private:
  Mode mode_;
};

struct GeneratorContext {
  const std::vector<Base>& bases;
  const Settings& settings;
};

std::unique_ptr<Generator> make_reference(const GeneratorContext& context);
std::unique_ptr<Generator> make_single(const GeneratorContext& context);
std::unique_ptr<Generator> make_crash(const GeneratorContext& context);
std::unique_ptr<Generator> make_pairs(const GeneratorContext& context);
std::unique_ptr<Generator> make_sweep(const GeneratorContext& context);
std::unique_ptr<Generator> make_swarm(const GeneratorContext& context);
std::unique_ptr<Generator> make_order(const GeneratorContext& context);
std::unique_ptr<Generator> make_coverage(const GeneratorContext& context);
std::unique_ptr<Generator> make_generator(Mode mode, const GeneratorContext& context);

}  // namespace drover::explore
