// From a template to an instance of the mock cloud. Internal to the face.
#pragma once

#include "mockcloud/wire/opennebula/exchange.hpp"
#include "mockcloud/wire/opennebula/vm_view.hpp"

namespace drover::wire::opennebula {

// What newInstance is given, and what is remembered beside it.
struct Allocation {
  InstanceSpec spec;
  VmNotes notes;
};

// Errors: ErrorCode::invalid with oned's own words (no MEMORY, no such image, …).
Result<Allocation> allocation_of(const Backend& backend, const one::Template& from);

// Creates the VM and answers its id. `made_of` is the template's id, -1 for none.
void allocate(Backend& backend, Exchange exchange, const one::Template& from, bool hold,
              std::int64_t made_of);

// User attributes, divided into what the cloud keeps as tags and the rest.
struct UserAttributes {
  Tags tags;
  one::Template others;
};
UserAttributes user_attributes(const one::Template& from);

}  // namespace drover::wire::opennebula
