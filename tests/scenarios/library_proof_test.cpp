// The proof that each file of the library can fail: it passes as it is, and does not when the behaviour that
// it shows is broken on purpose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "paths.hpp"
#include "scenarios/engine/load_library.hpp"
#include "scenarios/engine/runner.hpp"
#include "scenarios/engine/sabotage.hpp"

namespace drover::scenario {
namespace {

struct Row {
  std::string_view file;
  std::string_view sabotage;
};

constexpr Row kRows[] = {
    {"agents/a-hanging-agent-in-an-operation.yaml", "agent_commands_do_nothing"},
    {"agents/a-second-copy-of-a-command.yaml", "fences_do_nothing"},
    {"agents/an-agent-that-lies.yaml", "believes_agents"},
    {"agents/another-version.yaml", "sources_are_mistaken"},
    {"agents/answers-that-are-seconds-old.yaml", "fences_do_nothing"},
    {"agents/commands-delivered-twice-or-late.yaml", "agent_commands_do_nothing"},
    {"agents/crash-in-command.yaml", "never_repeats_commands"},
    {"agents/disk-full-for-a-while.yaml", "sets_up_replicas_once"},
    {"agents/lost-and-failed-answers.yaml", "never_repeats_commands"},
    {"agents/not-the-right-agent.yaml", "ignores_identity"},
    {"agents/stale-answers.yaml", "agent_commands_do_nothing"},
    {"api/a-count-is-a-positive-integer.yaml", "any_count_is_taken"},
    {"api/add-nodes-in-both-forms.yaml", "counts_one_more"},
    {"api/dumps-go-in-and-out.yaml", "dumps_are_dropped"},
    {"api/heartbeats-register-known-nodes.yaml", "refusals_become_success"},
    {"api/ids-compare-as-text.yaml", "numbers_are_no_ids"},
    {"api/load-and-log.yaml", "answers_lose_their_content"},
    {"api/nodes-are-listed-and-described.yaml", "list_hides_a_node"},
    {"api/operations-can-be-followed.yaml", "history_is_empty"},
    {"api/remove-nodes-in-both-forms.yaml", "kill_does_nothing"},
    {"api/service-info-and-performance.yaml", "performance_is_a_placeholder"},
    {"api/topology-names-master-and-slaves.yaml", "topology_forgets_the_master"},
    {"api/users-on-several-servers.yaml", "refusals_become_success"},
    {"api/users-on-the-master.yaml", "users_are_dropped"},
    {"api/what-servers-do-is-measured.yaml", "performance_is_a_placeholder"},
    {"api/wrong-arguments-have-codes.yaml", "answers_lose_the_code"},
    {"clients/a-key-makes-one-operation.yaml", "keys_are_ignored"},
    {"clients/many-callers-at-once.yaml", "counts_one_more"},
    {"clients/retries-after-a-lost-answer.yaml", "keys_are_ignored"},
    {"cloud/a-cloud-that-answers-nothing-for-a-while.yaml", "calls_wait_for_ever"},
    {"cloud/a-destruction-that-is-forbidden.yaml", "kill_is_believed"},
    {"cloud/a-slow-account.yaml", "retries_are_off"},
    {"cloud/a-twin-is-destroyed.yaml", "reconciler_is_off"},
    {"cloud/a-whole-life-on-a-bad-cloud.yaml", "kill_does_nothing"},
    {"cloud/brown-out.yaml", "retries_are_off"},
    {"cloud/calls-delivered-twice.yaml", "creates_twice"},
    {"cloud/errors-after-the-effect.yaml", "never_looks_before_asking_again"},
    {"cloud/expired-credentials.yaml", "never_recovers_from_an_error"},
    {"cloud/expired-tokens.yaml", "never_looks_before_asking_again"},
    {"cloud/ignored-tokens.yaml", "never_looks_before_asking_again"},
    {"cloud/lagging-listings.yaml", "never_looks_before_asking_again"},
    {"cloud/late-effects-leave-no-vm.yaml", "never_looks_before_asking_again"},
    {"cloud/lost-replies.yaml", "never_looks_before_asking_again"},
    {"cloud/missing-names.yaml", "kill_does_nothing"},
    {"cloud/missing-tags.yaml", "believes_short_listings"},
    {"cloud/no-room-for-a-while.yaml", "retries_are_off"},
    {"cloud/not-found-right-after-creation.yaml", "gives_up_what_is_not_found"},
    {"cloud/not-found-while-running.yaml", "gives_up_what_is_not_found"},
    {"cloud/reads-going-backwards.yaml", "believes_backward_looks"},
    {"cloud/refused-calls-are-repeated.yaml", "never_recovers_from_an_error"},
    {"cloud/stale-and-torn-listings.yaml", "believes_short_listings"},
    {"cloud/stuck-and-slow-calls.yaml", "calls_wait_for_ever"},
    {"cloud/terminated-vms-count.yaml", "takes_refusals_for_vms"},
    {"cloud/the-account-is-full.yaml", "takes_refusals_for_vms"},
    {"cloud/throttled.yaml", "drops_retry_after"},
    {"cloud/throttled-for-good.yaml", "takes_refusals_for_vms"},
    {"crashes/a-crash-during-recovery.yaml", "sees_no_listing"},
    {"crashes/at-every-commit.yaml", "journal_forgets"},
    {"crashes/at-every-kind-of-call.yaml", "journal_forgets_nodes"},
    {"crashes/crash-during-shutdown.yaml", "journal_forgets"},
    {"crashes/crash-loop.yaml", "journal_forgets"},
    {"crashes/journal-errors-in-mid-operation.yaml", "journal_forgets"},
    {"crashes/shutdown-during-every-operation.yaml", "kill_is_believed"},
    {"crashes/the-journal-cannot-be-written.yaml", "storage_errors_are_ignored"},
    {"failover/a-dead-master-is-replaced.yaml", "failover_is_off"},
    {"failover/a-fail-over-that-cannot-be-is-tried-again.yaml", "failover_is_off"},
    {"failover/a-flapping-link-changes-nothing.yaml", "replicas_seem_deaf"},
    {"failover/a-forced-fail-over-loses-nothing.yaml", "promotes_without_waiting"},
    {"failover/a-hung-master-is-ended.yaml", "failover_is_off"},
    {"failover/a-lagging-slave-loses-nothing.yaml", "promotes_without_waiting"},
    {"failover/a-lost-vm-is-replaced.yaml", "failover_is_off"},
    {"failover/a-master-away-for-two-fail-overs.yaml", "errant_is_cloned"},
    {"failover/a-new-master-dies-while-a-slave-is-awaited.yaml", "failover_is_off"},
    {"failover/a-new-slave-at-the-time-of-a-fail-over.yaml", "failover_is_off"},
    {"failover/a-second-death-minutes-later.yaml", "one_failover_an_hour"},
    {"failover/a-silent-master-is-fenced-by-its-vm.yaml", "kill_is_believed"},
    {"failover/errant-transactions-are-refused.yaml", "errant_is_cloned"},
    {"failover/every-lost-machine-is-replaced.yaml", "failover_is_off"},
    {"failover/fail-over-on-request.yaml", "kill_does_nothing"},
    {"failover/semi-sync-loses-nothing.yaml", "durability_is_swapped"},
    {"faults/lost-create-reply.yaml", "leaves_tags_out"},
    {"managers/a-corrupt-journal-is-refused.yaml", "journal_forgets"},
    {"managers/a-crash-loop-ends-well.yaml", "journal_forgets"},
    {"managers/a-doomed-vm-is-never-taken-up.yaml", "old_managers_are_obeyed"},
    {"managers/a-frozen-manager-goes-on.yaml", "servers_are_not_started"},
    {"managers/a-full-disk-waits.yaml", "storage_errors_are_ignored"},
    {"managers/a-journal-that-is-behind-on-a-full-disk.yaml", "agent_commands_do_nothing"},
    {"managers/a-lost-tail-costs-no-member.yaml", "newer_looks_older"},
    {"managers/a-slow-disk-delays.yaml", "journal_forgets"},
    {"managers/a-torn-commit-never-was.yaml", "journal_forgets"},
    {"managers/an-old-backup-after-several-restarts.yaml", "journal_forgets"},
    {"managers/an-old-backup-loses-no-master.yaml", "newer_looks_older"},
    {"managers/an-old-manager-accepts-nothing.yaml", "old_managers_are_obeyed"},
    {"managers/an-old-manager-moves-no-master.yaml", "old_managers_are_obeyed"},
    {"managers/an-old-manager-starts-no-server.yaml", "servers_are_not_started"},
    {"managers/an-upgrade-in-mid-job.yaml", "journal_forgets"},
    {"managers/the-wall-clock-decides-nothing.yaml", "counts_one_more"},
    {"managers/two-managers-and-one-journal.yaml", "old_managers_are_obeyed"},
    {"mixed/all-at-once.yaml", "journal_forgets"},
    {"mixed/any-calls.yaml", "kill_is_believed"},
    {"mixed/any-calls-and-crashes.yaml", "journal_forgets"},
    {"mixed/any-calls-in-a-bad-network.yaml", "kill_is_believed"},
    {"mixed/any-calls-in-bad-weather.yaml", "kill_is_believed"},
    {"mixed/in-any-order.yaml", "agent_commands_do_nothing"},
    {"mixed/flapping-and-overlapping.yaml", "agent_commands_do_nothing"},
    {"mixed/trouble-during-a-repair.yaml", "sets_up_replicas_once"},
    {"network/a-missed-look-now-and-then.yaml", "lost_at_the_first_miss"},
    {"network/a-ring.yaml", "hears_silent_agents"},
    {"network/a-split-network.yaml", "fences_do_nothing"},
    {"network/an-isolated-node-is-lost-and-found.yaml", "hears_silent_agents"},
    {"network/answers-that-never-come.yaml", "calls_wait_for_ever"},
    {"network/async-goes-on-without-its-slaves.yaml", "durability_is_swapped"},
    {"network/clients-cut-off-from-the-master.yaml", "master_stays_read_only"},
    {"network/clients-with-a-stale-address.yaml", "fences_do_nothing"},
    {"network/commands-held-back.yaml", "fences_do_nothing"},
    {"network/half-open-connections.yaml", "sources_are_mistaken"},
    {"network/late-and-overtaking-messages.yaml", "agent_commands_do_nothing"},
    {"network/links-come-and-go.yaml", "fences_do_nothing"},
    {"network/lossy-links.yaml", "calls_wait_for_ever"},
    {"network/requests-that-arrive-twice.yaml", "keys_are_ignored"},
    {"network/semi-sync-waits-for-a-slave.yaml", "durability_is_swapped"},
    {"network/slaves-cut-off-from-the-master.yaml", "sources_are_mistaken"},
    {"replication/a-crashed-master-writes-again.yaml", "polls_are_off"},
    {"replication/a-master-that-cannot-be-closed-stays.yaml", "fences_do_nothing"},
    {"replication/a-master-that-takes-no-connections.yaml", "agent_commands_do_nothing"},
    {"replication/a-service-in-every-world.yaml", "agent_commands_do_nothing"},
    {"replication/a-slave-is-set-up-while-it-is-repaired.yaml", "agent_commands_do_nothing"},
    {"replication/a-slave-needs-a-master.yaml", "refusals_become_success"},
    {"replication/a-slave-that-takes-writes-is-fenced.yaml", "fences_do_nothing"},
    {"replication/a-slave-without-room.yaml", "sources_are_mistaken"},
    {"replication/an-interrupted-copy-is-begun-again.yaml", "sets_up_replicas_once"},
    {"replication/back-and-forth.yaml", "fences_do_nothing"},
    {"replication/between-stop-and-writable.yaml", "journal_forgets"},
    {"replication/broken-replication-is-repaired.yaml", "data_is_not_cloned"},
    {"replication/create-replica-adds-a-slave.yaml", "sources_are_mistaken"},
    {"replication/disconnected-slave-comes-back.yaml", "sources_are_mistaken"},
    {"replication/logs-that-cannot-be-read.yaml", "data_is_not_cloned"},
    {"replication/master-and-n-slaves.yaml", "server_ids_are_mistaken"},
    {"replication/master-and-two-slaves.yaml", "agent_commands_do_nothing"},
    {"replication/nobody-is-opened-beside-a-silent-one.yaml", "fences_do_nothing"},
    {"replication/own-server-ids.yaml", "server_ids_are_mistaken"},
    {"replication/planned-switchover-loses-no-write.yaml", "fences_do_nothing"},
    {"replication/promotion-waits-for-a-lagging-slave.yaml", "promotes_without_waiting"},
    {"replication/purged-binlogs-mean-a-new-copy.yaml", "sets_up_replicas_once"},
    {"replication/servers-that-died-are-started.yaml", "servers_are_not_started"},
    {"replication/slave-from-file-and-position.yaml", "server_ids_are_mistaken"},
    {"replication/two-promotions-at-once.yaml", "fences_do_nothing"},
    {"replication/what-no-manager-can-mend.yaml", "fences_do_nothing"},
    {"scaling/a-thousand-nodes.yaml", "creates_one_after_another"},
    {"scaling/additions-run-beside-each-other.yaml", "creates_one_after_another"},
    {"scaling/a-failed-addition-keeps-what-is-in-use.yaml", "partial_policies_are_swapped"},
    {"scaling/cancel-in-the-queue.yaml", "cancel_does_nothing"},
    {"scaling/cancel-is-refused-half-way.yaml", "cancel_does_nothing"},
    {"scaling/cancel-takes-back-what-was-done.yaml", "cancel_does_nothing"},
    {"scaling/cancelled-at-any-moment.yaml", "cancel_does_nothing"},
    {"scaling/partial-creation-is-kept.yaml", "partial_policies_are_swapped"},
    {"scaling/partial-creation-is-rolled-back.yaml", "partial_policies_are_swapped"},
    {"scaling/plain-nodes-go-first-the-master-never.yaml", "force_is_implied"},
    {"scaling/the-queue-is-bounded.yaml", "queue_has_no_end"},
    {"scaling/up-and-down.yaml", "kill_does_nothing"},
    {"states/adapting-takes-more-operations.yaml", "state_always_running"},
    {"states/epilogue-refuses-everything.yaml", "state_always_running"},
    {"states/error-allows-shutdown-and-startup.yaml", "refusals_become_success"},
    {"states/init-refuses-all-but-startup.yaml", "refusals_become_success"},
    {"states/running-refuses-startup.yaml", "refusals_become_success"},
    {"states/shutdown-in-the-middle.yaml", "kill_does_nothing"},
    {"states/starting-can-be-shut-down.yaml", "shutdown_does_nothing"},
    {"states/starting-refuses-operations.yaml", "state_always_running"},
    {"states/state-survives-a-crash.yaml", "journal_forgets"},
    {"states/stopped-refuses-all-but-startup.yaml", "startup_does_nothing"},
    {"states/what-is-refused-changes-nothing.yaml", "storage_errors_are_ignored"},
    {"vm/a-machine-that-dies-after-boot.yaml", "replacements_are_off"},
    {"vm/a-master-that-wakes-up-with-its-old-role.yaml", "fences_do_nothing"},
    {"vm/a-node-the-cloud-lost-is-dropped.yaml", "hears_silent_agents"},
    {"vm/a-slave-without-its-disk-is-filled-again.yaml", "sets_up_replicas_once"},
    {"vm/addresses-change.yaml", "keeps_first_address"},
    {"vm/boot-failures-are-replaced.yaml", "replacements_are_off"},
    {"vm/clocks-that-go-wrong.yaml", "fences_do_nothing"},
    {"vm/crash-while-coming-up.yaml", "replacements_are_off"},
    {"vm/crashed-machines-are-reported-lost.yaml", "hears_silent_agents"},
    {"vm/host-loss-and-return.yaml", "hears_silent_agents"},
    {"vm/reboots-keep-the-service.yaml", "polls_are_off"},
    {"vm/slow-boots-are-waited-for.yaml", "patience_is_short"},
    {"vm/slow-machines.yaml", "fences_do_nothing"},
    {"vm/stuck-deletions-end.yaml", "kill_is_believed"},
    {"vm/three-failed-boots-are-enough.yaml", "sees_no_boot_failures"},
    {"vm/two-machines-one-address.yaml", "ignores_identity"},
    {"vm/zombies-are-not-members.yaml", "kill_does_nothing"},
    {"vm/zone-loss-and-return.yaml", "master_stays_read_only"},
};

const std::string kRoot = DROVER_SOURCE_DIR "/scenarios/library/";

const Row* row_of(const std::string& path) {
  const std::string file = path.substr(kRoot.size());
  for (const Row& row : kRows)
    if (row.file == file) return &row;
  return nullptr;
}

// Runs the cases with their first seed until one does not pass; that one, or the last.
RunResult first_not_passed(const ScenarioFile& file, const Sabotage* sabotage) {
  RunOptions options;
  options.sabotage = sabotage;
  options.max_events = 600'000;  // more than any file needs as it is
  RunResult last;
  for (const Scenario& one : file.cases) {
    last = run_scenario(one, one.seeds.first, options);
    if (last.verdict != Verdict::pass) break;
  }
  return last;
}

std::string describe(const RunResult& run) {
  std::string text = run.repro + ": " + to_text(run.verdict) + " " + run.reason;
  for (const auto& failure : run.failures) text += "\n  " + failure.invariant + ": " + failure.message;
  return text;
}

template <class F>
void for_each_file(F&& look) {
  const auto files = find_scenarios({kRoot}).value();
  for (const auto& path : files) {
    SCOPED_TRACE(path);
    const auto file = load_scenario(path);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    look(path, file.value());
  }
}

TEST(LibraryProof, HasARowForEachFile) {
  for_each_file([](const std::string& path, const ScenarioFile&) {
    EXPECT_NE(row_of(path), nullptr) << "name a sabotage that this file is to notice";
  });
}

TEST(LibraryProof, HasNoRowForAFileThatIsGone) {
  const auto files = find_scenarios({kRoot}).value();
  for (const Row& row : kRows) EXPECT_THAT(files, testing::Contains(kRoot + std::string(row.file)));
}

TEST(LibraryProof, NamesSabotagesThatExist) {
  for (const Row& row : kRows)
    EXPECT_NE(find_sabotage(row.sabotage), nullptr) << row.file << ": " << row.sabotage;
}

TEST(LibraryProof, UsesEverySabotage) {
  for (const Sabotage& sabotage : sabotages())
    EXPECT_TRUE(std::ranges::any_of(kRows, [&](const Row& row) { return row.sabotage == sabotage.name; }))
        << sabotage.name;
}

TEST(LibraryProof, PassesAsItIs) {
  for_each_file([](const std::string&, const ScenarioFile& file) {
    const RunResult run = first_not_passed(file, nullptr);
    EXPECT_EQ(run.verdict, Verdict::pass) << describe(run);
  });
}

TEST(LibraryProof, FailsWhenTheBehaviourItShowsIsBroken) {
  for_each_file([](const std::string& path, const ScenarioFile& file) {
    const Row* row = row_of(path);
    const Sabotage* sabotage = row == nullptr ? nullptr : find_sabotage(row->sabotage);
    if (sabotage == nullptr) return;
    EXPECT_NE(first_not_passed(file, sabotage).verdict, Verdict::pass)
        << "it still passes with " << sabotage->name << ", so that " << sabotage->breaks << " is not shown";
  });
}

}  // namespace
}  // namespace drover::scenario
