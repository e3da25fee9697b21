#include "mockcloud/wire/wire_server.hpp"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <set>

namespace drover::wire {
namespace {

namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using SystemError = boost::system::error_code;

// What is read at once after an answer that closes the connection, so that the client gets to see it.
constexpr std::size_t kLingerMax = std::size_t{64} << 20U;

std::string header_of(const WireResponse& response, bool keep_alive) {
  std::string text =
      "HTTP/1.1 " + std::to_string(response.status) + " " + http::reason_of(response.status) + "\r\n";
  for (const auto& [name, value] : response.fields) text += name + ": " + value + "\r\n";
  if (response.more)
    text += "Transfer-Encoding: chunked\r\n";
  else if (response.status != 204)
    text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  if (!keep_alive) text += "Connection: close\r\n";
  return text + "\r\n";
}

// What stands before a part of a body whose length nobody knows yet (RFC 9112, 7.1), and behind it.
std::string before_chunk(std::size_t size) {
  if (size == 0) return {};
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr;
  return std::string(digits.data(), end) + "\r\n";
}
std::string after_chunk(std::size_t size, bool last) {
  return std::string(size == 0 ? "" : "\r\n") + (last ? "0\r\n\r\n" : "");
}

}  // namespace

class Session;

struct WireServer::Shared {
  Shared(asio::io_context& io_, Enter enter_, std::vector<Face*> faces_, ServerConfig config_,
         WireTraffic* traffic_)
      : io(io_),
        enter(std::move(enter_)),
        faces(std::move(faces_)),
        config(config_),
        traffic(traffic_),
        acceptor(io_) {}
  asio::io_context& io;
  Enter enter;
  std::vector<Face*> faces;
  ServerConfig config;
  WireTraffic* traffic;
  tcp::acceptor acceptor;
  std::uint16_t port = 0;
  std::set<Session*> sessions;
  bool gone = false;
  WireServer::Journal journal;

  Face& face_of(const http::Request& request) const {
    for (Face* face : faces)
      if (face->claims(request)) return *face;
    return *faces.back();
  }
};

// One client's connection: a request is read, answered, and only then the next one is read. Kept alive by its
// pending operation, or by the answer that it waits for.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<WireServer::Shared> shared, tcp::socket socket)
      : shared_(std::move(shared)), socket_(std::move(socket)), timer_(shared_->io) {
    SystemError ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    peer_port_ = socket_.remote_endpoint(ignored).port();
    shared_->sessions.insert(this);
  }
  ~Session() { shared_->sessions.erase(this); }

