#include "manager/agent/http_face.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/file_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <filesystem>

#include "manager/ports/agent_codec.hpp"
#include "manager/system/net_stream.hpp"

namespace drover::agent {
namespace {

namespace http = boost::beast::http;
using nlohmann::json;
using SystemError = boost::system::error_code;

constexpr std::size_t kConnectionsMax = 128;
constexpr std::uint64_t kBodyMax = std::uint64_t{1} << 20U;  // of a command
constexpr std::uint64_t kDumpMax = std::uint64_t{16} << 30U;
constexpr Duration kPatience{60s};  // for a piece of a request, or an answer's

// Takes the same time for every wrong token of a length.
bool equal(std::string_view given, std::string_view expected) {
  unsigned char difference = given.size() == expected.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i)
    difference |= static_cast<unsigned char>(given[i]) ^
                  static_cast<unsigned char>(expected[expected.empty() ? 0 : i % expected.size()]);
  return difference == 0;
}

http::status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return http::status::bad_request;
    case ErrorCode::not_found:
      return http::status::not_found;
    case ErrorCode::unauthenticated:
      return http::status::unauthorized;
    case ErrorCode::wrong_state:
    case ErrorCode::fenced:
      return http::status::conflict;
    case ErrorCode::unavailable:
      return http::status::service_unavailable;
    default:
      return http::status::internal_server_error;
  }
}

// One connection: requests one after the other.
class Conversation {
 public:
  Conversation(NodeAgent& agent, int descriptor) : agent_(agent), stream_(descriptor, kPatience) {}

  void run() {
    while (one_request()) {
    }
  }

 private:
  bool one_request() {
    http::request_parser<http::empty_body> head;
    head.body_limit(boost::none);
    SystemError error;
    http::read_header(stream_, buffer_, head, error);
    if (error) return false;
    keep_ = head.get().keep_alive();
    const std::string target(head.get().target());
    if (head.get().method() == http::verb::get && target == "/healthz")
      return answer(http::status::ok, "ok\n");
    if (!equal(std::string(head.get()["Drover-Token"]), agent_.settings().token.value))
      return refuse(make_error(ErrorCode::unauthenticated,
                               "The agent of " + agent_.settings().instance_id +
                                   " refused the manager's credentials; check the token on the node."));
    if (head.get().method() != http::verb::post)
      return refuse(make_error(ErrorCode::invalid, "the agent takes POST"));
    if (head.get()[http::field::expect] == "100-continue") {
      http::response<http::empty_body> go_on(http::status::continue_, 11);
      http::write(stream_, go_on, error);
    }
    if (target == "/load_dump" || target.starts_with("/load_dump?"))
      return load_dump(std::move(head), target);
    http::request_parser<http::string_body> parser(std::move(head));
    parser.body_limit(kBodyMax);
    http::read(stream_, buffer_, parser, error);
    if (error == http::error::body_limit)
      return refuse(make_error(ErrorCode::invalid, "the command is longer than 1 MiB"));
    if (error) return false;
    const json fields = json::parse(parser.get().body(), nullptr, false);
    if (target == "/clone") return give_copy(fields);
    auto command = decode_command(std::string_view(target).substr(1), fields);
    if (command.has_error()) return respond(std::move(command).error());
    return respond(agent_.carry_out(command.value()));
  }

  // A request whose body was not read: the connection cannot be used any more.
  bool refuse(const Error& error) {
    keep_ = false;
    return respond(error);
  }
  bool respond(const Error& error) { return answer(status_of(error.code), encode_error(error).dump()); }
  bool respond(Result<AgentReply> reply) {
    if (reply.has_error()) return respond(reply.error());
    const std::string state =
        encode_reply(reply.value()).dump(-1, ' ', false, json::error_handler_t::replace);
    return answer(http::status::ok, state + reply.value().dump, state.size());
  }
  bool answer(http::status status, std::string body, std::size_t reply_length = 0) {
    http::response<http::string_body> response(status, 11);
    response.set(http::field::content_type, "application/json");
    if (reply_length != 0) response.set("Drover-Reply-Length", std::to_string(reply_length));
    response.keep_alive(keep_);
    response.body() = std::move(body);
    response.prepare_payload();
    SystemError error;
    http::write(stream_, response, error);
    return !error && keep_;
  }

