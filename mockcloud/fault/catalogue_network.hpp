// The rows of the catalogue that disturb the network. Inside the catalogue only.
#pragma once

#include <vector>

#include "mockcloud/fault/catalogue.hpp"

namespace drover::fault {

void add_network_actions(std::vector<ActionRow>& rows);

}  // namespace drover::fault
