// Global transaction ids as MariaDB has them, domain-server-sequence, and positions: at most one id per
// domain. Pure values; no thread rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drover::node {

struct Gtid {
  std::uint32_t domain = 0;
  std::uint32_t server = 0;
  std::uint64_t sequence = 0;
  friend bool operator==(const Gtid&, const Gtid&) = default;
};
std::string to_text(const Gtid& gtid);  // "0-105-3"

// The last transaction of each domain, sorted by domain: what gtid_slave_pos and its like hold.
class GtidPosition {
 public:
  // Reads "0-105-3,7-107-1" (spaces around commas allowed, "" is the empty position); nothing for other text
  // and for a domain named twice.
  static std::optional<GtidPosition> parse(std::string_view text);

  bool empty() const { return gtids_.empty(); }
  const std::vector<Gtid>& gtids() const { return gtids_; }
  const Gtid* find(std::uint32_t domain) const;
  // Replaces the domain's id whatever its sequence was.
  void set(const Gtid& gtid);
  // Takes each domain's id from `other` where its sequence is higher.
  void merge(const GtidPosition& other);
  // Whether every domain of `other` is reached here, judged by sequence as MASTER_GTID_WAIT does.
  bool reaches(const GtidPosition& other) const;
  std::string to_text() const;
  void clear() { gtids_.clear(); }
  friend bool operator==(const GtidPosition&, const GtidPosition&) = default;

 private:
  std::vector<Gtid> gtids_;
};

}  // namespace drover::node
