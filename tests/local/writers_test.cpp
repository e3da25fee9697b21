// The account that writers keep of what they were promised, without a server.
#include "scenarios/local/writers.hpp"

#include <gmock/gmock.h>

namespace drover::scenario {
namespace {

using std::chrono::milliseconds;

const WriteAccount::Time kStart{};

struct Account : testing::Test {
  void write(unsigned writer, std::uint64_t n, WriteOutcome outcome, milliseconds at = milliseconds(0)) {
    account.begin(writer, n);
    account.add(writer, n, outcome, kStart + at);
  }
  std::uint64_t lost(const std::vector<WrittenRow>& rows) { return account.lost(rows, account.mark()); }
  WriteAccount account{2};
};

TEST_F(Account, LosesNothingWhileEveryAcknowledgedWriteIsThere) {
  write(1, 1, WriteOutcome::acknowledged);
  write(2, 1, WriteOutcome::acknowledged);
  EXPECT_EQ(lost({{1, 1}, {2, 1}}), 0);
}

TEST_F(Account, CountsAcknowledgedWritesThatAreGone) {
  write(1, 1, WriteOutcome::acknowledged);
  write(1, 2, WriteOutcome::acknowledged);
  write(2, 1, WriteOutcome::acknowledged);
  EXPECT_EQ(lost({{1, 2}}), 2);
}

TEST_F(Account, MissesNoWriteThatWasRefusedOrOfUnknownOutcome) {
  write(1, 1, WriteOutcome::refused);
  write(1, 2, WriteOutcome::unknown);
  EXPECT_EQ(lost({}), 0);
}

TEST_F(Account, MissesNoWriteAcknowledgedAfterTheRowsWereRead) {
  write(1, 1, WriteOutcome::acknowledged);
  account.begin(1, 2);
  const auto mark = account.mark();
  account.add(1, 2, WriteOutcome::acknowledged, kStart);
  EXPECT_EQ(account.lost({{1, 1}}, mark), 0);
}

TEST_F(Account, TakesRowsForPhantomsThatWereRefusedOrNeverSent) {
  write(1, 1, WriteOutcome::refused);
  EXPECT_EQ(account.phantoms({{1, 1}, {2, 7}, {5, 1}}), 3);
}

TEST_F(Account, TakesNoRowForAPhantomThatMayHaveBeenWritten) {
  write(1, 1, WriteOutcome::acknowledged);
  write(1, 2, WriteOutcome::unknown);
  account.begin(2, 1);  // under way
  EXPECT_EQ(account.phantoms({{1, 1}, {1, 2}, {2, 1}}), 0);
}

TEST_F(Account, MeasuresTheLongestTimeBetweenTwoAcknowledgements) {
  write(1, 1, WriteOutcome::acknowledged, milliseconds(100));
  write(2, 1, WriteOutcome::acknowledged, milliseconds(150));
  write(1, 2, WriteOutcome::refused, milliseconds(200));
  write(1, 3, WriteOutcome::acknowledged, milliseconds(450));
  EXPECT_EQ(account.counts().longest_gap, milliseconds(300));
}

TEST_F(Account, CallsAReadStaleThatDoesNotShowAnAcknowledgedWrite) {
  write(1, 1, WriteOutcome::acknowledged);
  write(1, 2, WriteOutcome::acknowledged);
  write(1, 3, WriteOutcome::refused);
  account.add_read(1, 2);
  EXPECT_EQ(account.counts().stale_reads, 0);
  account.add_read(1, 1);
  EXPECT_EQ(account.counts().stale_reads, 1);
}

TEST(WriteOutcomes, AreUnknownWhereTheConnectionWasLost) {
  EXPECT_EQ(outcome_of(make_error(ErrorCode::database, "2013: lost", Effect::possible)),
            WriteOutcome::unknown);
  EXPECT_EQ(outcome_of(make_error(ErrorCode::database, "1927: Connection was killed")),
            WriteOutcome::unknown);
}

TEST(WriteOutcomes, AreRefusalsWhereTheServerSaysSo) {
  EXPECT_EQ(outcome_of(make_error(ErrorCode::database, "1290: read-only")), WriteOutcome::refused);
  EXPECT_EQ(outcome_of(make_error(ErrorCode::database, "2002: connection refused")), WriteOutcome::refused);
}

}  // namespace
}  // namespace drover::scenario
