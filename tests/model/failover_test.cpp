#include "manager/model/failover.hpp"

#include <gmock/gmock.h>

namespace drover::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kMaster = "10.0.0.1";

View silent(NodeId id) {
  View view;
  view.node = id;
  return view;
}

View master_that(bool runs) {
  View view = silent(1);
  view.answered = true;
  view.server.running = runs;
  view.server.role = Role::primary;
  return view;
}

View hung_master() {
  View view = master_that(true);
  view.hung = true;
  return view;
}

// Received and applied are sequence numbers of the master's domain.
View replica(NodeId id, ThreadState io, std::uint64_t received = 10, std::uint64_t applied = 10) {
  View view = silent(id);
  view.answered = true;
  view.server.running = true;
  view.server.role = Role::replica;
  view.server.gtid_slave_pos = "0-1-" + std::to_string(applied);
  view.server.gtid_binlog_pos = view.server.gtid_slave_pos;
  view.server.replication.configured = true;
  view.server.replication.source_address = kMaster;
  view.server.replication.io = io;
  view.server.replication.sql_running = true;
  view.server.replication.gtid_io_pos = "0-1-" + std::to_string(received);
  view.server.replication.source_server_id = 1;
  return view;
}

Health health(const View& master, const std::vector<View>& replicas) {
  return judge_master(&master, replicas, kMaster).health;
}

constexpr auto kHears = ThreadState::yes;
constexpr auto kLost = ThreadState::connecting;

TEST(JudgingAMaster, OneThatAnswersIsWellWhateverOthersSay) {
  EXPECT_EQ(health(master_that(true), {replica(2, kLost), replica(3, kLost)}), Health::well);
}

TEST(JudgingAMaster, ASilentOneIsDeadWhenEveryReplicaHasLostIt) {
  EXPECT_EQ(health(silent(1), {replica(2, kLost), replica(3, kLost)}), Health::dead);
  EXPECT_EQ(health(silent(1), {replica(2, ThreadState::no)}), Health::dead);
}

TEST(JudgingAMaster, ASilentOneThatAReplicaHearsIsOnlyAway) {
  EXPECT_EQ(health(silent(1), {replica(2, kLost), replica(3, kHears)}), Health::away);
}

TEST(JudgingAMaster, OneWhoseServerDoesNotRunIsDeadOnceAReplicaHasNoticed) {
  EXPECT_EQ(health(master_that(false), {replica(2, kLost), replica(3, kHears)}), Health::dead);
  EXPECT_EQ(health(master_that(false), {replica(2, kHears), replica(3, kHears)}), Health::unclear)
      << "its agent may answer with an old state";
}

TEST(JudgingAMaster, AHungOneIsToldByItsAgent) {
  EXPECT_EQ(health(hung_master(), {replica(2, kHears)}), Health::hung);
}

TEST(JudgingAMaster, AManagerThatIsCutOffJudgesNobody) {
  EXPECT_EQ(health(silent(1), {replica(2, kLost), silent(3)}), Health::unclear);
  EXPECT_EQ(health(silent(1), {silent(2), silent(3)}), Health::unclear);
  EXPECT_EQ(health(hung_master(), {silent(2)}), Health::unclear);
  EXPECT_EQ(judge_master(nullptr, {silent(2)}, kMaster).health, Health::unclear);
}

TEST(JudgingAMaster, AReplicaThatIsLostHasNoVote) {
  View lost = silent(3);
  lost.state = NodeState::lost;
  EXPECT_EQ(health(silent(1), {replica(2, kLost), lost}), Health::dead);
  EXPECT_EQ(health(silent(1), {lost}), Health::unclear) << "nobody is left to ask";
}

TEST(JudgingAMaster, WithoutAReplicaThereIsNoSuccessor) {
  EXPECT_EQ(health(silent(1), {}), Health::irreplaceable);
}

TEST(JudgingAMaster, OneWhoseVmIsGoneIsDeadWhenEveryReplicaHasLostIt) {
  EXPECT_EQ(judge_master(nullptr, {replica(2, kLost)}, kMaster).health, Health::dead);
  EXPECT_EQ(judge_master(nullptr, {replica(2, kLost), replica(3, kLost)}, kMaster).health, Health::dead);
  EXPECT_EQ(judge_master(nullptr, {replica(2, kLost), replica(3, kHears)}, kMaster).health, Health::away)
      << "the cloud may forget a VM that is there, and nobody could fence it";
}

TEST(JudgingAMaster, HearingAnotherMasterIsNotHearingThisOne) {
  View other = replica(2, kHears);
  other.server.replication.source_address = "10.0.0.9";
  EXPECT_EQ(health(silent(1), {other}), Health::dead);
}

TEST(ChoosingASuccessor, TheOneThatHasReceivedTheMostEvenIfItHasAppliedLess) {
  const auto chosen = choose_successor({replica(2, kLost, 50, 50), replica(3, kLost, 90, 10)}, kMaster);
  EXPECT_EQ(chosen.node, 3);
  EXPECT_EQ(to_text(chosen.received), "0-1-90");
  EXPECT_TRUE(chosen.complete);
  EXPECT_THAT(chosen.notes, IsEmpty());
}

