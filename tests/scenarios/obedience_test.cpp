// Who is obeyed, who stands down, and who believes that the journal is behind, each broken by hand.
#include "scenarios/engine/check_obedience.hpp"
#include "tests/scenarios/oracle_text.hpp"

namespace drover::scenario {
namespace {

using testing::Contains;
using testing::IsEmpty;

// An agent of node-2 that has heard of generation 5 and epoch 3 answers a command of others.
Prepare obeys(std::uint64_t generation, std::uint64_t epoch, bool refuses = false) {
  return at(kLater, [=](SimWorld& world) {
    constexpr std::uint64_t kNumber = 7;
    Obedience obedience(world);
    AgentReply reply;
    reply.state.instance_id = id_of(world, "node-2");
    reply.state.generation = 5;
    reply.state.epoch = 3;
    obedience.answered(0, "node-2", reply);
    SetReadOnly close;
    close.generation = generation;
    close.epoch = epoch;
    obedience.asked(kNumber, "node-2", close);
    if (refuses)
      obedience.answered(kNumber, "node-2", make_error(ErrorCode::fenced, "of an old manager"));
    else
      obedience.answered(kNumber, "node-2", reply);
  });
}

TEST(Obedience, AnAgentThatObeysAManagerThatWasReplacedIsReported) {
  EXPECT_THAT(fingerprints_of(obeys(4, 3)), Contains("W2 obeys an old manager"));
  EXPECT_THAT(fingerprints_of(obeys(4, 3, true)), IsEmpty());
  EXPECT_THAT(fingerprints_of(obeys(5, 3)), IsEmpty());
}

TEST(Obedience, AnAgentThatObeysAnOrderOfAnOldEpochIsReported) {
  EXPECT_THAT(fingerprints_of(obeys(5, 2)), Contains("W2 obeys an order of an old epoch"));
  EXPECT_THAT(fingerprints_of(obeys(5, 2, true)), IsEmpty());
  EXPECT_THAT(fingerprints_of(obeys(5, 4)), IsEmpty());
}

TEST(Obedience, AManagerThatStandsDownThoughNobodyReplacedItIsReported) {
  EXPECT_THAT(
      fingerprints_of(at(kLater, [](SimWorld& world) { core(world).observe("manager.fenced", "manager"); })),
      Contains("S8 stood down unreplaced"));
}

TEST(Obedience, AMemberThatIsTakenUpThoughTheJournalIsWholeIsReported) {
  EXPECT_THAT(
      fingerprints_of(at(kLater, [](SimWorld& world) { core(world).observe("node.adopted", "node-2"); })),
      Contains("S12 adopted without a lost journal"));
}

}  // namespace
}  // namespace drover::scenario