  bool load_dump(http::request_parser<http::empty_body>&& head, const std::string& target) {
    LoadDump command;
    const auto mark = target.find("generation=");
    if (mark != std::string::npos)
      std::from_chars(target.data() + mark + 11, target.data() + target.size(), command.generation);
    const bool missing = head.get()["Drover-Dump"] == "missing";
    const std::string file = agent_.scratch_folder() + "/upload-" + std::to_string(::gettid()) + ".sql";
    SystemError error;
    http::request_parser<http::file_body> parser(std::move(head));
    parser.body_limit(kDumpMax);
    parser.get().body().open(file.c_str(), boost::beast::file_mode::write, error);
    if (error)
      return refuse(
          make_error(ErrorCode::storage, "the dump cannot be stored on the node: " + error.message()));
    http::read(stream_, buffer_, parser, error);
    parser.get().body().close();
    if (!missing) command.path = file;
    const bool arrived = !error;
    if (arrived) (void)respond(agent_.carry_out(command));
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
    return arrived && keep_;
  }

  // The status is told with the first piece, so that what fails early is an ordinary error. What fails later
  // ends the connection without the last chunk.
  bool give_copy(const json& fields) {
    const CopyKind kind =
        fields.is_object() && fields.value("kind", json()) == "dump" ? CopyKind::dump : CopyKind::backup;
    bool begun = false;
    const auto send = [&](std::string_view piece) {
      char size[20];
      const auto [end, failed] = std::to_chars(size, size + sizeof size, piece.size(), 16);
      static_cast<void>(failed);
      std::string text;
      if (!std::exchange(begun, true))
        text =
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
      text.append(size, end);
      text += "\r\n";
      text += piece;
      text += "\r\n";
      return write_all(text);
    };
    auto given = agent_.give_copy(kind, [&](std::string_view piece) { return piece.empty() || send(piece); });
    if (given.has_error()) {
      agent_.settings().log("the copy failed: " + given.error().message);
      return begun ? false : respond(given.error());
    }
    return send({}) && keep_;
  }

  bool write_all(std::string_view text) {
    SystemError error;
    while (!text.empty()) {
      text.remove_prefix(stream_.write_some(boost::asio::buffer(text.data(), text.size()), error));
      if (error) return false;
    }
    return true;
  }

  NodeAgent& agent_;
  system::NetStream stream_;
  boost::beast::flat_buffer buffer_;
  bool keep_ = true;
};

}  // namespace

Result<void> HttpFace::start() {
  DROVER_TRY(listening_, system::listen_on(agent_.settings().address, agent_.settings().port));
  DROVER_TRY(auto pipe, system::make_pipe());
  wake_read_ = std::move(pipe.first);
  wake_write_ = std::move(pipe.second);
  accepting_ = std::thread([this] { accept_loop(); });
  return success();
}

void HttpFace::stop() {
  wake_write_.close();
  if (accepting_.joinable()) accepting_.join();
  listening_.close();
  const std::scoped_lock lock(mutex_);
  stopping_ = true;
  for (const int descriptor : open_) ::shutdown(descriptor, SHUT_RD);
}

HttpFace::~HttpFace() {
  stop();
  std::unique_lock lock(mutex_);
  for (const int descriptor : open_) ::shutdown(descriptor, SHUT_RDWR);
  ended_.wait(lock, [this] { return open_.empty(); });
}

void HttpFace::accept_loop() {
  while (true) {
    pollfd looks[2] = {{listening_.get(), POLLIN, 0}, {wake_read_.get(), POLLIN, 0}};
    if (::poll(looks, 2, -1) < 0) continue;
    if (looks[1].revents != 0) return;
    const int descriptor = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) continue;
    const std::scoped_lock lock(mutex_);
    if (open_.size() >= kConnectionsMax) {
      ::close(descriptor);
      continue;
    }
    open_.insert(descriptor);
    std::thread([this, descriptor] { serve(descriptor); }).detach();
  }
}

void HttpFace::serve(int descriptor) {
  Conversation(agent_, descriptor).run();
  const std::scoped_lock lock(mutex_);
  ::close(descriptor);
  open_.erase(descriptor);
  // Under the lock: the face may be gone right after it.
  ended_.notify_all();
}

}  // namespace drover::agent
