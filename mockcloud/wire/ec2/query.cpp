#include "mockcloud/wire/ec2/query.hpp"

#include <algorithm>
#include <charconv>

#include "manager/system/digest.hpp"

namespace drover::wire::ec2 {
namespace {

constexpr std::size_t kFilterValuesMax = 200;
constexpr std::size_t kTagsMax = 50;

bool is_ignored_in_essence(std::string_view name) {
  return name == "ClientToken" || name == "Signature" || name == "SignatureMethod" ||
         name == "SignatureVersion" || name == "Timestamp" || name == "Expires" || name == "AWSAccessKeyId" ||
         name == "SecurityToken" || name == "Version" || name.starts_with("X-Amz-");
}

}  // namespace

Fault missing_parameter(std::string_view name) {
  return {400, "MissingParameter", "The request must contain the parameter " + std::string(name), {}};
}

Fault invalid_value(std::string_view value, std::string_view name) {
  return {
      400,
      "InvalidParameterValue",
      "Value (" + std::string(value.substr(0, 200)) + ") for parameter " + std::string(name) + " is invalid.",
      {}};
}

Fault fault_of(const Error& error, std::string_view not_found) {
  const auto made = [&](int status, std::string_view code) {
    return Fault{status, std::string(code), error.message, error.retry_after};
  };
  switch (error.code) {
    case ErrorCode::invalid:
      return made(400, "InvalidParameterValue");
    case ErrorCode::not_found:
      return made(400, not_found);
    case ErrorCode::already_exists:
      return made(400, "IdempotentParameterMismatch");
    case ErrorCode::wrong_state:
      return made(400, "IncorrectInstanceState");
    case ErrorCode::quota:
      return made(400, "InstanceLimitExceeded");
    case ErrorCode::capacity:
      return made(500, "InsufficientInstanceCapacity");
    case ErrorCode::throttled: {
      Fault fault = made(503, "RequestLimitExceeded");
      fault.message = "Request limit exceeded.";
      return fault;
    }
    case ErrorCode::unauthenticated:
      return made(401, "AuthFailure");
    case ErrorCode::permission:
      return made(403, "UnauthorizedOperation");
    case ErrorCode::unavailable:
    case ErrorCode::timeout:
    case ErrorCode::connection_lost:
      return made(503, "Unavailable");
    default:
      return made(500, "InternalError");
  }
}

bool fits(std::string_view pattern, std::string_view text) {
  // The classic two-pointer walk: on a mismatch go back to the last '*' and let it take one more.
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    const bool escaped = p + 1 < pattern.size() && pattern[p] == '\\';
    if (p < pattern.size() && !escaped && pattern[p] == '*') {
      star = p++;
      resume = t;
      continue;
    }
    const bool same = p < pattern.size() &&
                      (escaped ? pattern[p + 1] == text[t] : pattern[p] == '?' || pattern[p] == text[t]);
    if (same) {
      p += escaped ? 2 : 1;
      ++t;
      continue;
    }
    if (star == std::string_view::npos) return false;
    p = star + 1;
    t = ++resume;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool Filter::matches(std::string_view text) const {
  return std::any_of(values.begin(), values.end(),
                     [&](const std::string& value) { return fits(value, text); });
}

bool Filter::matches_any(const std::vector<std::string>& texts) const {
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return matches(text); });
}

