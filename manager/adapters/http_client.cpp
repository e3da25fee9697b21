#include "manager/adapters/http_client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>

namespace drover {
namespace {

namespace beast = boost::beast;
namespace ssl = asio::ssl;
using tcp = asio::ip::tcp;
using SystemError = boost::system::error_code;

constexpr std::size_t kHeaderMax = 256 * 1024;

// A socket, with TLS on it or not.
class Connection {
 public:
  explicit Connection(asio::io_context& io) : socket_(io) {}

  tcp::socket& socket() { return socket_; }
  ssl::stream<tcp::socket&>& add_tls(ssl::context& context) { return tls_.emplace(socket_, context); }
  template <class F>
  void with_stream(F&& function) {
    if (tls_)
      function(*tls_);
    else
      function(socket_);
  }
  beast::flat_buffer& buffer() { return buffer_; }

  // The server has neither closed it nor said anything unasked.
  bool is_quiet() {
    SystemError error;
    socket_.non_blocking(true, error);
    char byte = 0;
    socket_.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
    return error == asio::error::would_block;
  }
  void close() {
    SystemError ignored;
    socket_.close(ignored);
  }

  std::uint16_t port = 0;  // ours
  TimePoint idle_since{};

 private:
  tcp::socket socket_;
  std::optional<ssl::stream<tcp::socket&>> tls_;
  beast::flat_buffer buffer_;
};

std::string to_wire(const http::Url& url, const http::Request& request) {
  std::string text = request.method + " " + (request.target.empty() ? "/" : request.target) + " HTTP/1.1\r\n";
  if (request.field("Host") == nullptr) text += "Host: " + url.authority() + "\r\n";
  for (const auto& [name, value] : request.fields) text += name + ": " + value + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
      request.method == "PATCH")
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return text + "\r\n" + request.body;
}

// A field with a line break in it would become two.
bool is_clean(const http::Request& request) {
  const auto clean = [](std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos;
  };
  if (!clean(request.method) || !clean(request.target) || request.target.find(' ') != std::string::npos)
    return false;
  for (const auto& [name, value] : request.fields)
    if (!clean(name) || !clean(value) || name.empty() || name.find_first_of(": ") != std::string::npos)
      return false;
  return true;
}

}  // namespace

struct NetHttpClient::Shared {
  // The connections to one host and port.
  struct Host {
    std::vector<std::shared_ptr<Connection>> idle;  // the one used last is used first
    std::deque<std::shared_ptr<Exchange>> waiting;
    std::size_t open = 0;
  };

  asio::io_context& io;
  Domain& domain;
  Enter enter;
  HttpClientConfig config;
  WireTraffic* traffic;
  std::optional<ssl::context> tls;
  std::map<std::string, Host> hosts;
  std::vector<Exchange*> exchanges;  // under way
  bool gone = false;

  // Errors: unavailable.
  Result<ssl::context*> tls_context() {
    if (tls) return &*tls;
    ssl::context context(ssl::context::tls_client);
    SystemError error;
    context.set_default_verify_paths(error);
    if (!config.ca_file.empty()) {
      context.load_verify_file(config.ca_file, error);
      if (error)
        return make_error(ErrorCode::unavailable,
                          "the CA file " + config.ca_file + " cannot be used: " + error.message());
    }
    context.set_verify_mode(ssl::verify_peer, error);
    return &tls.emplace(std::move(context));
  }
};

