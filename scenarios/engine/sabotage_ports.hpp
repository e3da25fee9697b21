// The broken ports that the table of sabotages (sabotage.cpp) is made of. Each factory gives a decorator; see
// sabotage.hpp for where it sits. Inside the scenario engine only.
#pragma once

#include "scenarios/engine/sabotage.hpp"

namespace drover::scenario {

using IaasBreaker = std::function<std::unique_ptr<Iaas>(Iaas&)>;
using AgentBreaker = std::function<std::unique_ptr<Agent>(Agent&)>;
using StoreBreaker = std::function<std::unique_ptr<Store>(Store&)>;

// killInstance says yes and does nothing; with `believed` getVMInfo calls those VMs terminated, too.
IaasBreaker kills_do_nothing(bool believed);
// Every creation is made twice, under two tokens.
IaasBreaker creates_twice();
// Every call of newInstance has a token of its own, and nobody looks for a VM before asking again.
IaasBreaker never_looks_before_asking_again();
// VMs are created without the tags by which they are found again.
IaasBreaker leaves_tags_out();
// Listings show nothing, so that what nobody has a record of is never found.
IaasBreaker sees_no_listing();
// Whatever is missing in a listing is destroyed.
IaasBreaker believes_short_listings();
// getVMInfo's first not_found about a VM is the end of it: the VM is destroyed.
IaasBreaker gives_up_what_is_not_found();
// A pending VM, or one without an address, is called terminated when it had been seen further on before.
IaasBreaker believes_backward_looks();
// A new VM is asked for only when the one before runs.
IaasBreaker creates_one_after_another();
// Retry-After is not passed on.
IaasBreaker drops_retry_after();
// The first error of each call is repeated for ever.
IaasBreaker never_recovers_from_an_error();
// A VM that runs keeps the address it was first seen with.
IaasBreaker keeps_first_address();
// Listings tell of no VM for which node it was made.
IaasBreaker hides_origins();
// Boot failures are not noticed: such a VM looks pending for ever.
IaasBreaker sees_no_boot_failures();
// Any error of newInstance is taken for a success of the VM "i-none".
IaasBreaker takes_refusals_for_vms();

using CommandFilter = std::function<bool(const AgentCommand&)>;
// Commands for which the filter says yes are answered with the server's state and not carried out.
AgentBreaker drops_commands(CommandFilter dropped);
// Commands are changed on their way.
AgentBreaker changes_commands(std::function<void(AgentCommand&)> change);
// What an agent said ok to is taken for done: its state is read as it was ordered.
AgentBreaker believes_agents();
// No replica says that it hears its source.
AgentBreaker deafens_replicas();
// Whoever answers is taken for the right agent.
AgentBreaker ignores_identity();
// An agent that was heard once is heard for ever.
AgentBreaker hears_silent_agents();
// The first error of a command to an agent is its answer for ever.
AgentBreaker never_repeats_commands();
// Agents tell of no epoch.
AgentBreaker hides_epochs();
// Each agent gets a set-up as a replica once; later ones are dropped.
AgentBreaker sets_up_replicas_once();

// Commits are acknowledged and forgotten; with `but_service` the service's own record is kept.
StoreBreaker forgets_commits(bool but_service);
// The journal takes commits of every manager, replaced or not.
StoreBreaker obeys_everyone();
// Errors of the journal are taken for success.
StoreBreaker ignores_storage_errors();

}  // namespace drover::scenario
