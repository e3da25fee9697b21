#include "tools/drover/api_client.hpp"

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <string_view>

namespace drover::tools {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using nlohmann::json;
using SystemError = boost::system::error_code;

struct MethodVerb {
  std::string_view method;
  std::string_view verb;
};
constexpr std::array kMethodVerbs = {
    MethodVerb{"list_nodes", "GET"},
    MethodVerb{"get_node_info", "GET"},
    MethodVerb{"get_service_info", "GET"},
    MethodVerb{"get_service_performance", "GET"},
    MethodVerb{"getLog", "GET"},
    MethodVerb{"get_users", "GET"},
    MethodVerb{"sqldump", "GET"},
    MethodVerb{"getMeanLoad", "GET"},
    MethodVerb{"get_operation", "GET"},
    MethodVerb{"list_operations", "GET"},
    MethodVerb{"get_topology", "GET"},
    MethodVerb{"get_service_history", "GET"},
    MethodVerb{"add_nodes", "POST"},
    MethodVerb{"remove_nodes", "POST"},
    MethodVerb{"set_up_replica_master", "POST"},
    MethodVerb{"set_up_replica_slave", "POST"},
    MethodVerb{"shutdown", "POST"},
    MethodVerb{"startup", "POST"},
    MethodVerb{"configure_user", "POST"},
    MethodVerb{"delete_user", "POST"},
    MethodVerb{"register_node", "POST"},
    MethodVerb{"create_replica", "POST"},
    MethodVerb{"set_password", "POST"},
    MethodVerb{"promote", "POST"},
    MethodVerb{"cancel_operation", "POST"},
    MethodVerb{"send_mysqldump", "UPLOAD"},
    MethodVerb{"load_dump", "UPLOAD"},
};

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x80 && std::isalnum(byte) != 0) || c == '-' || c == '_' || c == '.' || c == '~') {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kHex[byte >> 4U];
      encoded += kHex[byte & 15U];
    }
  }
  return encoded;
}

std::string text_of(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string host_header(const ApiAddress& address) {
  const bool ipv6 = address.host.find(':') != std::string::npos;
  return "Host: " + (ipv6 ? "[" + address.host + "]" : address.host) + ":" + address.port + "\r\n";
}

std::string quoted_name(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c != '\r' && c != '\n') quoted += c;
  }
  return quoted + "\"";
}

// The pieces of an upload, so that its length is known before the first byte is sent.
struct Form {
  std::string boundary;
  std::vector<std::string> heads;  // before each file, then the end
  std::uint64_t bytes = 0;
};

Form make_form(const ApiCall& call) {
  Form form;
  std::random_device entropy;
  form.boundary = "drover-" + std::to_string(entropy()) + "-" + std::to_string(entropy());
  const auto part = [&](const std::string& name) {
    return "--" + form.boundary + "\r\nContent-Disposition: form-data; name=" + quoted_name(name);
  };
  std::string text = part("method") + "\r\n\r\n" + call.method + "\r\n";
  for (const auto& [key, value] : call.params.items())
    text += part(key) + "\r\n\r\n" + text_of(value) + "\r\n";
  for (const ApiFile& file : call.files) {
    const std::string name = std::filesystem::path(file.path).filename().string();
    text += part(file.field) + "; filename=" + quoted_name(name) +
            "\r\nContent-Type: application/octet-stream\r\n\r\n";
    form.bytes += text.size() + std::filesystem::file_size(file.path);
    form.heads.push_back(std::move(text));
    text = "\r\n";
  }
  text += "--" + form.boundary + "--\r\n";
  form.bytes += text.size();
  form.heads.push_back(std::move(text));
  return form;
}

std::string request_text(const ApiAddress& address, const ApiCall& call, const Form& form) {
  const std::string tail =
      host_header(address) + "User-Agent: drover/" DROVER_VERSION "\r\nConnection: close\r\n";
  if (call.verb == "GET") {
    std::string query = "/?method=" + percent_encoded(call.method) + "&id=1";
    if (!call.params.empty()) query += "&params=" + percent_encoded(call.params.dump());
    return "GET " + query + " HTTP/1.1\r\nContent-Type: application/json\r\n" + tail + "\r\n";
  }
  if (call.verb == "POST") {
    const std::string body = json({{"method", call.method}, {"params", call.params}, {"id", 1}}).dump();
    return "POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n" + tail + "\r\n" + body;
  }
  return "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=" + form.boundary +
         "\r\nContent-Length: " + std::to_string(form.bytes) + "\r\n" + tail + "\r\n";
}

