// Who is obeyed, who stands down, and who believes that the journal is behind, each broken by hand.
#include "scenarios/engine/check_obedience.hpp"
#include "tests/scenarios/oracle_text.hpp"

namespace drover::scenario {
namespace {

using testing::Contains;
using testing::IsEmpty;

// An agent of node-2 that has heard of generation 5 answers a command of another one.
Prepare obeys(std::uint64_t generation, bool refuses) {
  return at(kLater, [generation, refuses](SimWorld& world) {
    Obedience obedience(world);
    AgentReply reply;
    reply.state.instance_id = id_of(world, "node-2");
    reply.state.generation = 5;
    obedience.answered(0, "node-2", reply);
    SetReadOnly close;
    close.generation = generation;
    const auto number = obedience.asked("node-2", close);
    if (refuses)
      obedience.answered(number, "node-2", make_error(ErrorCode::fenced, "of an old manager"));
    else
      obedience.answered(number, "node-2", reply);
  });
}

TEST(Obedience, AnAgentThatObeysAManagerThatWasReplacedIsReported) {
  EXPECT_THAT(fingerprints_of(obeys(4, false)), Contains("W2 obeys an old manager"));
  EXPECT_THAT(fingerprints_of(obeys(4, true)), IsEmpty());
  EXPECT_THAT(fingerprints_of(obeys(5, false)), IsEmpty());
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
