#include "manager/api/answers.hpp"

namespace drover::api {

using nlohmann::json;

Response ok(json result) {
  Response response;
  response.result = std::move(result);
  return response;
}

Response failure(Code code, std::string text, json data) {
  Response response;
  response.failed = true;
  response.code = code;
  response.error = std::move(text);
  response.data = std::move(data);
  return response;
}

Response unexpected_arguments(const std::vector<std::string>& names) {
  std::string text = "Unexpected arguments [";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "u'" : ", u'") + names[i] + "'";
  return failure(Code::E_ARGS_UNEXPECTED, text + "]", json{{"arguments", names}});
}

Response missing_argument(std::string_view name) {
  return failure(Code::E_ARGS_MISSING, "Missing argument: " + std::string(name), json{{"argument", name}});
}

Response invalid_reference(std::string_view name, std::string why) {
  return failure(Code::E_ARGS_INVALID,
                 "Invalid argument: " + std::string(name) + " DETAIL:Invalid \"" + std::string(name) + "\"",
                 json{{"argument", name}, {"detail", std::move(why)}});
}

Response invalid_argument(std::string_view name, std::string detail) {
  return failure(Code::E_ARGS_INVALID, "Invalid argument: " + std::string(name) + " DETAIL:" + detail,
                 json{{"argument", name}, {"detail", detail}});
}

Response expected_integer(std::string_view name) {
  return failure(Code::E_ARGS_INVALID, "ERROR: Expected an integer value for \"" + std::string(name) + "\"",
                 json{{"argument", name}});
}

Response wrong_state(std::string why) {
  return failure(Code::E_STATE_ERROR, "Service in wrong state", json{{"detail", std::move(why)}});
}

Response of(const Error& error, std::string_view argument) {
  switch (error.code) {
    case ErrorCode::invalid:
      return invalid_argument(argument, error.message);
    case ErrorCode::not_found:
      return invalid_reference(argument, error.message);
    case ErrorCode::wrong_state:
      return wrong_state(error.message);
    default:
      return failure(Code::E_UNKNOWN, "Unknown error. " + error.message,
                     json{{"detail", error.message}, {"cause", to_text(error.code)}});
  }
}

std::string id_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return value.dump();
  return {};
}

}  // namespace drover::api
