#include "mockcloud/wire/openstack/exchange.hpp"

#include <charconv>
#include <limits>

#include "mockcloud/wire/openstack/ids.hpp"

namespace drover::wire::openstack {
namespace {

constexpr const char* kUnauthenticated = "The request you have made requires authentication.";

// The name under which compute and volume file an error of this status.
const char* kind_of(int status) {
  switch (status) {
    case 400:
      return "badRequest";
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "itemNotFound";
    case 405:
      return "badMethod";
    case 409:
      return "conflictingRequest";
    case 413:
    case 429:
      return "overLimit";
    case 415:
      return "badMediaType";
    case 503:
      return "serviceUnavailable";
    default:
      return "computeFault";
  }
}

Json front_end_error(int status, const std::string& message) {
  Json body;
  body["message"] = message + "<br /><br />\n\n\n";
  body["code"] = std::to_string(status) + " " + http::reason_of(status);
  body["title"] = http::reason_of(status);
  return body;
}

std::string keystone_uri(const Exchange& exchange) {
  return "Keystone uri=\"" + exchange.origin + "/identity/v3\"";
}

http::Response error_response(const Exchange& exchange, int status, const std::string& message,
                              const std::string& type) {
  http::Response response;
  response.status = status;
  Json body;
  switch (exchange.service) {
    case Service::identity:
      body["error"]["code"] = status;
      body["error"]["message"] = message;
      body["error"]["title"] = http::reason_of(status);
      break;
    case Service::network:
      body["NeutronError"]["type"] = type.empty() ? "HTTPError" : type;
      body["NeutronError"]["message"] = message;
      body["NeutronError"]["detail"] = "";
      break;
    case Service::image:
      body = front_end_error(status, message);
      break;
    case Service::compute:
    case Service::volume: {
      const std::string kind = type.empty() ? kind_of(status) : type;
      body[kind]["code"] = status;
      body[kind]["message"] = message;
      break;
    }
  }
  response.body = to_text(body);
  return response;
}

}  // namespace

const std::string* Exchange::parameter(std::string_view name) const {
  for (const auto& [key, value] : query)
    if (key == name) return &value;
  return nullptr;
}

void answer(Exchange& exchange, http::Response response) {
  if (!exchange.respond) return;
  auto& fields = response.fields;
  if (!response.body.empty() && response.field("Content-Type") == nullptr)
    fields.emplace_back("Content-Type", "application/json");
  if (exchange.service == Service::compute && exchange.known_route) {
    const std::string version =
        exchange.wanted_version.empty() ? "2." + std::to_string(exchange.minor) : exchange.wanted_version;
    fields.emplace_back("OpenStack-API-Version", "compute " + version);
    fields.emplace_back("X-OpenStack-Nova-API-Version", version);
    fields.emplace_back("Vary", "OpenStack-API-Version");
    fields.emplace_back("Vary", "X-OpenStack-Nova-API-Version");
  }
  if (exchange.service == Service::identity) fields.emplace_back("Vary", "X-Auth-Token");
  if (exchange.request.method == "HEAD") response.body.clear();
  Respond respond = std::move(exchange.respond);
  exchange.respond = nullptr;
  respond(std::move(response));
}

void answer(Exchange& exchange, int status, const Json& body) {
  http::Response response;
  response.status = status;
  response.body = to_text(body);
  answer(exchange, std::move(response));
}

void answer_empty(Exchange& exchange, int status) {
  http::Response response;
  response.status = status;
  if (status != 204) response.fields.emplace_back("Content-Type", "application/json");
  answer(exchange, std::move(response));
}

void refuse(Exchange& exchange, int status, const std::string& message, const std::string& type) {
  answer(exchange, error_response(exchange, status, message, type));
}

void refuse_route(Exchange& exchange) {
  exchange.known_route = false;
  http::Response response;
  response.status = 404;
  if (exchange.service == Service::identity) {
    response.fields.emplace_back("Content-Type", "text/html; charset=utf-8");
    response.body =
        "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"
        "<p>The requested URL was not found on the server. If you entered the URL manually please check your "
        "spelling and try again.</p>\n";
  } else if (exchange.service == Service::network) {
    return refuse(exchange, 404, "The resource could not be found.", "HTTPNotFound");
  } else {
    response.body = to_text(front_end_error(404, "The resource could not be found."));
  }
  answer(exchange, std::move(response));
}

void refuse_token(Exchange& exchange) {
  exchange.known_route = false;
  http::Response response;
  response.status = 401;
  response.fields.emplace_back("WWW-Authenticate", keystone_uri(exchange));
  Json body;
  body["error"]["code"] = 401;
  if (exchange.service != Service::identity) body["error"]["title"] = "Unauthorized";
  body["error"]["message"] = kUnauthenticated;
  if (exchange.service == Service::identity) body["error"]["title"] = "Unauthorized";
  if (exchange.service == Service::image && exchange.request.field("X-Auth-Token") == nullptr)
    body = front_end_error(
        401,
        "This server could not verify that you are authorized to access the document you requested. "
        "Either you supplied the wrong credentials (e.g., bad password), or your browser does not "
        "understand how to supply the credentials required.");
  response.body = to_text(body);
  answer(exchange, std::move(response));
}

void refuse_policy(Exchange& exchange, const std::string& rule) {
  switch (exchange.service) {
    case Service::identity:
      return refuse(exchange, 403, "You are not authorized to perform the requested action: " + rule + ".");
    case Service::network:
      return refuse(exchange, 403, "(rule:" + rule + ") is disallowed by policy", "PolicyNotAuthorized");
    case Service::image:
      return refuse(exchange, 403, "You are not authorized to complete " + rule + " action.");
    case Service::compute:
    case Service::volume:
      return refuse(exchange, 403, "Policy doesn't allow " + rule + " to be performed.");
  }
}

void refuse(Exchange& exchange, const Error& error) {
  int status = 500;
  switch (error.code) {
    case ErrorCode::invalid:
      status = 400;
      break;
    case ErrorCode::unauthenticated:
      return refuse_token(exchange);
    case ErrorCode::permission:
    case ErrorCode::quota:
      status = exchange.service == Service::volume && error.code == ErrorCode::quota ? 413 : 403;
      break;
    case ErrorCode::not_found:
      status = 404;
      break;
    case ErrorCode::already_exists:
    case ErrorCode::wrong_state:
      status = exchange.service == Service::volume ? 400 : 409;
      break;
    case ErrorCode::throttled:
      status = 429;
      break;
    case ErrorCode::unavailable:
    case ErrorCode::capacity:
      status = 503;
      break;
    case ErrorCode::timeout:
      status = 504;
      break;
    case ErrorCode::connection_lost:
      exchange.respond = nullptr;  // the client hears nothing
      return;
    default:
      break;
  }
  http::Response response = error_response(exchange, status, error.message, {});
  if (error.retry_after > Duration{0}) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(error.retry_after).count();
    response.fields.emplace_back("Retry-After", std::to_string(seconds));
  }
  answer(exchange, std::move(response));
}

