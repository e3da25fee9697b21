// The parameters of one EC2 request ("InstanceId.1=i-…&Filter.1.Name=…"), and what errors of theirs are
// called. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manager/base/result.hpp"
#include "manager/ports/iaas.hpp"
#include "manager/system/http_message.hpp"

namespace drover::wire::ec2 {

// An error as EC2 names it.
struct Fault {
  int status = 400;
  std::string code;  // "InvalidParameterValue"
  std::string message;
  Duration retry_after{0};
};
template <class T>
using Answer =
    BOOST_OUTCOME_V2_NAMESPACE::basic_result<T, Fault, BOOST_OUTCOME_V2_NAMESPACE::policy::terminate>;

Fault missing_parameter(std::string_view name);
Fault invalid_value(std::string_view value, std::string_view name);
// An error of the port in EC2's words; `not_found` is the code for that one.
Fault fault_of(const Error& error, std::string_view not_found = "InvalidInstanceID.NotFound");

// One filter; an instance passes when one of the values fits. '*' and '?' are wildcards, '\' takes their
// meaning away.
struct Filter {
  std::string name;
  std::vector<std::string> values;
  bool matches(std::string_view text) const;
  bool matches_any(const std::vector<std::string>& texts) const;
};
bool fits(std::string_view pattern, std::string_view text);

struct TagSpecification {
  std::string resource_type;
  Tags tags;
};

class Query {
 public:
  explicit Query(http::Fields fields);

  // The value of a parameter, or null.
  const std::string* find(std::string_view name) const;
  std::string value(std::string_view name) const;
  // Errors: MissingParameter.
  Answer<std::string> required(std::string_view name) const;
  // The values of NAME.1, NAME.2, … (and of NAME.member.1), in the order of their numbers.
  std::vector<std::string> list(std::string_view name) const;
  // The numbers n for which a parameter PREFIX.n or PREFIX.n.… is there, ascending.
  std::vector<unsigned> numbers(std::string_view prefix) const;
  // Errors: InvalidParameterValue for what is no number in the range.
  Answer<std::optional<std::int64_t>> number(std::string_view name, std::int64_t least,
                                             std::int64_t most) const;
  Answer<bool> flag(std::string_view name) const;  // false when it is missing
  // Errors: InvalidParameterValue (a filter without a name or value, more than 200 values).
  Answer<std::vector<Filter>> filters() const;
  // PREFIX.n.Key and .Value. Errors: InvalidParameterValue, TagLimitExceeded.
  Answer<Tags> tags(const std::string& prefix) const;
  Answer<std::vector<TagSpecification>> tag_specifications() const;
  // Everything but what differs in a repeated request (signature, time, ClientToken), for its digest.
  std::string essence() const;

 private:
  http::Fields fields_;  // sorted by name
};

// "TOKEN" of a page and back; it names the last number shown. Errors: InvalidNextToken (400).
std::string to_page_token(std::uint64_t last);
Answer<std::uint64_t> parse_page_token(const std::string& token);

}  // namespace drover::wire::ec2
