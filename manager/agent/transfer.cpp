#include "manager/agent/transfer.hpp"

#include <unistd.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "manager/ports/agent_codec.hpp"
#include "manager/system/child_process.hpp"
#include "manager/system/net_stream.hpp"

namespace drover::agent {
namespace {

namespace fs = std::filesystem;
namespace http = boost::beast::http;

constexpr std::size_t kPiece = std::size_t{256} << 10U;
constexpr std::size_t kDumpEdge = std::size_t{16} << 10U;  // where a dump tells its position
constexpr std::size_t kErrorTail = 400;
constexpr Duration kSilence{60s};  // of a donor in the middle of a copy

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The position that a dump with --gtid --master-data tells, in its head or, as newer ones do, at its end.
std::optional<std::string> dump_position(const std::string& part) {
  constexpr std::string_view kMark = "\nSET GLOBAL gtid_slave_pos='";
  const auto at = part.rfind(kMark);
  if (at == std::string::npos) return std::nullopt;
  const auto begin = at + kMark.size(), end = part.find('\'', begin);
  if (end == std::string::npos) return std::nullopt;
  std::string position = part.substr(begin, end - begin);
  if (!parse_gtid_position(position)) return std::nullopt;
  return position;
}

// "ERROR 1064 (42000) at line 3: text" of the mariadb client, without what it quotes of the dump.
Error client_error(const std::string& text) {
  const auto at = text.find("ERROR ");
  int number = 0;
  if (at != std::string::npos) std::from_chars(text.data() + at + 6, text.data() + text.size(), number);
  std::string message = at == std::string::npos ? text : text.substr(at, text.find_first_of("|\n", at) - at);
  return make_error(ErrorCode::database, std::to_string(number) + ": the dump was not loaded: " + message,
                    Effect::possible);
}

}  // namespace

const char* to_text(CopyKind kind) { return kind == CopyKind::backup ? "backup" : "dump"; }

std::vector<std::string> Transfer::client_arguments(const char* program) const {
  return {program, "--no-defaults", "--socket=" + process_.socket(), "--user=" + process_.user(),
          "--default-character-set=utf8mb4"};
}

// Runs a tool and gives what it writes to `sink`.
Result<void> Transfer::pipe_tool(std::vector<std::string> arguments, const Sink& sink) {
  const std::string name = arguments.front();
  const std::string errors = process_.temporary_folder() + "/tool-" +
                             std::to_string(reinterpret_cast<std::uintptr_t>(&arguments)) + ".log";
  DROVER_TRY(auto pipe, system::make_pipe());
  DROVER_TRY(const system::Descriptor log, system::open_to_append(errors));
  DROVER_TRY(auto tool,
             system::Tool::start({.arguments = arguments, .out = pipe.second.get(), .err = log.get()}));
  pipe.second.close();
  std::string piece(kPiece, '\0');
  bool wanted = true;
  while (wanted) {
    const ssize_t count = ::read(pipe.first.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    wanted = sink(std::string_view(piece.data(), static_cast<std::size_t>(count)));
  }
  pipe.first.close();
  const int code = tool.wait();
  const std::string why = system::tail_of_file(errors, kErrorTail);
  std::error_code ignored;
  fs::remove(errors, ignored);
  if (!wanted) return make_error(ErrorCode::connection_lost, name + " was ended: nobody takes its output");
  if (code != 0)
    return make_error(ErrorCode::unavailable,
                      name + " failed with exit code " + std::to_string(code) + ": " + why);
  return success();
}

Result<void> Transfer::give(CopyKind kind, const Sink& sink) {
  if (kind == CopyKind::backup)
    return pipe_tool(
        {settings_.backup_program, "--defaults-file=" + process_.configuration_file(), "--backup",
         "--stream=mbstream", "--parallel=2", "--log-copy-interval=20", "--socket=" + process_.socket(),
         "--user=" + process_.user(), "--target-dir=" + process_.temporary_folder()},
        sink);
  auto arguments = client_arguments("mariadb-dump");
  for (const char* option :
       {"--all-databases", "--single-transaction", "--gtid", "--master-data=1", "--routines", "--events",
        "--triggers", "--hex-blob", "--ignore-table=mysql.gtid_slave_pos"})
    arguments.emplace_back(option);
  return pipe_tool(std::move(arguments), sink);
}

Result<void> Transfer::fetch(const Endpoint& donor, CopyKind kind, const Sink& sink) {
  const std::string from = donor.address + ":" + std::to_string(donor.port);
  DROVER_TRY(const system::Descriptor socket,
             system::connect_to(donor.address, donor.port, settings_.server_timeout));
  system::NetStream stream(socket.get(), kSilence);
  http::request<http::string_body> request(http::verb::post, "/clone", 11);
  request.set(http::field::host, from);
  request.set(http::field::content_type, "application/json");
  request.set("Drover-Token", settings_.token.value);
  request.body() = nlohmann::json{{"kind", to_text(kind)}}.dump();
  request.prepare_payload();
  boost::system::error_code error;
  http::write(stream, request, error);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  if (!error) http::read_header(stream, buffer, parser, error);
  const bool refused = !error && parser.get().result() != http::status::ok;
  std::string refusal;
  std::string piece(kPiece, '\0');
  while (!error && !parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    http::read(stream, buffer, parser, error);
    if (error == http::error::need_buffer) error = {};
    const std::string_view got(piece.data(), piece.size() - parser.get().body().size);
    if (refused)
      refusal += got;
    else if (!got.empty() && !sink(got))
      return make_error(ErrorCode::storage, "the copy of " + from + " cannot be written here");
  }
  if (error)
    return make_error(ErrorCode::unavailable, "the copy of " + from + " broke off: " + error.message(),
                      Effect::none, Retry::later);
  if (refused) return decode_error(nlohmann::json::parse(refusal, nullptr, false));
  return success();
}

Result<std::string> Transfer::take_backup(const Endpoint& donor, const std::string& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  fs::create_directory(folder, error);
  if (error) return make_error(ErrorCode::storage, folder + " cannot be made: " + error.message());
  fs::permissions(folder, fs::perms::owner_all, error);
  DROVER_TRY(auto pipe, system::make_pipe());
  DROVER_TRY(const system::Descriptor log, system::open_to_append(process_.tool_log()));
  DROVER_TRY(auto unpacking, system::Tool::start({.arguments = {"mbstream", "-x", "-C", folder},
                                                  .in = pipe.first.get(),
                                                  .out = log.get(),
                                                  .err = log.get()}));
  pipe.first.close();
  DROVER_TRY(fetch(donor, CopyKind::backup,
                   [&](std::string_view piece) { return write_all(pipe.second.get(), piece); }));
  pipe.second.close();
  if (unpacking.wait() != 0)
    return make_error(ErrorCode::unavailable, "the copy cannot be unpacked: " +
                                                  system::tail_of_file(process_.tool_log(), kErrorTail));
  DROVER_TRY(const int code, system::run_program({.arguments = {settings_.backup_program, "--prepare",
                                                                "--use-memory=32M", "--target-dir=" + folder},
                                                  .out = log.get(),
                                                  .err = log.get()}));
  if (code != 0)
    return make_error(ErrorCode::unavailable, "the copy cannot be prepared: " +
                                                  system::tail_of_file(process_.tool_log(), kErrorTail));
  for (const char* name : {"xtrabackup_binlog_info", "mariadb_backup_binlog_info"}) {
    const std::string file = folder + "/" + name;
    if (!fs::exists(file, error)) continue;
    if (auto position = backup_position(read_text(file))) return std::move(*position);
  }
  return make_error(ErrorCode::unavailable, "the copy does not tell its position");
}

Result<std::string> Transfer::take_dump_of(const Endpoint& donor) {
  const std::string file = process_.temporary_folder() + "/clone.sql";
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  std::string head, tail;
  DROVER_TRY(fetch(donor, CopyKind::dump, [&](std::string_view piece) {
    if (head.size() < kDumpEdge) head += piece.substr(0, kDumpEdge);
    tail += piece;
    if (tail.size() > 2 * kDumpEdge) tail.erase(0, tail.size() - kDumpEdge);
    out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    return out.good();
  }));
  out.close();
  const auto late = dump_position(tail);
  const auto position = late ? late : dump_position(head);
  if (!position) return make_error(ErrorCode::unavailable, "the dump does not tell its position");
  auto loaded = load(file, false);
  std::error_code ignored;
  fs::remove(file, ignored);
  if (loaded.has_error()) return std::move(loaded).error();
  return *position;
}

Result<std::string> Transfer::dump() {
  DROVER_TRY(std::string text, server_.dump_users());
  text = "-- Users, passwords as hashes.\n" + text;
  DROVER_TRY(const auto databases, server_.databases());
  if (databases.empty()) return text;
  auto arguments = client_arguments("mariadb-dump");
  for (const char* option :
       {"--single-transaction", "--routines", "--events", "--triggers", "--hex-blob", "--databases", "--"})
    arguments.emplace_back(option);
  arguments.insert(arguments.end(), databases.begin(), databases.end());
  DROVER_TRY(pipe_tool(std::move(arguments), [&text](std::string_view piece) {
    text += piece;
    return true;
  }));
  return text;
}

Result<void> Transfer::load(const std::string& path, bool logged) {
  DROVER_TRY(const system::Descriptor in, system::open_to_read(path));
  const std::string errors = process_.temporary_folder() + "/load.log";
  std::error_code ignored;
  fs::remove(errors, ignored);
  DROVER_TRY(const system::Descriptor log, system::open_to_append(errors));
  auto arguments = client_arguments("mariadb");
  // Without this a dump could run programs of this node (\! and system).
  arguments.emplace_back("--binary-mode");
  if (!logged) arguments.emplace_back("--init-command=SET SESSION sql_log_bin = 0");
  DROVER_TRY(
      const int code,
      system::run_program({.arguments = arguments, .in = in.get(), .out = log.get(), .err = log.get()}));
  if (code != 0) return client_error(system::tail_of_file(errors, 2000));
  return success();
}

}  // namespace drover::agent
