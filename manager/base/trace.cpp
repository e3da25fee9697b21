#include "manager/base/trace.hpp"

#include <cstdio>

namespace drover {

const char* to_text(TraceKind kind) {
  switch (kind) {
    case TraceKind::step:
      return "step";
    case TraceKind::request:
      return "request";
    case TraceKind::response:
      return "response";
    case TraceKind::service_state:
      return "service";
    case TraceKind::node_state:
      return "node";
    case TraceKind::operation:
      return "operation";
    case TraceKind::journal:
      return "journal";
    case TraceKind::iaas_call:
      return "iaas_call";
    case TraceKind::iaas_reply:
      return "iaas_reply";
    case TraceKind::agent_call:
      return "agent_call";
    case TraceKind::agent_reply:
      return "agent_reply";
    case TraceKind::instance:
      return "instance";
    case TraceKind::agent:
      return "agent";
    case TraceKind::database:
      return "database";
    case TraceKind::client:
      return "client";
    case TraceKind::fault:
      return "fault";
    case TraceKind::crash:
      return "crash";
    case TraceKind::check:
      return "check";
    case TraceKind::note:
      return "note";
  }
  return "?";
}

std::string to_text(const TraceEntry& entry) {
  char head[64];
  std::snprintf(head, sizeof head, "[%12.3fs] %-11s ", to_seconds(entry.at), to_text(entry.kind));
  std::string line = head;
  line += entry.subject;
  if (!entry.detail.empty()) {
    line += "  ";
    line += entry.detail;
  }
  return line;
}

}  // namespace drover
