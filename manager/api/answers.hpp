// Small builders of answers with the documented texts and codes.
#pragma once

#include <string>
#include <string_view>

#include "manager/api/request.hpp"
#include "manager/base/result.hpp"

namespace drover::api {

Response ok(nlohmann::json result);
Response failure(Code code, std::string text, nlohmann::json data = nlohmann::json::object());

// `Unexpected arguments [u'foo', u'bar']`, as the original printed them.
Response unexpected_arguments(const std::vector<std::string>& names);
// `Missing argument: serviceNodeId`
Response missing_argument(std::string_view name);
// `Invalid argument: serviceNodeId DETAIL:Invalid "serviceNodeId"`; `why` goes to data.
Response invalid_reference(std::string_view name, std::string why);
// `Invalid argument: count DETAIL:…`
Response invalid_argument(std::string_view name, std::string detail);
// `ERROR: Expected an integer value for "count"`
Response expected_integer(std::string_view name);
// `Service in wrong state`, with the reason in data.
Response wrong_state(std::string why);
// An Error of the operations, by its code.
Response of(const Error& error, std::string_view argument);

// A node or operation id as clients give it: a string, or an integer that is not a bool; "" for anything
// else.
std::string id_of(const nlohmann::json& value);

}  // namespace drover::api
