// Records to and from the JSON documents of the journal. Unknown keys are ignored on reading (a newer version
// wrote them), missing ones take their default; a value that a record cannot hold is an error, never another
// value.
#pragma once

#include <string>

#include "manager/base/result.hpp"
#include "manager/model/records.hpp"

namespace drover::model {

std::string encode(const Service& service);
std::string encode(const Node& node);
std::string encode(const Operation& operation);

// Errors: ErrorCode::storage, naming the document.
Result<Service> decode_service(const std::string& document);
Result<Node> decode_node(const std::string& document);
Result<Operation> decode_operation(const std::string& document);

}  // namespace drover::model
