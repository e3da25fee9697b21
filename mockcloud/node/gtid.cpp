#include "mockcloud/node/gtid.hpp"

#include <algorithm>
#include <charconv>

namespace drover::node {
namespace {

bool by_domain(const Gtid& gtid, std::uint32_t domain) { return gtid.domain < domain; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take_dash(std::string_view& text) {
  if (text.empty() || text.front() != '-') return false;
  text.remove_prefix(1);
  return true;
}

std::optional<Gtid> parse_gtid(std::string_view text) {
  Gtid gtid;
  const bool ok = take_number(text, gtid.domain) && take_dash(text) && take_number(text, gtid.server) &&
                  take_dash(text) && take_number(text, gtid.sequence) && text.empty();
  if (!ok) return std::nullopt;
  return gtid;
}

}  // namespace

std::string to_text(const Gtid& gtid) {
  return std::to_string(gtid.domain) + '-' + std::to_string(gtid.server) + '-' +
         std::to_string(gtid.sequence);
}

std::optional<GtidPosition> GtidPosition::parse(std::string_view text) {
  GtidPosition position;
  if (trimmed(text).empty()) return position;
  while (true) {
    const std::size_t comma = text.find(',');
    const auto gtid = parse_gtid(trimmed(text.substr(0, comma)));
    if (!gtid || position.find(gtid->domain) != nullptr) return std::nullopt;
    position.set(*gtid);
    if (comma == std::string_view::npos) return position;
    text.remove_prefix(comma + 1);
  }
}

const Gtid* GtidPosition::find(std::uint32_t domain) const {
  const auto at = std::lower_bound(gtids_.begin(), gtids_.end(), domain, by_domain);
  return at != gtids_.end() && at->domain == domain ? &*at : nullptr;
}

void GtidPosition::set(const Gtid& gtid) {
  const auto at = std::lower_bound(gtids_.begin(), gtids_.end(), gtid.domain, by_domain);
  if (at != gtids_.end() && at->domain == gtid.domain)
    *at = gtid;
  else
    gtids_.insert(at, gtid);
}

void GtidPosition::merge(const GtidPosition& other) {
  for (const Gtid& gtid : other.gtids_) {
    const Gtid* own = find(gtid.domain);
    if (own == nullptr || own->sequence < gtid.sequence) set(gtid);
  }
}

bool GtidPosition::reaches(const GtidPosition& other) const {
  return std::all_of(other.gtids_.begin(), other.gtids_.end(), [this](const Gtid& gtid) {
    const Gtid* own = find(gtid.domain);
    return own != nullptr && own->sequence >= gtid.sequence;
  });
}

std::string GtidPosition::to_text() const {
  std::string text;
  for (const Gtid& gtid : gtids_) {
    if (!text.empty()) text += ',';
    text += node::to_text(gtid);
  }
  return text;
}

}  // namespace drover::node
