// Sabotage: a manager, or its view of the world, broken on purpose, to prove that a scenario fails when the
// behaviour that it shows is gone. Decorators sit between the manager and the fault engine, so that faults
// and the world's truth stay as they are; filters sit on the API. For tests only; see RunOptions::sabotage.
// One world uses one sabotage on one thread; the functions may be called for many worlds.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "manager/api/request.hpp"
#include "manager/ops/config.hpp"
#include "manager/ports/agent.hpp"
#include "manager/ports/iaas.hpp"
#include "manager/ports/store.hpp"

namespace drover::scenario {

// Whatever is left empty stays whole.
struct Sabotage {
  std::string name;
  std::string breaks;  // what no longer works, in a sentence
  // Changes a client's request before the service sees it.
  std::function<void(api::Request&)> request = {};
  // Changes the answer before the client sees it.
  std::function<void(const std::string& method, api::Response&)> response = {};
  // Put in front of a port: the manager calls what is returned, which calls the argument.
  std::function<std::unique_ptr<Iaas>(Iaas&)> iaas = {};
  std::function<std::unique_ptr<Agent>(Agent&)> agent = {};
  std::function<std::unique_ptr<Store>(Store&)> store = {};
  // Takes a behaviour away that the configuration governs: retries, replacements, the reconciler.
  std::function<void(ops::Configuration&)> configuration = {};
};

// All there are, each name once.
std::span<const Sabotage> sabotages();
// Null when there is none of this name.
const Sabotage* find_sabotage(std::string_view name);

}  // namespace drover::scenario
