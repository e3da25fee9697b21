// What may legitimately fail returns Result<T>: a value, or an Error that says what happened, whether an
// effect may exist in spite of it, and whether to try again. The one header that includes Boost.Outcome. Use
// OUTCOME_CO_TRY-like macros from Boost only through DROVER_TRY below.
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/success_failure.hpp>
#include <boost/outcome/try.hpp>
#include <string>

#include "manager/base/time.hpp"

namespace drover {

enum class ErrorCode : unsigned char {
  unknown,
  invalid,          // the request can never succeed as it stands
  not_found,        // the thing does not exist (or not yet: listings lag)
  already_exists,   // also: an idempotency token reused with other parameters
  wrong_state,      // illegal in the present state
  quota,            // the account's limit
  capacity,         // the provider has no room now
  throttled,        // too many calls; see retry_after
  unauthenticated,  // credentials refused or expired
  permission,       // credentials accepted, action refused
  unavailable,      // 5xx, refused connection: the other side is not able now
  timeout,          // no answer within the deadline
  connection_lost,  // the connection broke before the answer
  protocol,         // the answer could not be understood
  storage,          // the journal could not be written
  fenced,           // another manager has taken over: final, whoever gets it must stop
  cancelled,        // passed on, never retried
  database,         // the database server reported an error (its number is in the message)
  internal,
};
const char* to_text(ErrorCode code);

// Whether the failed call may have changed something. `possible` forces a look before any retry.
enum class Effect : unsigned char { none, possible };

enum class Retry : unsigned char { no, soon, later };

struct Error {
  ErrorCode code = ErrorCode::unknown;
  Effect effect = Effect::none;
  Retry retry = Retry::no;
  Duration retry_after{0};  // when the other side said how long to wait, else 0
  std::string message;      // what happened, to which thing, why, and what to do next; never a secret
};

template <class T>
using Result =
    BOOST_OUTCOME_V2_NAMESPACE::basic_result<T, Error, BOOST_OUTCOME_V2_NAMESPACE::policy::terminate>;

inline Error make_error(ErrorCode code, std::string message, Effect effect = Effect::none,
                        Retry retry = Retry::no) {
  return Error{code, effect, retry, Duration{0}, std::move(message)};
}

inline auto success() { return BOOST_OUTCOME_V2_NAMESPACE::success(); }

}  // namespace drover

// DROVER_TRY(auto&& value, expression): returns the error from the enclosing function, else binds the value.
#define DROVER_TRY(...) BOOST_OUTCOME_TRY(__VA_ARGS__)
