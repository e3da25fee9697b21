#include "manager/ports/store.hpp"

namespace drover {

const char* to_text(Table table) {
  switch (table) {
    case Table::service:
      return "service";
    case Table::node:
      return "node";
    case Table::operation:
      return "operation";
    case Table::history:
      return "history";
  }
  return "?";
}

}  // namespace drover
