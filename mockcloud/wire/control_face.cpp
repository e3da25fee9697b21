#include "mockcloud/wire/control_face.hpp"

#include <charconv>

namespace drover::wire {
namespace {

using nlohmann::json;

constexpr std::string_view kPrefix = "/_drover";
constexpr double kScaleMax = 1e6;

http::Response reply(int status, const json& body) {
  http::Response response;
  response.status = status;
  response.fields = {{"Content-Type", "application/json"}};
  response.body = body.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  return response;
}

http::Response refuse(int status, const std::string& message) { return reply(status, {{"error", message}}); }

http::Response reply_of(const Result<void>& done) {
  if (done.has_value()) return reply(200, {{"done", true}});
  switch (done.error().code) {
    case ErrorCode::not_found:
      return refuse(404, done.error().message);
    case ErrorCode::wrong_state:
      return refuse(409, done.error().message);
    case ErrorCode::invalid:
      return refuse(400, done.error().message);
    default:
      return refuse(501, done.error().message);
  }
}

json help() {
  return {{"GET /_drover/state", "time, instances by state, rules and how often they fired"},
          {"GET /_drover/journal?after=N&limit=M", "requests, and the rules that fired on each"},
          {"GET /_drover/faults", "the rules"},
          {"PUT /_drover/faults", "a scenario's `faults:` as YAML or JSON: replaces the rules"},
          {"DELETE /_drover/faults", "no more faults"},
          {"POST /_drover/do", "{\"action\": \"vm.crash\", \"target\": \"i-00000001\", \"with\": {}}"},
          {"POST /_drover/time", "{\"scale\": 60}, {\"scale\": 0} (pause) or {\"step\": \"30s\"}"}};
}

std::uint64_t number_in(const http::Fields& query, std::string_view name, std::uint64_t fallback) {
  const std::string* text = http::find_field(query, name);
  if (text == nullptr) return fallback;
  std::uint64_t number = 0;
  const auto [last, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  return error == std::errc{} && last == text->data() + text->size() ? number : fallback;
}

}  // namespace

bool ControlFace::claims(const http::Request& request) const {
  const std::string_view path = request.path();
  return path == kPrefix || path.starts_with("/_drover/");
}

http::Response ControlFace::refusal(int status, const std::string& why) const { return refuse(status, why); }

void ControlFace::handle(http::Request request, Respond respond) { respond(answer(request)); }

http::Response ControlFace::answer(const http::Request& request) {
  std::string_view what = request.path().substr(kPrefix.size());
  while (what.ends_with('/')) what.remove_suffix(1);
  const std::string& method = request.method;
  const bool get = method == "GET" || method == "HEAD";
  if (what.empty() && get) return reply(200, help());
  if (what == "/state" && get) return reply(200, controls_.state());
  if (what == "/journal" && get) {
    const auto query = http::parse_form(request.query());
    if (!query) return refuse(400, "the query string cannot be read");
    return reply(200, controls_.journal(number_in(*query, "after", 0), number_in(*query, "limit", 1000)));
  }
  if (what == "/faults") {
    if (get) return reply(200, controls_.faults());
    if (method == "PUT" || method == "POST") return reply_of(controls_.set_faults(request.body));
    if (method == "DELETE") return reply_of(controls_.set_faults(""));
  }
  if (what == "/do" && method == "POST") return act(json::parse(request.body, nullptr, false));
  if (what == "/time" && method == "POST") return set_time(json::parse(request.body, nullptr, false));
  for (const char* known : {"", "/state", "/journal", "/faults", "/do", "/time"})
    if (what == known)
      return refuse(405,
                    method + " is not for " + std::string(request.path()) + ": GET /_drover tells what is");
  return refuse(404, "there is no " + std::string(request.path().substr(0, 100)) +
                         ": GET /_drover tells what there is");
}

http::Response ControlFace::act(const json& body) {
  if (!body.is_object() || !body.contains("action") || !body.at("action").is_string())
    return refuse(400, "the body must be {\"action\": \"vm.crash\", \"target\": \"i-00000001\"}");
  const json target = body.value("target", json(""));
  const json with = body.value("with", json::object());
  if (!target.is_string() || !with.is_object()) return refuse(400, "target is a text, with is an object");
  return reply_of(controls_.act(body.at("action"), target, with));
}

http::Response ControlFace::set_time(const json& body) {
  const std::string usage = "the body must be {\"scale\": 60}, {\"scale\": 0} or {\"step\": \"30s\"}";
  if (!body.is_object() || body.size() != 1) return refuse(400, usage);
  if (const auto scale = body.find("scale"); scale != body.end()) {
    if (!scale->is_number() || scale->get<double>() < 0 || scale->get<double>() > kScaleMax)
      return refuse(400, "scale is a number from 0 to 1000000");
    return reply_of(controls_.set_time(scale->get<double>(), std::nullopt));
  }
  const auto step = body.find("step");
  if (step == body.end() || !step->is_string()) return refuse(400, usage);
  const auto by = parse_duration(step->get<std::string>());
  if (!by) return refuse(400, "step is a duration such as \"30s\"");
  return reply_of(controls_.set_time(std::nullopt, *by));
}

}  // namespace drover::wire
