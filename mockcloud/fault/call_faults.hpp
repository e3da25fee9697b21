// What a decorator must do with one call: the sum of all rules that fired at one of its moments. Pure data;
// the engine fills it in, the decorators carry it out.
#pragma once

#include <optional>
#include <string_view>

#include "manager/base/result.hpp"
#include "mockcloud/fault/catalogue.hpp"

namespace drover::fault {

enum class ListPart : unsigned char { end, start, middle };

struct CallFaults {
  bool any = false;
  bool swallow = false;  // the caller dies here: no call, no answer
  bool stuck = false;    // never answered, no effect
  bool lose_reply = false;
  bool duplicate = false;
  bool ignore_token = false;
  bool drop_tags = false;
  bool drop_name = false;
  bool expire_token = false;  // forgotten once the call took effect
  bool stale = false;         // an earlier listing …
  bool empty = false;         // … or none
  bool backwards = false;
  double torn_keep = 1;                // the share of the listing that is answered
  ListPart torn_part = ListPart::end;  // what is missing of it
  Duration delay{0};
  Duration duplicate_after{0};
  std::optional<Duration> late_effect;
  std::optional<Error> error;  // at `before` instead of the call, later instead of its answer
};

// Adds one action to `faults`. The first error wins, delays add up.
void add_fault(CallFaults& faults, const ActionRow& row, const Arguments& arguments, const CallPoint& call,
               std::string_view subject);
// What fired at the effect and at the reply, together.
void add_faults(CallFaults& faults, CallFaults&& others);

// An error as the other side would have given it; `name` as in the catalogue: "unavailable". Its effect is
// `none` before the effect and `possible` after it.
Error call_error(std::string_view name, const CallPoint& call, std::string_view subject,
                 Duration retry_after = {});

}  // namespace drover::fault