TEST(ChoosingASuccessor, OfEqualsTheOneWithLessToApplyThenTheFirst) {
  EXPECT_EQ(choose_successor({replica(2, kLost, 50, 10), replica(3, kLost, 50, 40)}, kMaster).node, 3);
  EXPECT_EQ(choose_successor({replica(2, kLost), replica(3, kLost)}, kMaster).node, 2);
}

TEST(ChoosingASuccessor, WhoCannotApplyIsPassedOverAndSaysWhatThatCosts) {
  View broken = replica(3, kLost, 90, 10);
  broken.server.replication.sql_running = false;
  broken.server.replication.sql_errno = 1062;
  const auto chosen = choose_successor({replica(2, kLost, 50, 50), broken}, kMaster);
  EXPECT_EQ(chosen.node, 2);
  EXPECT_EQ(chosen.passed_over, 40U);
  EXPECT_THAT(chosen.notes, ElementsAre(HasSubstr("error 1062"), HasSubstr("40 transaction(s) more")));
}

TEST(ChoosingASuccessor, WhoDoesNotAnswerLeavesTheChoiceIncomplete) {
  const auto chosen = choose_successor({replica(2, kLost), silent(3)}, kMaster);
  EXPECT_EQ(chosen.node, 2);
  EXPECT_FALSE(chosen.complete);
}

// What it had received and not applied went with its relay log, confirmed or not.
TEST(ChoosingASuccessor, WhoWasStartedAnewAndHasNotReachedTheMasterLeavesItIncomplete) {
  View anew = replica(3, kLost, 5, 5);
  anew.server.replication.source_server_id = 0;
  const auto alone = choose_successor({anew}, kMaster);
  EXPECT_EQ(alone.node, 3);
  EXPECT_FALSE(alone.complete);
  EXPECT_THAT(alone.notes, ElementsAre(HasSubstr("has not reached the master since")));
  const auto other = choose_successor({replica(2, kLost), anew}, kMaster);
  EXPECT_EQ(other.node, 2);
  EXPECT_FALSE(other.complete) << "it may have confirmed what node 2 has not received";
  anew.server.replication.source_address = "10.0.0.9";
  EXPECT_TRUE(choose_successor({replica(2, kLost), anew}, kMaster).complete);
}

TEST(ChoosingASuccessor, WhoWasLeftBehindHasConfirmedNothingOfThisMaster) {
  View back = replica(3, kLost, 5, 5);
  back.server.replication.source_server_id = 0;
  back.left_behind = true;
  EXPECT_TRUE(choose_successor({replica(2, kLost), back}, kMaster).complete);
}

// To be told to follow is to lose the relay log, which the master before it may have been promised.
TEST(ChoosingASuccessor, WhoHasNotReachedThisMasterYetIsNoCompleteOne) {
  View early = replica(3, kLost);
  early.server.replication.source_server_id = 7;
  EXPECT_FALSE(choose_successor({early}, kMaster, 1).complete);
  EXPECT_TRUE(choose_successor({early}, kMaster, 7).complete);
  EXPECT_TRUE(choose_successor({early}, kMaster).complete) << "nobody knows the master's id any more";
  early.server.replication.gtid_io_pos = early.server.gtid_slave_pos = early.server.gtid_binlog_pos = "0-1-5";
  EXPECT_TRUE(choose_successor({early, replica(2, kLost)}, kMaster, 1).complete) << "another one knows all";
}

TEST(ChoosingASuccessor, NobodyWhoIsBeingSetUpOrFollowsAnother) {
  View busy = replica(2, kLost);
  busy.busy = true;
  View stranger = replica(3, kLost);
  stranger.server.replication.source_address = "10.0.0.9";
  View lost = replica(4, kLost);
  lost.state = NodeState::lost;
  EXPECT_EQ(choose_successor({busy, stranger, lost}, kMaster).node, 0);
}

TEST(ErrantTransactions, AreWhatAMemberHoldsBeyondWhereItWasLeft) {
  ServerState state;
  state.gtid_binlog_pos = "0-1-105";
  const auto errant = errant_transactions(state, "0-1-100");
  EXPECT_EQ(count(errant), 5U);
  EXPECT_EQ(to_text(errant), "0-x-101 to 0-1-105");
  EXPECT_THAT(errant_transactions(state, "0-2-105"), IsEmpty());
  EXPECT_THAT(errant_transactions(state, ""), IsEmpty()) << "nothing is known of it";
}

TEST(ErrantTransactions, OfADomainThatTheOtherLacksAreAllOfIt) {
  ServerState state;
  state.gtid_binlog_pos = "0-1-5,7-1-2";
  EXPECT_EQ(to_text(errant_transactions(state, "0-1-5")), "7-x-1 to 7-1-2");
}

TEST(GtidPositions, HaveTheEarlierOfEachDomainInCommon) {
  const auto position = [](const char* text) { return parse_gtid_position(text).value(); };
  EXPECT_EQ(to_text(common(position("0-1-5,1-1-9"), position("0-2-3,2-1-1"))), "0-2-3");
}

}  // namespace
}  // namespace drover::model
