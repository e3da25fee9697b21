// How an instance of the mock cloud looks to OpenNebula's clients: its number, its states, its XML. And what
// is remembered of it beside the cloud: the template that it was made from, and how it was parked. Internal.
#pragma once

#include <optional>
#include <string>

#include "manager/system/one_template.hpp"
#include "mockcloud/wire/backend.hpp"

namespace drover::wire::opennebula {

// A VM's id is the instance's number less 1: the first is 0. Nothing for what cannot be one.
std::string instance_id(std::int64_t vm);
std::int64_t vm_id(const std::string& instance);

// Whether a client of OpenNebula asked for it. Known before it boots, and when the answer was lost.
bool made_here(const cloud::Instance& vm);
// What its spec has as extras, so that it is.
inline constexpr const char* kMadeHere = "{\"one\":true}";

// A document of the cloud's, by the instance's id.
struct VmNotes {
  one::Template of;           // CPU, MEMORY, DISK, NIC, CONTEXT, …
  one::Template user;         // user attributes that are no tags: vectors, and long values
  bool held = false;          // on hold: does not boot until it is released
  int parked = 0;             // STATE while it is stopped: 4, 5, 8 or 9; 0 is 8
  std::int64_t made_of = -1;  // TEMPLATE_ID
};
std::optional<VmNotes> notes_of(const Backend& backend, const std::string& instance);
// For one that came by another wire: it has a disk and a network card.
VmNotes notes_or_default(const Backend& backend, const cloud::Instance& vm);
void keep_notes(Backend& backend, const std::string& instance, const VmNotes& notes);

// A template as JSON text, and back.
std::string to_json(const one::Template& from);
one::Template template_from_json(const std::string& text);

struct VmState {
  int state = 0;
  int lcm = 0;
};
VmState vm_state(const InstanceInfo& info, const std::optional<VmNotes>& notes);
// "POWEROFF", "RUNNING": what refusals call it.
std::string state_name(const VmState& state);

// <VM>…</VM> as one.vm.info has it, or the shorter one of one.vmpool.info.
std::string vm_element(const Backend& backend, const InstanceInfo& info, bool whole);

// Elements that every object has.
std::string element(const char* name, const std::string& inner);
std::string text_element(const char* name, std::string_view text);  // escaped
std::string element(const char* name, std::int64_t number);
std::string data_element(const char* name, std::string_view text);  // as CDATA
std::string owner_elements(const Backend& backend);
inline constexpr const char* kPermissions =
    "<PERMISSIONS><OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A><GROUP_U>0</GROUP_U>"
    "<GROUP_M>0</GROUP_M><GROUP_A>0</GROUP_A><OTHER_U>0</OTHER_U><OTHER_M>0</OTHER_M><OTHER_A>0</OTHER_A>"
    "</PERMISSIONS>";

std::int64_t seconds_of(TimePoint at);
// The index of `name` in a catalogue, -1 when it is not there.
std::int64_t index_of(const std::vector<std::string>& catalogue, const std::string& name);

}  // namespace drover::wire::opennebula
