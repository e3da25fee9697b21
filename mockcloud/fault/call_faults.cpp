#include "mockcloud/fault/call_faults.hpp"

#include <algorithm>

#include "manager/base/check.hpp"

namespace drover::fault {
namespace {

struct ErrorText {
  std::string_view name;
  ErrorCode code;
  Retry retry;
  std::string_view text;
};
constexpr ErrorText kErrors[] = {
    {"unavailable", ErrorCode::unavailable, Retry::soon, "the service is not available (503)"},
    {"throttled", ErrorCode::throttled, Retry::later, "too many calls (429)"},
    {"unauthenticated", ErrorCode::unauthenticated, Retry::no, "the credentials were refused (401)"},
    {"permission", ErrorCode::permission, Retry::no, "these credentials may not do this (403)"},
    {"quota", ErrorCode::quota, Retry::later, "the account's limit is reached"},
    {"capacity", ErrorCode::capacity, Retry::later, "the cloud has no room now"},
    {"invalid", ErrorCode::invalid, Retry::no, "the request was not understood (400)"},
    {"not_found", ErrorCode::not_found, Retry::no, "there is no such thing (404)"},
    {"wrong_state", ErrorCode::wrong_state, Retry::no, "not possible in the present state (409)"},
    {"database", ErrorCode::database, Retry::soon, "the server reported 1205 (lock wait timeout exceeded)"},
    {"connection_lost", ErrorCode::connection_lost, Retry::soon, "the connection broke"},
    {"timeout", ErrorCode::timeout, Retry::soon, "no answer in time (504)"},
    {"internal", ErrorCode::internal, Retry::soon, "internal error (500)"},
    {"storage", ErrorCode::storage, Retry::soon,
     "the journal could not be written (no space left on device)"},
};

std::string_view error_name(const ActionRow& row, const Arguments& arguments) {
  if (row.target == Target::store_commit) return "storage";
  switch (row.call_action) {
    case CallAction::throttle:
      return "throttled";
    case CallAction::quota:
      return "quota";
    case CallAction::capacity:
      return "capacity";
    case CallAction::not_found:
      return "not_found";
    case CallAction::expired_credentials:
      return "unauthenticated";
    default:
      return arguments.text("error");
  }
}

ListPart list_part(std::string_view text) {
  if (text == "start") return ListPart::start;
  return text == "middle" ? ListPart::middle : ListPart::end;
}

}  // namespace

Error call_error(std::string_view name, const CallPoint& call, std::string_view subject,
                 Duration retry_after) {
  const auto* known = std::find_if(std::begin(kErrors), std::end(kErrors),
                                   [name](const ErrorText& error) { return error.name == name; });
  DROVER_CHECK(known != std::end(kErrors), "the catalogue offers an error that has no text");
  std::string message(call.call);
  if (!subject.empty()) message.append(" for ").append(subject);
  message.append(": ").append(known->text);
  const bool before = call.phase == Phase::before;
  message += before ? "; nothing was changed" : "; it may have taken effect, look before trying again";
  Error error =
      make_error(known->code, std::move(message), before ? Effect::none : Effect::possible, known->retry);
  error.retry_after = retry_after;
  return error;
}

void add_fault(CallFaults& faults, const ActionRow& row, const Arguments& arguments, const CallPoint& call,
               std::string_view subject) {
  faults.any = true;
  switch (row.call_action) {
    case CallAction::none:
    case CallAction::brown_out:
      return;  // a window: the engine decides call by call
    case CallAction::lose_reply:
      faults.lose_reply = true;
      return;
    case CallAction::late_effect:
      faults.late_effect = arguments.duration("delay");
      return;
    case CallAction::delay:
      faults.delay += arguments.duration("by");
      return;
    case CallAction::stuck:
      faults.stuck = true;
      return;
    case CallAction::duplicate_delivery:
      faults.duplicate = true;
      faults.duplicate_after = arguments.duration("after");
      return;
    case CallAction::ignore_token:
      faults.ignore_token = true;
      return;
    case CallAction::expire_token:
      faults.expire_token = true;
      return;
    case CallAction::drop_tags:
      faults.drop_tags = true;
      return;
    case CallAction::drop_name:
      faults.drop_name = true;
      return;
    case CallAction::stale_list:
      faults.stale = true;
      faults.empty = faults.empty || arguments.flag("empty");
      return;
    case CallAction::torn_list:
      faults.torn_keep = std::min(faults.torn_keep, arguments.number("keep"));
      faults.torn_part = list_part(arguments.text("lose"));
      return;
    case CallAction::backwards:
      faults.backwards = true;
      return;
    case CallAction::refuse:
    case CallAction::error_after_effect:
    case CallAction::throttle:
    case CallAction::quota:
    case CallAction::capacity:
    case CallAction::not_found:
    case CallAction::expired_credentials:
      if (!faults.error)
        faults.error =
            call_error(error_name(row, arguments), call, subject, arguments.duration("retry_after"));
      // The caller is told plainly that the instance is not there: no hint that something may have happened.
      if (row.call_action == CallAction::not_found && faults.error->code == ErrorCode::not_found) {
        faults.error->effect = Effect::none;
        faults.error->message =
            std::string(call.call) + " for " + std::string(subject) + ": no such instance (404)";
      }
      return;
  }
}

void add_faults(CallFaults& faults, CallFaults&& others) {
  if (!others.any) return;
  faults.any = true;
  faults.swallow = faults.swallow || others.swallow;
  faults.lose_reply = faults.lose_reply || others.lose_reply;
  faults.stale = faults.stale || others.stale;
  faults.empty = faults.empty || others.empty;
  faults.backwards = faults.backwards || others.backwards;
  if (others.torn_keep < faults.torn_keep) {
    faults.torn_keep = others.torn_keep;
    faults.torn_part = others.torn_part;
  }
  faults.delay += others.delay;
  if (!faults.error) faults.error = std::move(others.error);
}

}  // namespace drover::fault