// One request and its answer. Alive as long as an operation of its own is pending, or it waits for a
// connection.
class NetHttpClient::Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(std::shared_ptr<Shared> shared, http::Url url, const http::Request& request, bool repeatable,
           Handler<http::Response> handler)
      : shared_(std::move(shared)),
        url_(std::move(url)),
        key_((url_.tls ? "s:" : "p:") + url_.host + ":" + std::to_string(url_.port)),
        bytes_(to_wire(url_, request)),
        repeatable_(repeatable),
        is_head_(request.method == "HEAD"),
        handler_(std::move(handler)),
        resolver_(shared_->io) {
    shared_->exchanges.push_back(this);
  }
  ~Exchange() { std::erase(shared_->exchanges, this); }

  void begin() {
    auto& host = shared_->hosts[key_];
    while (!host.idle.empty()) {
      auto kept = std::move(host.idle.back());
      host.idle.pop_back();
      const bool fresh = shared_->domain.scheduler().now() - kept->idle_since < shared_->config.idle_timeout;
      if (fresh && kept->is_quiet()) {
        connection_ = std::move(kept);
        reused_ = true;
        write();
        return;
      }
      kept->close();
      --host.open;
    }
    if (host.open >= shared_->config.connections_max) {
      host.waiting.push_back(shared_from_this());
      return;
    }
    ++host.open;
    connect();
  }

  // The caller's time is up.
  void expire() {
    if (!handler_) return;
    const bool possible = sent_;
    fail(ErrorCode::timeout, possible ? "did not answer in time" : "cannot be reached in time",
         possible ? Effect::possible : Effect::none);
  }
  void expire_connect() {
    if (connecting_) fail(ErrorCode::timeout, "cannot be reached in time", Effect::none);
  }
  // The client is gone: nobody is answered any more.
  void abandon() {
    handler_ = nullptr;
    drop_connection();
  }

 private:
  std::string place() const { return url_.authority(); }

  void connect() {
    connecting_ = true;
    connection_ = std::make_shared<Connection>(shared_->io);
    if (shared_->traffic != nullptr) shared_->traffic->begin_connect();
    auto& scheduler = shared_->domain.scheduler();
    scheduler.call_after(shared_->domain, shared_->config.connect_timeout, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->expire_connect();
    });
    SystemError not_numeric;
    const auto address = asio::ip::make_address(url_.host, not_numeric);
    if (!not_numeric) {
      connection_->socket().async_connect(tcp::endpoint(address, url_.port),
                                          [self = shared_from_this(), connection = connection_](
                                              const SystemError& failed) { self->on_connected(failed); });
      return;
    }
    resolver_.async_resolve(
        url_.host, std::to_string(url_.port),
        [self = shared_from_this()](const SystemError& error, const tcp::resolver::results_type& found) {
          self->on_resolved(error, found);
        });
  }

  void on_resolved(const SystemError& error, const tcp::resolver::results_type& found) {
    if (!connecting_) return;
    if (error) return fail(ErrorCode::unavailable, "has no address: " + error.message(), Effect::none);
    asio::async_connect(connection_->socket(), found,
                        [self = shared_from_this(), connection = connection_](
                            const SystemError& failed, const tcp::endpoint&) { self->on_connected(failed); });
  }

  void on_connected(const SystemError& error) {
    if (!connecting_) return;
    if (error) return fail(ErrorCode::unavailable, "cannot be reached: " + error.message(), Effect::none);
    SystemError ignored;
    connection_->socket().set_option(tcp::no_delay(true), ignored);
    connection_->port = connection_->socket().local_endpoint(ignored).port();
    if (!url_.tls) return on_ready();
    const auto context = shared_->tls_context();
    if (context.has_error()) return finish(context.error());
    auto& stream = connection_->add_tls(*context.value());
    SSL_ctrl(stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             url_.host.data());
    stream.set_verify_callback(ssl::host_name_verification(url_.host), ignored);
    stream.async_handshake(ssl::stream_base::client, [self = shared_from_this(),
                                                      connection = connection_](const SystemError& failed) {
      if (!self->connecting_) return;
      if (failed)
        return self->fail(ErrorCode::unavailable,
                          "TLS failed: " + failed.message() + " (is its certificate trusted here?)",
                          Effect::none);
      self->on_ready();
    });
  }

  void on_ready() {
    write();
    end_connecting();
  }

  void end_connecting() {
    if (!connecting_) return;
    connecting_ = false;
    if (shared_->traffic != nullptr) shared_->traffic->end_connect();
  }

  void write() {
    sent_ = true;
    if (shared_->traffic != nullptr) shared_->traffic->sent(connection_->port);
    parser_.emplace();
    parser_->body_limit(shared_->config.body_bytes_max);
    parser_->header_limit(kHeaderMax);
    if (is_head_) parser_->skip(true);
    connection_->with_stream([&](auto& stream) {
      asio::async_write(
          stream, asio::buffer(bytes_),
          [self = shared_from_this(), connection = connection_](const SystemError&, std::size_t) {
            // A server may answer and close before it has taken everything: look for its answer.
            if (self->connection_ == connection) self->read();
          });
    });
  }

  void read() {
    connection_->with_stream([&](auto& stream) {
      beast::http::async_read(
          stream, connection_->buffer(), *parser_,
          [self = shared_from_this(), connection = connection_](const SystemError& error, std::size_t) {
            if (self->connection_ == connection) self->on_answer(error);
          });
    });
  }

  static bool is_malformed(const SystemError& failed) {
    using beast::http::error;
    return failed.category() == beast::http::make_error_code(error::bad_version).category() &&
           failed != error::end_of_stream && failed != error::partial_message;
  }

  void on_answer(const SystemError& error) {
    if (is_malformed(error))
      return fail(ErrorCode::protocol, "answers no HTTP that can be understood: " + error.message(),
                  Effect::possible);
    if (error) {
      if (reused_ && repeatable_ && !parser_->got_some()) return again();
      return fail(ErrorCode::connection_lost, "closed the connection before its answer: " + error.message(),
                  Effect::possible);
    }
    auto message = parser_->release();
    http::Response response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message) response.fields.emplace_back(field.name_string(), field.value());
    response.body = std::move(message.body());
    const bool keep = message.keep_alive() && connection_->buffer().size() == 0;
    if (keep)
      keep_connection();
    else
      drop_connection();
    answer(std::move(response));
  }

  // The kept connection had been closed: once more on a new one.
  void again() {
    drop_connection();
    reused_ = false;
    sent_ = false;
    begin();
  }

  void fail(ErrorCode code, const std::string& what, Effect effect) {
    finish(make_error(code, place() + " " + what, effect, Retry::soon));
  }
  void finish(Error error) {
    drop_connection();
    answer(std::move(error));
  }

  void answer(Result<http::Response> result) {
    if (!handler_) return;
    auto handler = std::exchange(handler_, nullptr);
    const auto keep_alive = shared_from_this();
    shared_->enter([&handler, &result] { handler(std::move(result)); });
  }

  void keep_connection() {
    if (shared_->traffic != nullptr) shared_->traffic->done(connection_->port);
    connection_->idle_since = shared_->domain.scheduler().now();
    shared_->hosts[key_].idle.push_back(std::move(connection_));
    connection_ = nullptr;
    begin_waiting();
  }
  void drop_connection() {
    if (!connection_) {
      std::erase_if(shared_->hosts[key_].waiting, [this](const auto& each) { return each.get() == this; });
      return;
    }
    resolver_.cancel();
    if (connection_->port != 0 && shared_->traffic != nullptr) shared_->traffic->done(connection_->port);
    end_connecting();
    connection_->close();
    connection_ = nullptr;  // pending operations keep it until they have been told
    --shared_->hosts[key_].open;
    begin_waiting();
  }
  void begin_waiting() {
    auto& waiting = shared_->hosts[key_].waiting;
    if (waiting.empty() || shared_->gone) return;
    const auto next = std::move(waiting.front());
    waiting.pop_front();
    next->begin();
  }

  std::shared_ptr<Shared> shared_;
  http::Url url_;
  std::string key_;
  std::string bytes_;
  bool repeatable_;
  bool is_head_;
  bool reused_ = false;
  bool connecting_ = false;
  bool sent_ = false;
  Handler<http::Response> handler_;
  tcp::resolver resolver_;
  std::shared_ptr<Connection> connection_;
  std::optional<beast::http::response_parser<beast::http::string_body>> parser_;
};

NetHttpClient::NetHttpClient(asio::io_context& io, Domain& domain, Enter enter, HttpClientConfig config,
                             WireTraffic* traffic)
    : shared_(std::make_shared<Shared>(
          Shared{io, domain, std::move(enter), std::move(config), traffic, std::nullopt, {}, {}})) {}

NetHttpClient::~NetHttpClient() {
  shared_->gone = true;
  for (auto& [key, host] : shared_->hosts) {
    host.waiting.clear();
    host.idle.clear();
  }
  const auto exchanges = shared_->exchanges;
  for (Exchange* exchange : exchanges) exchange->abandon();
}

void NetHttpClient::send(const http::Url& url, http::Request request, Duration timeout, bool repeatable,
                         Handler<http::Response> handler) {
  if (!is_clean(request)) {
    handler(make_error(ErrorCode::invalid,
                       "a request to " + url.authority() + " would have a line break in its head"));
    return;
  }
  const auto exchange = std::make_shared<Exchange>(shared_, url, request, repeatable, std::move(handler));
  shared_->domain.scheduler().call_after(shared_->domain, timeout, [weak = std::weak_ptr(exchange)] {
    if (const auto self = weak.lock()) self->expire();
  });
  exchange->begin();
}

}  // namespace drover
