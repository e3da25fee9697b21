#include "mockcloud/wire/opennebula/exchange.hpp"

namespace drover::wire::opennebula {
namespace {

using xml_rpc::Value;

int code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::unauthenticated:
      return kAuthentication;
    case ErrorCode::permission:
    case ErrorCode::quota:
      return kAuthorization;
    case ErrorCode::not_found:
      return kNoExists;
    case ErrorCode::wrong_state:
      return kAction;
    case ErrorCode::capacity:
      return kAllocate;
    default:
      return kInternal;
  }
}

// The words by which a client tells a refusal from something that broke.
std::string words(const Error& error) {
  switch (error.code) {
    case ErrorCode::quota:
      return "limit exceeded: " + error.message + " (quota)";
    case ErrorCode::capacity:
      return "Cannot allocate: " + error.message;
    case ErrorCode::invalid:
      return "Invalid argument: " + error.message;
    case ErrorCode::already_exists:
      return "NAME is already taken: " + error.message;
    case ErrorCode::permission:
      return "Not authorized: " + error.message;
    case ErrorCode::unauthenticated:
    case ErrorCode::not_found:
    case ErrorCode::wrong_state:
      return error.message;
    default:
      return "Internal error: " + error.message;
  }
}

void answer(Exchange& exchange, std::vector<Value> items) {
  exchange.respond(xml_answer(xml_rpc::write_reply(Value::of_array(std::move(items)))));
}

}  // namespace

http::Response xml_answer(std::string body) {
  http::Response response;
  response.fields = {{"Content-Type", "text/xml; charset=utf-8"}};
  response.body = std::move(body);
  return response;
}

void succeed(Exchange& exchange, Value value) {
  std::vector<Value> items;
  items.push_back(Value::of_bool(true));
  items.push_back(std::move(value));
  items.push_back(Value::of_int(0));
  answer(exchange, std::move(items));
}

void succeed(Exchange& exchange, std::int64_t id) { succeed(exchange, Value::of_int(id)); }
void succeed(Exchange& exchange, std::string text) { succeed(exchange, Value::of_text(std::move(text))); }

void fail(Exchange& exchange, int code, const std::string& message, std::int64_t id) {
  std::vector<Value> items;
  items.push_back(Value::of_bool(false));
  items.push_back(Value::of_text("[" + std::string(exchange.method) + "] " + message));
  items.push_back(Value::of_int(code));
  items.push_back(Value::of_int(id));
  items.push_back(Value::of_int(-1, true));
  answer(exchange, std::move(items));
}

void fail(Exchange& exchange, const Error& error, std::int64_t id) {
  const bool throttled = error.code == ErrorCode::throttled;
  if (!throttled && error.code != ErrorCode::unavailable) {
    fail(exchange, code_of(error.code), words(error), id);
    return;
  }
  http::Response response;
  response.status = throttled ? 429 : 503;
  response.fields = {{"Content-Type", "text/plain; charset=utf-8"}};
  if (error.retry_after > Duration{0}) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(error.retry_after).count();
    response.fields.emplace_back("Retry-After", std::to_string(seconds));
  }
  response.body = error.message + "\n";
  exchange.respond(std::move(response));
}

Outcome done(Value value) {
  Outcome outcome;
  outcome.value = std::move(value);
  return outcome;
}
Outcome done(std::int64_t id) { return done(Value::of_int(id)); }
Outcome done(std::string text) { return done(Value::of_text(std::move(text))); }

Outcome refused(int code, std::string message, std::int64_t id) {
  Outcome outcome;
  outcome.failed = true;
  outcome.failure = Failure{code, std::move(message), id};
  return outcome;
}
Outcome refused(const Error& error) { return refused(code_of(error.code), words(error)); }

void perform(Backend& backend, Exchange exchange, const std::string& subject,
             std::move_only_function<Outcome(const Exchange&)> effect) {
  struct State {
    Exchange exchange;
    Outcome outcome;
  };
  auto state = std::make_shared<State>();
  state->exchange = std::move(exchange);
  const char* site = state->exchange.method;
  backend.request(
      subject, site,
      [state, effect = std::move(effect)]() mutable -> Result<void> {
        state->outcome = effect(state->exchange);
        return success();
      },
      [state](const Result<void>& result) {
        if (!result) {
          fail(state->exchange, result.error());
        } else if (state->outcome.failed) {
          const Failure& failure = state->outcome.failure;
          fail(state->exchange, failure.code, failure.message, failure.id);
        } else {
          succeed(state->exchange, std::move(state->outcome.value));
        }
      });
}

}  // namespace drover::wire::opennebula
