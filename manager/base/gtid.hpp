// GTID positions of MariaDB: how far each domain has come. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

struct Gtid {
  std::uint32_t domain = 0;
  std::uint32_t server = 0;
  std::uint64_t sequence = 0;
  friend bool operator==(const Gtid&, const Gtid&) = default;
};
using GtidPosition = std::vector<Gtid>;  // at most one per domain, ordered by domain

// "0-1-100,7-2-3" or ""; of several in one domain the highest counts. Nothing for any other text.
std::optional<GtidPosition> parse_gtid_position(std::string_view text);
std::string to_text(const GtidPosition& position);
// The later one of each domain.
GtidPosition merged(const GtidPosition& a, const GtidPosition& b);

// What both have in common: the earlier one of each domain that is in both.
GtidPosition common(const GtidPosition& a, const GtidPosition& b);

// What one position has of a domain beyond another: the `count` transactions that end with `last`. Sequence
// numbers grow by one (gtid_strict_mode), whoever wrote them.
struct Excess {
  Gtid last;
  std::uint64_t count = 0;
};
std::vector<Excess> excess(const GtidPosition& position, const GtidPosition& known);
std::uint64_t count(const std::vector<Excess>& beyond);  // of transactions
// "0-x-101 to 0-1-105": x stands for servers that the last one does not name.
std::string to_text(const std::vector<Excess>& beyond);

}  // namespace drover
