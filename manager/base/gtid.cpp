#include "manager/base/gtid.hpp"

#include <charconv>

namespace drover {
namespace {

template <class T>
bool take_number(std::string_view& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

void set_latest(GtidPosition& position, const Gtid& gtid) {
  auto at = position.begin();
  while (at != position.end() && at->domain < gtid.domain) ++at;
  if (at == position.end() || at->domain != gtid.domain)
    position.insert(at, gtid);
  else if (at->sequence < gtid.sequence)
    *at = gtid;
}

}  // namespace

std::optional<GtidPosition> parse_gtid_position(std::string_view text) {
  GtidPosition position;
  while (!text.empty()) {
    Gtid gtid;
    if (!take_number(text, gtid.domain) || !take(text, '-') || !take_number(text, gtid.server) ||
        !take(text, '-') || !take_number(text, gtid.sequence))
      return std::nullopt;
    set_latest(position, gtid);
    if (text.empty()) break;
    if (!take(text, ',') || text.empty()) return std::nullopt;
  }
  return position;
}

std::string to_text(const GtidPosition& position) {
  std::string text;
  for (const Gtid& gtid : position)
    text += (text.empty() ? "" : ",") + std::to_string(gtid.domain) + "-" + std::to_string(gtid.server) +
            "-" + std::to_string(gtid.sequence);
  return text;
}

GtidPosition merged(const GtidPosition& a, const GtidPosition& b) {
  GtidPosition both = a;
  for (const Gtid& gtid : b) set_latest(both, gtid);
  return both;
}

GtidPosition common(const GtidPosition& a, const GtidPosition& b) {
  GtidPosition both;
  for (const Gtid& one : a)
    for (const Gtid& other : b)
      if (one.domain == other.domain) both.push_back(one.sequence <= other.sequence ? one : other);
  return both;
}

std::vector<Excess> excess(const GtidPosition& position, const GtidPosition& known) {
  std::vector<Excess> beyond;
  for (const Gtid& have : position) {
    std::uint64_t reached = 0;
    for (const Gtid& there : known)
      if (there.domain == have.domain) reached = there.sequence;
    if (have.sequence > reached) beyond.push_back(Excess{have, have.sequence - reached});
  }
  return beyond;
}

std::uint64_t count(const std::vector<Excess>& beyond) {
  std::uint64_t sum = 0;
  for (const Excess& one : beyond) sum += one.count;
  return sum;
}

std::string to_text(const std::vector<Excess>& beyond) {
  std::string text;
  for (const Excess& one : beyond) {
    const std::string last = std::to_string(one.last.domain) + "-" + std::to_string(one.last.server) + "-" +
                             std::to_string(one.last.sequence);
    text += text.empty() ? "" : ", ";
    if (one.count > 1)
      text += std::to_string(one.last.domain) + "-x-" + std::to_string(one.last.sequence - one.count + 1) +
              " to ";
    text += last;
  }
  return text;
}

}  // namespace drover
