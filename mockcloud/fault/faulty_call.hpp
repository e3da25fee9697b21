// What the decorators around the ports share: one call's way from the caller to the wrapped port and back.
//
//   before -> refused, stuck, swallowed, late; or passed on (delayed, twice) -> the wrapped port answers
//          -> effect -> reply -> lost, delayed, turned into an error, adjusted; or as it is -> caller
//
// Handlers that wait for the wrapped port belong to nobody's domain; delays run in the engine's.
#pragma once

#include <string>
#include <utility>

#include "manager/ports/iaas.hpp"
#include "mockcloud/fault/engine.hpp"

namespace drover::fault {

struct CallSite {
  Port port{};
  std::string_view call;  // of static lifetime
  TraceKind reply_kind{};
};

// What a reply says for the trace, without secrets: overloads for each type of answer.
inline void trace_value(Trace& trace, const CallSite& site, std::string_view subject,
                        const InstanceInfo& info) {
  trace.add(site.reply_kind, subject, site.call, "ok", info.id, to_text(info.state), info.address);
}
inline void trace_value(Trace& trace, const CallSite& site, std::string_view subject,
                        const VolumeInfo& volume) {
  trace.add(site.reply_kind, subject, site.call, "ok", volume.id);
}
template <class Listing>
requires requires(const Listing& items) { items.size(); }
void trace_value(Trace& trace, const CallSite& site, std::string_view subject, const Listing& items) {
  trace.add(site.reply_kind, subject, site.call, "ok", items.size());
}
template <class T>
void trace_value(Trace& trace, const CallSite& site, std::string_view subject, const T&) {
  trace.add(site.reply_kind, subject, site.call, "ok");
}

template <class T>
void trace_reply(Trace& trace, const CallSite& site, std::string_view subject, const Result<T>& result) {
  if (!result) {
    trace.add(site.reply_kind, subject, site.call, to_text(result.error().code),
              result.error().effect == Effect::possible ? "effect possible" : "no effect");
  } else if constexpr (std::is_void_v<T>) {
    trace.add(site.reply_kind, subject, site.call, "ok");
  } else {
    trace_value(trace, site, subject, result.value());
  }
}

// What fires meanwhile belongs to that request.
class OfRequest {
 public:
  OfRequest(Engine& engine, std::uint64_t request) : engine_(engine), before_(engine.request()) {
    engine_.set_request(request);
  }
  ~OfRequest() { engine_.set_request(before_); }
  OfRequest(const OfRequest&) = delete;
  OfRequest& operator=(const OfRequest&) = delete;

 private:
  Engine& engine_;
  std::uint64_t before_;
};

// For calls whose answers are passed on as they are.
struct NoAdjustment {
  template <class T>
  void operator()(T&, const CallFaults&) const {}
};

// One reply on its way to the caller. `Adjust` gets an answer that is a value, and may change it.
template <class T, class Adjust>
class ReplyPath {
 public:
  ReplyPath(Engine& engine, const CallSite& site, const CallContext& context, Handler<T> handler,
            Adjust adjust)
      : engine_(&engine),
        site_(site),
        subject_(context.subject),
        deadline_(engine.scheduler().later(context.timeout)),
        incarnation_(engine.incarnation()),
        request_(engine.request()),
        handler_(std::move(handler)),
        adjust_(std::move(adjust)) {}

  // The wrapped port has answered.
  void operator()(Result<T> result) {
    CallFaults faults;
    if (engine_->watching()) {
      const OfRequest of_request(*engine_, request_);
      const bool effect = result.has_value() || result.error().effect == Effect::possible;
      if (effect && has_phase(site_.port, Phase::effect))
        faults = engine_->at_call(site_.port, site_.call, Phase::effect, subject_);
      if (faults.swallow || caller_is_gone()) return;
      if (!faults.lose_reply)
        add_faults(faults, engine_->at_call(site_.port, site_.call, Phase::reply, subject_));
    }
    if (faults.swallow || caller_is_gone()) return;
    if (faults.lose_reply) return leave();
    if (faults.error)
      result = std::move(*faults.error);
    else if (result.has_value())
      adjust_(result, faults);
    answer(std::move(result), faults.delay);
  }

  // An answer that never came from the wrapped port.
  void refuse(Error error, Duration delay) { answer(std::move(error), delay); }

  // No answer ever comes. Until its time is up the caller's handler lives, as a connection stays open: nobody
  // can know before.
  void leave() {
    const Duration left = deadline_ - engine_->scheduler().now();
    if (left > Duration{0})
      engine_->scheduler().call_after(engine_->domain(), left, [handler = std::move(handler_)] {});
  }

 private:
  bool caller_is_gone() const { return incarnation_ != engine_->incarnation(); }

  void answer(Result<T> result, Duration delay) {
    if (delay <= Duration{0}) {
      trace_reply(engine_->trace(), site_, subject_, result);
      handler_(std::move(result));
      return;
    }
    engine_->scheduler().call_after(engine_->domain(), delay,
                                    [path = std::move(*this), late = std::move(result)]() mutable {
                                      if (!path.caller_is_gone()) path.answer(std::move(late), Duration{0});
                                    });
  }

  Engine* engine_;
  CallSite site_;
  std::string subject_;
  TimePoint deadline_;
  std::uint64_t incarnation_;
  std::uint64_t request_;
  Handler<T> handler_;
  Adjust adjust_;
};

// Carries out what fired at `before`. `invoke(context, handler)` makes the wrapped call and may be copied: it
// holds its own copies of the call's arguments.
template <class T, class Adjust, class Invoke>
void call_with_faults(Engine& engine, const CallContext& context, CallFaults faults,
                      ReplyPath<T, Adjust> reply, Invoke invoke) {
  if (faults.swallow) return;
  if (faults.stuck) return reply.leave();
  if (faults.error && !faults.late_effect) {
    reply.refuse(std::move(*faults.error), faults.delay);
    return;
  }
  const auto pass_on = [invoke, subject = std::string(context.subject),
                        timeout = context.timeout](Handler<T> handler) {
    CallContext copy;
    copy.subject = subject;
    copy.timeout = timeout;
    invoke(copy, std::move(handler));
  };
  const auto unanswered = [](auto&&) {};
  const auto later = [&engine](Duration delay, auto function) {
    if (delay <= Duration{0})
      function();
    else
      engine.scheduler().call_after(engine.domain(), delay, std::move(function));
  };
  if (faults.late_effect) {
    later(*faults.late_effect, [pass_on, unanswered] { pass_on(unanswered); });
    reply.leave();
    return;
  }
  later(faults.delay, [pass_on, path = std::move(reply)]() mutable { pass_on(std::move(path)); });
  if (faults.duplicate)
    later(faults.delay + faults.duplicate_after, [pass_on, unanswered] { pass_on(unanswered); });
}

}  // namespace drover::fault