  void begin() {
    arm(shared_->config.idle_timeout);
    reading_ = true;
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(shared_->config.header_bytes_max));
    parser_->body_limit(shared_->config.body_bytes_max);
    beast::http::async_read_header(
        socket_, buffer_, *parser_,
        [self = shared_from_this()](const SystemError& error, std::size_t) { self->on_header(error); });
  }

  void close() {
    timer_.cancel();
    if (shared_->traffic != nullptr) shared_->traffic->answered(peer_port_);
    SystemError ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

 private:
  void arm(Duration timeout) {
    timer_.expires_after(timeout);
    timer_.async_wait([weak = weak_from_this()](const SystemError& error) {
      const auto self = weak.lock();
      if (!error && self) self->on_timeout();
    });
  }

  // Half a request is refused, nothing at all is just the end.
  void on_timeout() {
    if (!reading_ || !parser_->got_some()) return close();
    timed_out_ = true;
    SystemError ignored;
    socket_.cancel(ignored);
  }

  void on_header(const SystemError& error) {
    if (error) {
      // A body that is announced as too long is refused by whom its header is for.
      if (error == beast::http::error::body_limit) take_head();
      return on_unreadable(error);
    }
    arm(shared_->config.read_timeout);
    take_head();
    if (beast::iequals(parser_->get()[beast::http::field::expect], "100-continue")) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      asio::async_write(socket_, asio::buffer(kContinue),
                        [self = shared_from_this()](const SystemError& failed, std::size_t) {
                          if (failed)
                            self->close();
                          else
                            self->read_body();
                        });
      return;
    }
    read_body();
  }

  void take_head() {
    const auto& message = parser_->get();
    request_ = http::Request{};
    request_.method = std::string(message.method_string());
    request_.target = std::string(message.target());
    request_.fields.reserve(8);
    for (const auto& field : message) request_.fields.emplace_back(field.name_string(), field.value());
  }

  void read_body() {
    if (parser_->is_done()) return on_request();
    beast::http::async_read(socket_, buffer_, *parser_,
                            [self = shared_from_this()](const SystemError& error, std::size_t) {
                              if (error)
                                self->on_unreadable(error);
                              else
                                self->on_request();
                            });
  }

  void on_request() {
    timer_.cancel();
    reading_ = false;
    keep_alive_ = parser_->get().keep_alive();
    request_.body = std::move(parser_->get().body());
    if (shared_->traffic != nullptr) shared_->traffic->taken(peer_port_);
    watch_for_close();
    waiting_ = true;
    // An answer that is dropped leaves the client without one: the connection stays open until it gives up.
    Respond respond = [self = shared_from_this()](WireResponse response) {
      self->answer(std::move(response));
    };
    shared_->enter([&] {
      Face& face = shared_->face_of(request_);
      if (shared_->journal.begun) number_ = shared_->journal.begun(face, request_);
      face.handle(std::move(request_), std::move(respond));
    });
  }

  // While an answer is awaited: a client that goes away ends the connection.
  void watch_for_close() {
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const SystemError& error) {
      if (error || !self->waiting_) return;
      char byte = 0;
      SystemError state;
      self->socket_.non_blocking(true, state);
      const std::size_t got = self->socket_.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, state);
      if (got == 0 && state != asio::error::would_block) self->close();
    });
  }

  void answer(WireResponse response) {
    if (!waiting_ || shared_->gone || !socket_.is_open()) return;
    waiting_ = false;
    if (shared_->journal.ended) shared_->journal.ended(number_, response.status);
    if (shared_->traffic != nullptr) shared_->traffic->answered(peer_port_);
    if (parser_->get().version() < 11) take_whole(response);
    header_ = header_of(response, keep_alive_);
    if (response.status == 204 || request_method_is_head()) {
      response.body.clear();
      response.more = nullptr;
    }
    body_ = std::move(response.body);
    trailer_.clear();
    more_ = std::move(response.more);
    if (more_) frame(false);
    write();
  }
  bool request_method_is_head() const { return parser_->get().method() == beast::http::verb::head; }

  // HTTP/1.0 knows no parts.
  static void take_whole(WireResponse& response) {
    while (response.more)
      if (!response.more(response.body)) response.more = nullptr;
  }

  void write() {
    arm(shared_->config.read_timeout);
    asio::async_write(socket_, std::array{asio::buffer(header_), asio::buffer(body_), asio::buffer(trailer_)},
                      [self = shared_from_this()](const SystemError& error, std::size_t) {
                        self->body_ = std::string();  // which may have been large
                        if (!error && self->more_) return self->write_part();
                        self->more_ = nullptr;
                        if (error || !self->keep_alive_) return self->linger();
                        self->begin();
                      });
  }

  void write_part() {
    if (shared_->gone) return close();
    header_.clear();
    const bool last = !more_(body_);
    if (last) more_ = nullptr;
    frame(last);
    write();
  }
  void frame(bool last) {
    header_ += before_chunk(body_.size());
    trailer_ = after_chunk(body_.size(), last);
  }

  // Closing at once with input unread would reset the connection before the client has read the answer.
  void linger() {
    SystemError ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    arm(Duration{2s});
    drain(kLingerMax);
  }
  void drain(std::size_t left) {
    buffer_.clear();
    socket_.async_read_some(buffer_.prepare(std::min<std::size_t>(left, 65536)),
                            [self = shared_from_this(), left](const SystemError& error, std::size_t size) {
                              if (error || size >= left) return self->close();
                              self->drain(left - size);
                            });
  }

  // What cannot be read is refused in the words of the protocol that it seems to be.
  void on_unreadable(const SystemError& failed) {
    using beast::http::error;
    reading_ = false;
    const bool is_http = failed.category() == beast::http::make_error_code(error::bad_version).category();
    const bool is_over = !is_http || failed == error::end_of_stream || failed == error::partial_message;
    if (is_over && !timed_out_) return close();
    int status = timed_out_ ? 408 : 400;
    if (failed == error::body_limit) status = 413;
    if (failed == error::header_limit || failed == error::buffer_overflow) status = 431;
    if (shared_->traffic != nullptr) shared_->traffic->taken(peer_port_);
    keep_alive_ = false;
    if (status != 413 && status != 408) request_ = http::Request{};
    http::Response response = shared_->face_of(request_).refusal(
        status, timed_out_ ? "it did not arrive in time" : failed.message());
    waiting_ = true;
    answer(std::move(response));
  }

  std::shared_ptr<WireServer::Shared> shared_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  std::uint16_t peer_port_ = 0;
  beast::flat_buffer buffer_;
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  http::Request request_;
  std::uint64_t number_ = 0;  // in the journal
  std::string header_;        // of the answer, or of a part of it
  std::string body_;
  std::string trailer_;
  std::move_only_function<bool(std::string&)> more_;  // the rest of it
  bool keep_alive_ = true;
  bool reading_ = false;  // a request, or waiting for one
  bool timed_out_ = false;
  bool waiting_ = false;
};

namespace {

void accept_next(const std::shared_ptr<WireServer::Shared>& shared) {
  shared->acceptor.async_accept([shared](const SystemError& error, tcp::socket socket) {
    if (shared->gone || error == asio::error::operation_aborted) return;
    if (!error && shared->sessions.size() < shared->config.connections_max)
      std::make_shared<Session>(shared, std::move(socket))->begin();
    accept_next(shared);
  });
}

}  // namespace

WireServer::WireServer(asio::io_context& io, Enter enter, std::vector<Face*> faces, ServerConfig config,
                       WireTraffic* traffic)
    : shared_(std::make_shared<Shared>(io, std::move(enter), std::move(faces), config, traffic)) {
  DROVER_CHECK(!shared_->faces.empty(), "a wire server needs a protocol");
}

WireServer::~WireServer() {
  shared_->gone = true;
  SystemError ignored;
  shared_->acceptor.close(ignored);
  const auto sessions = shared_->sessions;
  for (Session* session : sessions) session->close();
}

Result<void> WireServer::listen(const std::string& address, std::uint16_t port) {
  SystemError error;
  const auto numeric = asio::ip::make_address(address, error);
  if (error) return make_error(ErrorCode::invalid, "\"" + address + "\" is no numeric address to listen on");
  const tcp::endpoint endpoint(numeric, port);
  auto& acceptor = shared_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return make_error(ErrorCode::unavailable, "cannot listen on " + address + ":" + std::to_string(port) +
                                                  ": " + error.message() + ": choose another port");
  shared_->port = acceptor.local_endpoint(error).port();
  accept_next(shared_);
  return success();
}

void WireServer::set_journal(Journal journal) { shared_->journal = std::move(journal); }

std::uint16_t WireServer::port() const { return shared_->port; }

}  // namespace drover::wire
