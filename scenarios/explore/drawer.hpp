// Choices of one entity: what a generator draws for one plan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "manager/base/choices.hpp"

namespace drover::explore {

class Drawer {
 public:
  Drawer(std::uint64_t seed, std::string entity) : choices_(seed), entity_(std::move(entity)) {}
  bool chance(double probability, const char* site) { return choices_.chance(probability, entity_, site); }
  std::uint64_t below(std::uint64_t bound, const char* site) { return choices_.below(bound, entity_, site); }
  template <typename T, std::size_t Size>
  const T& one_of(const T (&all)[Size], const char* site) {
    return all[below(Size, site)];
  }

 private:
  Choices choices_;
  std::string entity_;
};

}  // namespace drover::explore
