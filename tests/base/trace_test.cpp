#include "manager/base/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace drover {
namespace {

std::uint64_t digest_of(const std::function<void(Trace&)>& write) {
  Trace trace;
  write(trace);
  return trace.digest();
}

TEST(TraceDigest, OfTheSameEntriesIsTheSame) {
  const auto write = [](Trace& trace) {
    trace.add(TraceKind::step, "a", "text", 3, true);
    trace.add(TraceKind::note, "b");
  };
  EXPECT_EQ(digest_of(write), digest_of(write));
}

TEST(TraceDigest, TellsEverythingApartThatAnEntryHolds) {
  std::set<std::uint64_t> digests;
  const std::function<void(Trace&)> kTraces[] = {
      [](Trace&) {},
      [](Trace& t) { t.add(TraceKind::step, "a", "x"); },
      [](Trace& t) { t.add(TraceKind::note, "a", "x"); },       // kind
      [](Trace& t) { t.add(TraceKind::step, "b", "x"); },       // subject
      [](Trace& t) { t.add(TraceKind::step, "a", "y"); },       // detail
      [](Trace& t) { t.add(TraceKind::step, "a", "x", "x"); },  // more detail
      [](Trace& t) { t.add(TraceKind::step, "a"); },            // none
      [](Trace& t) { t.add(TraceKind::step, "a", 1); },         // a number
      [](Trace& t) { t.add(TraceKind::step, "a", 2); },         // another
      [](Trace& t) { t.add(TraceKind::step, "ax"); },           // parts are not just joined
      [](Trace& t) { t.add(TraceKind::step, "a", "xy"); },
      [](Trace& t) { t.add(TraceKind::step, "a", "x", "y"); },
      [](Trace& t) {  // twice
        t.add(TraceKind::step, "a", "x");
        t.add(TraceKind::step, "a", "x");
      },
      [](Trace& t) {  // time
        t.set_time(kEpoch + 1ns);
        t.add(TraceKind::step, "a", "x");
      },
  };
  for (const auto& write : kTraces) digests.insert(digest_of(write));
  EXPECT_EQ(digests.size(), std::size(kTraces));
}

TEST(TraceDigest, DependsOnTheOrder) {
  EXPECT_NE(digest_of([](Trace& t) {
              t.add(TraceKind::step, "a");
              t.add(TraceKind::step, "b");
            }),
            digest_of([](Trace& t) {
              t.add(TraceKind::step, "b");
              t.add(TraceKind::step, "a");
            }));
}

TEST(TraceDigest, DoesNotDependOnKeepingTheEntries) {
  const auto write = [](Trace& trace) { trace.add(TraceKind::step, "a", "x", 3); };
  EXPECT_EQ(digest_of([&](Trace& trace) {
              trace.keep();
              write(trace);
            }),
            digest_of(write));
}

TEST(Trace, KeepsNothingUnlessAsked) {
  Trace trace;
  trace.add(TraceKind::step, "a");
  EXPECT_TRUE(trace.entries().empty());
  EXPECT_EQ(trace.count(), 1U);
}

TEST(Trace, StampsEntriesWithTheClockItFollows) {
  Trace trace;
  TimePoint now = kEpoch + 12345ms;
  trace.follow(&now);
  trace.keep();
  trace.add(TraceKind::iaas_call, "node-1", "newInstance", 7);
  ASSERT_EQ(trace.entries().size(), 1U);
  EXPECT_EQ(to_text(trace.entries()[0]), "[      12.345s] iaas_call   node-1  newInstance 7");
}

TEST(Trace, EveryKindHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(TraceKind::note); ++i)
    names.insert(to_text(static_cast<TraceKind>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(TraceKind::note) + 1);
  EXPECT_FALSE(names.contains("?"));
}

}  // namespace
}  // namespace drover
