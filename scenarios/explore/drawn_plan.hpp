// Plans drawn from a choice source: random ones, and with ByteChoices those that a fuzzer's bytes spell.
#pragma once

#include <cstdint>
#include <span>

#include "manager/base/choices.hpp"
#include "scenarios/explore/plan.hpp"

namespace drover::explore {

// Decisions come from bytes, two for each; the seed's when they are used up.
class ByteChoices final : public Choices {
 public:
  explicit ByteChoices(std::span<const std::uint8_t> bytes) : Choices(1), bytes_(bytes) {}
  bool used_up() const { return position_ + 1 >= bytes_.size(); }

 protected:
  std::uint64_t decide(std::uint64_t key, std::uint64_t occurrence) override {
    if (used_up()) return Choices::decide(key, occurrence);
    const std::uint64_t high = bytes_[position_], low = bytes_[position_ + 1];
    position_ += 2;
    return high << 56U | low << 48U;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t position_ = 0;
};

// Adds one fault at a point of the plan's base, sometimes some occurrences later than in the reference run.
void add_drawn_fault(const Base& base, Choices& choices, Plan& plan);

// A whole plan: base, seed, up to `most_faults` faults, and in one of four calls that nobody wrote.
Plan draw_plan(const std::vector<Base>& bases, Choices& choices, std::size_t most_faults);

}  // namespace drover::explore
