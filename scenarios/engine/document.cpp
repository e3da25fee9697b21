#include "scenarios/engine/document.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace drover::scenario {
namespace {

constexpr std::size_t kProblemsMax = 20;

// Whether `text` is a number as JSON writes it.
bool is_number(std::string_view text) {
  std::size_t i = 0;
  const auto digits = [&] {
    const auto from = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i - from;
  };
  if (i < text.size() && text[i] == '-') ++i;
  const auto whole_at = i;
  const auto whole = digits();
  if (whole == 0 || (whole > 1 && text[whole_at] == '0')) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (digits() == 0) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    if (digits() == 0) return false;
  }
  return i == text.size();
}

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings) {
  return std::ranges::any_of(endings, [&](std::string_view ending) { return name.ends_with(ending); });
}

// Edit distance where two neighbours swapped count as one.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (const auto& member : members)
    if (member.key == key) return &member.value;
  return nullptr;
}

Place Node::place_at(std::size_t offset) const {
  if (text_offset < 0) return place;
  const auto end = std::min(offset, text.size());
  unsigned characters = 0;
  for (std::size_t i = 0; i < end; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) ++characters;
  return {place.line, place.column + static_cast<unsigned>(text_offset) + characters};
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (i >= 60 && (byte & 0xC0U) != 0x80U) {
      out += "…";
      break;
    }
    out += byte < 0x20 || byte == 0x7f ? '?' : text[i];
  }
  return out + '"';
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::boolean:
      return "the boolean " + node.text;
    case Node::Kind::number:
      return "the number " + node.text.substr(0, 40);
    case Node::Kind::text:
      return "the text " + in_quotes(node.text);
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map";
  }
  return {};
}

Node plain_scalar(std::string text, Place place) {
  Node node;
  node.place = place;
  node.kind = Node::Kind::text;
  if (text.empty() || text == "~" || text == "null") {
    node.kind = Node::Kind::null;
  } else if (text == "true" || text == "yes" || text == "false" || text == "no") {
    node.kind = Node::Kind::boolean;
    node.boolean = text == "true" || text == "yes";
  } else if (is_number(text)) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), node.number);
    if (error == std::errc{} && std::isfinite(node.number)) node.kind = Node::Kind::number;
  }
  node.text = std::move(text);
  return node;
}

nlohmann::json to_json(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return nullptr;
    case Node::Kind::boolean:
      return node.boolean;
    case Node::Kind::text:
      return node.text;
    case Node::Kind::number: {
      std::int64_t whole = 0;
      const char* const end = node.text.data() + node.text.size();
      const auto [stop, error] = std::from_chars(node.text.data(), end, whole);
      if (error == std::errc{} && stop == end) return whole;
      return node.number;
    }
    case Node::Kind::list: {
      auto out = nlohmann::json::array();
      for (const auto& item : node.items) out.push_back(to_json(item));
      return out;
    }
    case Node::Kind::map: {
      auto out = nlohmann::json::object();
      for (const auto& member : node.members) out[member.key] = to_json(member.value);
      return out;
    }
  }
  return nullptr;
}

void Problems::add(Place place, std::string_view message) {
  if (lines_.size() >= kProblemsMax) return;
  std::string text = file_ + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": ";
  text += message;
  const auto same = [&](const Line& line) { return line.text == text; };
  if (std::ranges::none_of(lines_, same)) lines_.push_back({place, std::move(text)});
}

Error Problems::to_error() const {
  auto sorted = lines_;
  std::ranges::stable_sort(sorted, {},
                           [](const Line& line) { return std::pair(line.place.line, line.place.column); });
  std::string message;
  for (const auto& line : sorted) message += (message.empty() ? "" : "\n") + line.text;
  return make_error(ErrorCode::invalid, std::move(message));
}

Place Locator::place_of(std::size_t offset) {
  offset = std::min(offset, text_.size());
  if (offset < at_) {
    at_ = 0;
    place_ = {1, 1};
  }
  for (; at_ < offset; ++at_) {
    if (text_[at_] == '\n') {
      ++place_.line;
      place_.column = 1;
    } else if ((static_cast<unsigned char>(text_[at_]) & 0xC0U) != 0x80U) {
      ++place_.column;
    }
  }
  // Inside a character: the bytes before belong to one that is already counted.
  if (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) & 0xC0U) == 0x80U && place_.column > 1)
    return {place_.line, place_.column - 1};
  return place_;
}

std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates) {
  if (name.size() > 64) return std::nullopt;
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    if (candidate.size() > name.size() + best_distance || name.size() > candidate.size() + best_distance)
      continue;
    const auto steps = distance(name, candidate);
    if (steps < best_distance && steps < candidate.size()) {
      best = &candidate;
      best_distance = steps;
    }
  }
  return best == nullptr ? std::nullopt : std::optional(*best);
}

std::string suggestion(std::string_view name, std::span<const std::string> candidates) {
  if (const auto near = nearest(name, candidates)) return "; did you mean " + in_quotes(*near) + "?";
  std::string out;
  for (const auto& candidate : candidates) {
    if (out.size() > 300) return "; known are " + out + ", …";
    out += (out.empty() ? "" : ", ") + candidate;
  }
  return out.empty() ? "" : "; known are " + out;
}

Result<Node> parse_document(std::string_view text, const std::string& file) {
  if (ends_with_any(file, {".json"})) return parse_json(text, file);
  if (ends_with_any(file, {".yaml", ".yml"})) return parse_yaml(text, file);
  const auto first = text.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  const bool json = first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
  return json ? parse_json(text, file) : parse_yaml(text, file);
}

}  // namespace drover::scenario
