#include "manager/adapters/http_agent.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/file_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>

#include "manager/ports/agent_codec.hpp"

namespace drover {

namespace {

// A call that may outlive its HttpAgent in the io_context.
class PendingCall {
 public:
  virtual ~PendingCall() = default;
  // Forgets the handler unanswered and closes the connection.
  virtual void abandon() = 0;
};

}  // namespace

struct HttpAgent::Shared {
  asio::io_context& io;
  RealTimePump& pump;
  Secret token;
  std::vector<PendingCall*> calls;
};

namespace {

namespace http = boost::beast::http;
using SystemError = boost::system::error_code;

constexpr Duration kConnectTimeout{3s};

// One call, alive as long as an operation of its own is pending.
template <class Shared>
class Call : public PendingCall, public std::enable_shared_from_this<Call<Shared>> {
 public:
  Call(std::shared_ptr<Shared> shared, const CallContext& context, Endpoint endpoint,
       Handler<AgentReply> handler)
      : shared_(std::move(shared)),
        stream_(shared_->io),
        endpoint_(std::move(endpoint)),
        timeout_(context.timeout),
        handler_(std::move(handler)) {
    parser_.body_limit(boost::none);
    shared_->calls.push_back(this);
  }
  ~Call() override { std::erase(shared_->calls, this); }

  void abandon() override {
    abandoned_ = true;
    handler_ = nullptr;
    SystemError ignored;
    stream_.socket().close(ignored);
  }

  void begin(const AgentCommand& command) {
    SystemError error;
    const auto address = asio::ip::make_address(endpoint_.address, error);
    if (error)
      return finish(
          make_error(ErrorCode::invalid, "\"" + endpoint_.address + "\" is no address of an agent"));
    prepare(command);
    stream_.expires_after(std::min(timeout_, kConnectTimeout));
    stream_.async_connect(
        asio::ip::tcp::endpoint(address, endpoint_.port),
        [self = this->shared_from_this()](const SystemError& failed) { self->on_connected(failed); });
  }

 private:
  std::string place() const { return endpoint_.address + ":" + std::to_string(endpoint_.port); }

  template <class Request>
  void set_head(Request& request, const std::string& target) {
    request.method(http::verb::post);
    request.target(target);
    request.version(11);
    request.keep_alive(false);
    request.set(http::field::host, place());
    request.set("Drover-Token", shared_->token.value);
  }

  void prepare(const AgentCommand& command) {
    const auto* load = std::get_if<LoadDump>(&command);
    if (load == nullptr) {
      set_head(request_, std::string("/") + agent_method(command));
      request_.set(http::field::content_type, "application/json");
      request_.body() =
          encode_command(command).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      request_.prepare_payload();
      return;
    }
    // The file goes as it is. One that cannot be read is told to the agent: whether this manager may speak at
    // all comes first.
    const std::string target = "/load_dump?generation=" + std::to_string(load->generation);
    SystemError error;
    http::file_body::value_type file;
    file.open(load->path.c_str(), boost::beast::file_mode::scan, error);
    if (error) {
      set_head(request_, target);
      request_.set("Drover-Dump", "missing");
      request_.prepare_payload();
      return;
    }
    upload_ = std::make_unique<http::request<http::file_body>>();
    set_head(*upload_, target);
    upload_->body() = std::move(file);
    upload_->prepare_payload();
  }

  void on_connected(const SystemError& failed) {
    if (failed == boost::beast::error::timeout)
      return finish(make_error(ErrorCode::timeout, "the agent at " + place() + " cannot be reached in time",
                               Effect::none, Retry::soon));
    if (failed)
      return finish(make_error(ErrorCode::unavailable,
                               "no agent answers at " + place() + ": " + failed.message(), Effect::none,
                               Retry::soon));
    SystemError ignored;
    stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    stream_.expires_after(timeout_);
    auto sent = [self = this->shared_from_this()](const SystemError& error, std::size_t) {
      self->on_sent(error);
    };
    if (upload_)
      http::async_write(stream_, *upload_, std::move(sent));
    else
      http::async_write(stream_, request_, std::move(sent));
  }

  // An agent may answer and close before it has taken everything: whatever happened, look for its answer.
  void on_sent(const SystemError& failed) {
    if (failed == boost::beast::error::timeout) return on_answer(failed);
    http::async_read(
        stream_, buffer_, parser_,
        [self = this->shared_from_this()](const SystemError& error, std::size_t) { self->on_answer(error); });
  }

  void on_answer(const SystemError& failed) {
    if (failed == boost::beast::error::timeout)
      return finish(make_error(ErrorCode::timeout, "the agent at " + place() + " did not answer in time",
                               Effect::possible, Retry::soon));
    if (failed)
      return finish(make_error(ErrorCode::connection_lost,
                               "the connection to the agent at " + place() + " was lost: " + failed.message(),
                               Effect::possible, Retry::soon));
    const auto& response = parser_.get();
    std::string_view body = response.body();
    if (response.result() != http::status::ok)
      return finish(decode_error(nlohmann::json::parse(body, nullptr, false)));
    std::size_t length = 0;
    const auto told = response["Drover-Reply-Length"];
    std::from_chars(told.data(), told.data() + told.size(), length);
    auto reply = decode_reply(nlohmann::json::parse(body.substr(0, length), nullptr, false));
    if (reply.has_value() && length <= body.size()) reply.value().dump = body.substr(length);
    finish(std::move(reply));
  }

  void finish(Result<AgentReply> result) {
    SystemError ignored;
    stream_.socket().close(ignored);
    if (abandoned_) return;
    auto handler = std::move(handler_);
    shared_->pump.submit([&] { handler(std::move(result)); });
  }

  std::shared_ptr<Shared> shared_;
  boost::beast::tcp_stream stream_;
  Endpoint endpoint_;
  Duration timeout_;
  Handler<AgentReply> handler_;
  bool abandoned_ = false;
  http::request<http::string_body> request_;
  std::unique_ptr<http::request<http::file_body>> upload_;
  boost::beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
};

}  // namespace

HttpAgent::HttpAgent(asio::io_context& io, RealTimePump& pump, Secret token)
    : shared_(std::make_shared<Shared>(Shared{io, pump, std::move(token), {}})) {}

HttpAgent::~HttpAgent() {
  for (PendingCall* call : shared_->calls) call->abandon();
}

void HttpAgent::call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
                     Handler<AgentReply> handler) {
  std::make_shared<Call<Shared>>(shared_, context, endpoint, std::move(handler))->begin(command);
}

}  // namespace drover
