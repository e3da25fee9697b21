#include "mockcloud/wire/opennebula/opennebula_face.hpp"

#include <optional>

#include "mockcloud/wire/opennebula/exchange.hpp"

namespace drover::wire {
namespace {

using opennebula::Exchange;
using opennebula::Method;
using xml_rpc::Value;

// Faults of the XML-RPC library that OpenNebula is built on.
constexpr int kTypeFault = -501;
constexpr int kParseFault = -503;
constexpr int kNoMethodFault = -506;
constexpr int kLimitFault = -509;

constexpr std::size_t kNameMax = 128;  // of a method, as repeated in a fault

const Method* find_method(std::string_view name) {
  for (const auto methods : {opennebula::vm_methods(), opennebula::template_methods(),
                             opennebula::pool_methods(), opennebula::user_methods()})
    for (const Method& method : methods)
      if (name == method.name) return &method;
  return nullptr;
}

// What is wrong with the arguments behind the session; nothing when they fit.
std::optional<std::string> misfit(const Method& method, const std::vector<Value>& params) {
  std::size_t i = 0;
  bool required = true;
  for (const char* kind = method.signature; *kind != '\0'; ++kind) {
    if (*kind == '|') {
      required = false;
      continue;
    }
    if (i == params.size()) {
      if (required) return "Not enough parameters";
      return std::nullopt;
    }
    const Value::Kind given = params[i++].kind;
    if (*kind == 'i' && given != Value::Kind::integer)
      return "Parameter that is supposed to be integer is not";
    if (*kind == 's' && given != Value::Kind::text) return "Parameter that is supposed to be string is not";
    if (*kind == 'b' && given != Value::Kind::boolean)
      return "Parameter that is supposed to be boolean is not";
  }
  return std::nullopt;
}

http::Response page(int status, const std::string& text) {
  http::Response response;
  response.status = status;
  response.fields = {{"Content-Type", "text/html"}};
  const std::string title = "Error " + std::to_string(status);
  response.body = "<HTML><HEAD><TITLE>" + title + "</TITLE></HEAD><BODY><H1>" + title + "</H1><P>" +
                  xml_rpc::escape(text) + "</P></BODY></HTML>";
  return response;
}

void fault(Respond& respond, int code, const std::string& message) {
  respond(opennebula::xml_answer(xml_rpc::write_fault(code, message)));
}

}  // namespace

bool OpenNebulaFace::claims(const http::Request& request) const {
  if (request.path() == "/RPC2") return true;
  return request.path() == "/" && request.method == "POST" &&
         request.value("Content-Type").find("text/xml") != std::string_view::npos;
}

void OpenNebulaFace::handle(http::Request request, Respond respond) {
  if (request.path() != "/RPC2" && request.path() != "/")
    return respond(page(404, "This server answers XML-RPC at /RPC2, not at '" +
                                 std::string(request.path().substr(0, kNameMax)) + "'"));
  if (request.method != "POST")
    return respond(page(405, "POST is the only HTTP method this server understands"));
  auto call = xml_rpc::parse_call(request.body);
  if (!call) {
    const bool limit = call.error().code == ErrorCode::quota;
    const char* prefix = limit ? "" : "Call XML not a proper XML-RPC call.  Call is not valid XML.  ";
    return fault(respond, limit ? kLimitFault : kParseFault, prefix + call.error().message);
  }
  std::vector<Value>& params = call.value().params;
  const Method* method = find_method(call.value().method);
  if (method == nullptr)
    return fault(respond, kNoMethodFault,
                 "Method '" + call.value().method.substr(0, kNameMax) + "' not defined");
  if (params.empty()) return fault(respond, kTypeFault, "Not enough parameters");
  if (params.front().kind != Value::Kind::text)
    return fault(respond, kTypeFault, "Parameter that is supposed to be string is not");

  Exchange exchange;
  exchange.http = std::move(request);
  exchange.http.body.clear();
  exchange.method = method->name;
  exchange.user = opennebula::authenticate(backend_, params.front().text);
  exchange.params.assign(std::make_move_iterator(params.begin() + 1), std::make_move_iterator(params.end()));
  exchange.respond = std::move(respond);
  if (exchange.user.empty())
    return opennebula::fail(exchange, opennebula::kAuthentication,
                            "User couldn't be authenticated, aborting call.");
  if (const auto what = misfit(*method, exchange.params)) return fault(exchange.respond, kTypeFault, *what);
  method->run(backend_, std::move(exchange));
}

http::Response OpenNebulaFace::refusal(int status, const std::string& why) const {
  if (status == 413)
    return opennebula::xml_answer(xml_rpc::write_fault(kLimitFault, "XML-RPC request too large. " + why));
  return page(status, why);
}

}  // namespace drover::wire