Query::Query(http::Fields fields) : fields_(std::move(fields)) {
  std::stable_sort(fields_.begin(), fields_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
}

const std::string* Query::find(std::string_view name) const {
  const auto at =
      std::lower_bound(fields_.begin(), fields_.end(), name,
                       [](const auto& field, std::string_view wanted) { return field.first < wanted; });
  return at != fields_.end() && at->first == name ? &at->second : nullptr;
}

std::string Query::value(std::string_view name) const {
  const std::string* found = find(name);
  return found == nullptr ? std::string() : *found;
}

Answer<std::string> Query::required(std::string_view name) const {
  const std::string* found = find(name);
  if (found == nullptr || found->empty()) return missing_parameter(name);
  return *found;
}

std::vector<unsigned> Query::numbers(std::string_view prefix) const {
  std::vector<unsigned> found;
  const std::string begin = std::string(prefix) + ".";
  auto at =
      std::lower_bound(fields_.begin(), fields_.end(), begin,
                       [](const auto& field, const std::string& wanted) { return field.first < wanted; });
  for (; at != fields_.end() && at->first.starts_with(begin); ++at) {
    std::string_view rest = std::string_view(at->first).substr(begin.size());
    if (rest.starts_with("member.")) rest.remove_prefix(7);
    unsigned number = 0;
    const auto [last, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    const bool ends = last == rest.data() + rest.size() || *last == '.';
    if (error == std::errc{} && ends) found.push_back(number);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<std::string> Query::list(std::string_view name) const {
  std::vector<std::string> values;
  for (const unsigned number : numbers(name)) {
    const std::string plain = std::string(name) + "." + std::to_string(number);
    const std::string* found = find(plain);
    if (found == nullptr) found = find(std::string(name) + ".member." + std::to_string(number));
    if (found != nullptr) values.push_back(*found);
  }
  // A single value may come without a number.
  if (const std::string* single = find(name); single != nullptr && values.empty()) values.push_back(*single);
  return values;
}

Answer<std::optional<std::int64_t>> Query::number(std::string_view name, std::int64_t least,
                                                  std::int64_t most) const {
  const std::string* found = find(name);
  if (found == nullptr) return std::optional<std::int64_t>();
  std::int64_t number = 0;
  const auto [last, error] = std::from_chars(found->data(), found->data() + found->size(), number);
  if (error != std::errc{} || last != found->data() + found->size() || number < least || number > most)
    return invalid_value(*found, name);
  return std::optional<std::int64_t>(number);
}

Answer<bool> Query::flag(std::string_view name) const {
  const std::string* found = find(name);
  if (found == nullptr || found->empty()) return false;
  if (*found == "true" || *found == "True" || *found == "1") return true;
  if (*found == "false" || *found == "False" || *found == "0") return false;
  return invalid_value(*found, name);
}

Answer<std::vector<Filter>> Query::filters() const {
  std::vector<Filter> filters;
  std::size_t values = 0;
  for (const unsigned number : numbers("Filter")) {
    const std::string prefix = "Filter." + std::to_string(number);
    Filter filter{value(prefix + ".Name"), list(prefix + ".Value")};
    if (filter.name.empty()) return missing_parameter(prefix + ".Name");
    if (filter.values.empty()) return missing_parameter(prefix + ".Value");
    values += filter.values.size();
    filters.push_back(std::move(filter));
  }
  if (values > kFilterValuesMax)
    return Fault{400, "FilterLimitExceeded", "The maximum number of filter values is 200.", {}};
  return filters;
}

Answer<Tags> Query::tags(const std::string& prefix) const {
  Tags tags;
  for (const unsigned number : numbers(prefix)) {
    const std::string one = prefix + "." + std::to_string(number);
    const std::string key = value(one + ".Key");
    if (key.empty()) return Fault{400, "InvalidParameterValue", "Tag keys cannot be empty.", {}};
    if (key.size() > 255 || value(one + ".Value").size() > 255)
      return Fault{
          400, "InvalidParameterValue", "A tag's key and value have at most 255 characters here.", {}};
    if (key.starts_with("aws:"))
      return Fault{
          400, "InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use", {}};
    for (const auto& [known, old] : tags)
      if (known == key)
        return Fault{400, "InvalidParameterValue", "Duplicate tag key '" + key + "' specified.", {}};
    tags.emplace_back(key, value(one + ".Value"));
  }
  if (tags.size() > kTagsMax)
    return Fault{400, "TagLimitExceeded", "More than 50 tags for one resource.", {}};
  return tags;
}

Answer<std::vector<TagSpecification>> Query::tag_specifications() const {
  std::vector<TagSpecification> all;
  for (const unsigned number : numbers("TagSpecification")) {
    const std::string prefix = "TagSpecification." + std::to_string(number);
    TagSpecification one;
    DROVER_TRY(one.resource_type, required(prefix + ".ResourceType"));
    DROVER_TRY(one.tags, tags(prefix + ".Tag"));
    all.push_back(std::move(one));
  }
  return all;
}

std::string Query::essence() const {
  std::string text;
  for (const auto& [name, value] : fields_)
    if (!is_ignored_in_essence(name))
      text += http::percent_encode(name) + "=" + http::percent_encode(value) + "&";
  return text;
}

std::string to_page_token(std::uint64_t last) { return base64_encode("after:" + std::to_string(last)); }

Answer<std::uint64_t> parse_page_token(const std::string& token) {
  const auto text = base64_decode(token);
  std::uint64_t last = 0;
  if (text && text->starts_with("after:")) {
    const auto [end, error] = std::from_chars(text->data() + 6, text->data() + text->size(), last);
    if (error == std::errc{} && end == text->data() + text->size()) return last;
  }
  return Fault{400, "InvalidNextToken", "The specified token is not valid: " + token.substr(0, 100), {}};
}

}  // namespace drover::wire::ec2