std::optional<Json> body_of(Exchange& exchange) {
  auto json = parse_json(exchange.request.body);
  if (json && json->is_object()) return json;
  if (json && exchange.service != Service::identity) {
    refuse(exchange, 400, quoted(*json) + " is not of type 'object'");
    return std::nullopt;
  }
  refuse(exchange, 400,
         exchange.service == Service::identity
             ? "Expecting to find valid JSON in request body. The server could not comply with the request "
               "since "
               "it is either malformed or otherwise incorrect. The client is assumed to be in error."
             : "Malformed request body");
  return std::nullopt;
}

void look_up(Backend& backend, const ExchangePtr& exchange, const char* site,
             std::move_only_function<void(Exchange&)> then) {
  exchange->subject = backend.subject(exchange->request, nullptr, "openstack");
  backend.request(
      exchange->subject, site, []() -> Result<void> { return success(); },
      [exchange, then = std::move(then)](Result<void> result) mutable {
        if (!result) return refuse(*exchange, result.error());
        then(*exchange);
      });
}

http::Response unreadable(int status, const std::string& why) {
  http::Response response;
  response.status = status;
  response.fields.emplace_back("Content-Type", "application/json");
  response.body = to_text(front_end_error(status, why));
  return response;
}

std::optional<std::size_t> limit_of(Exchange& exchange, std::size_t most) {
  const std::string* text = exchange.parameter("limit");
  if (text == nullptr || text->empty()) return most;
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (end != text->data() + text->size() || error == std::errc::invalid_argument) {
    const std::string shown = text->substr(0, 100);
    refuse(exchange, 400,
           "Invalid input for query parameters limit. Value: " + shown + ". '" + shown +
               "' does not match '^[0-9]*$'");
    return std::nullopt;
  }
  if (error == std::errc::result_out_of_range || value == 0 || value > most) return most;
  return value;
}

std::string next_page(const Exchange& exchange, const std::string& path, const std::string& marker) {
  http::Fields query;
  for (const auto& field : exchange.query)
    if (field.first != "marker") query.push_back(field);
  query.emplace_back("marker", marker);
  return path + "?" + http::to_form(query);
}

}  // namespace drover::wire::openstack