// Sends the files between the form's pieces. A fault of the connection ends it early: the answer may still be
// there.
void send_form(asio::ip::tcp::socket& socket, const ApiCall& call, const Form& form) {
  SystemError error;
  std::vector<char> piece(256 * 1024);
  for (std::size_t i = 0; i < form.heads.size() && !error; ++i) {
    asio::write(socket, asio::buffer(form.heads[i]), error);
    if (i == call.files.size()) break;
    std::ifstream file(call.files[i].path, std::ios::binary);
    while (!error && (file.read(piece.data(), static_cast<std::streamsize>(piece.size())), file.gcount() > 0))
      asio::write(socket, asio::buffer(piece.data(), static_cast<std::size_t>(file.gcount())), error);
  }
}

ApiOutcome unreachable(const ApiAddress& address, const std::string& why) {
  return {ApiOutcome::Kind::unreachable,
          "no answer from a manager at " + address.host + " port " + address.port + ": " + why +
              ". Start one with `drover serve`, or name another with --url.",
          {}};
}

ApiOutcome read_envelope(const ApiAddress& address, unsigned status, const std::string& body) {
  const json envelope = json::parse(body, nullptr, false);
  const bool is_envelope = envelope.is_object() && envelope.contains("id") && envelope.contains("error");
  if (!is_envelope && status == 200) return unreachable(address, "what answers there is no manager");
  if (!is_envelope) {
    const bool plain = !body.empty() && body.size() < 200 && body.find('<') == std::string::npos;
    return {ApiOutcome::Kind::refused, "HTTP " + std::to_string(status) + (plain ? ": " + body : ""), {}};
  }
  if (envelope["error"].is_null()) return {ApiOutcome::Kind::result, {}, envelope.value("result", json())};
  return {ApiOutcome::Kind::refused, text_of(envelope["error"]), envelope.value("data", json())};
}

}  // namespace

std::optional<ApiAddress> parse_api_url(const std::string& url) {
  std::string_view rest = url;
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  if (rest.find("://") != std::string_view::npos) return std::nullopt;
  const auto path = rest.find('/');
  if (path != std::string_view::npos && path + 1 != rest.size()) return std::nullopt;
  rest = rest.substr(0, path);
  ApiAddress address;
  const auto bracket = rest.starts_with('[') ? rest.find(']') : std::string_view::npos;
  const auto colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  address.host =
      std::string(bracket == std::string_view::npos ? rest.substr(0, colon) : rest.substr(1, bracket - 1));
  if (colon != std::string_view::npos) address.port = std::string(rest.substr(colon + 1));
  const bool digits = address.port.find_first_not_of("0123456789") == std::string::npos;
  if (address.host.empty() || address.port.empty() || !digits || address.port.size() > 5) return std::nullopt;
  return address;
}

std::string verb_of_method(const std::string& method, bool has_files) {
  for (const MethodVerb& known : kMethodVerbs)
    if (known.method == method) return std::string(known.verb);
  if (has_files) return "UPLOAD";
  return method.starts_with("get") || method.starts_with("list") ? "GET" : "POST";
}

ApiOutcome call_api(const ApiAddress& address, const ApiCall& call) {
  for (const ApiFile& file : call.files)
    if (!std::filesystem::is_regular_file(file.path) || !std::ifstream(file.path))
      return {
          ApiOutcome::Kind::bad_file, "cannot read " + file.path + ": give the path of a readable file", {}};
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  SystemError error;
  const auto endpoints = asio::ip::tcp::resolver(io).resolve(address.host, address.port, error);
  if (!error) asio::connect(socket, endpoints, error);
  if (error) return unreachable(address, error.message());
  Form form;
  if (call.verb == "UPLOAD") form = make_form(call);
  asio::write(socket, asio::buffer(request_text(address, call, form)), error);
  if (call.verb == "UPLOAD" && !error) send_form(socket, call, form);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  http::read(socket, buffer, parser, error);
  if (error) return unreachable(address, error.message());
  return read_envelope(address, parser.get().result_int(), parser.get().body());
}

}  // namespace drover::tools
