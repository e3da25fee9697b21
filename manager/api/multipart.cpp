#include "manager/api/multipart.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "manager/api/wire.hpp"

namespace drover::api {
namespace {

constexpr std::size_t kPartHeadersMax = 16 * 1024;
constexpr std::size_t kFieldsMax = 1000;

std::string system_text(int error) { return std::error_code(error, std::generic_category()).message(); }

// The value of a parameter of Content-Disposition, quoted or not; backslash escapes as in RFC 7230.
std::optional<std::string> parameter(std::string_view header, std::string_view name) {
  std::size_t at = header.find(';');
  while (at < header.size()) {
    const auto equals = header.find('=', ++at);
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view found = trim(header.substr(at, equals - at));
    at = header.find_first_not_of(" \t", equals + 1);
    std::string value;
    if (at != std::string_view::npos && header[at] == '"') {
      for (++at; at < header.size() && header[at] != '"'; ++at) {
        if (header[at] == '\\' && at + 1 < header.size()) ++at;
        value.push_back(header[at]);
      }
      at = header.find(';', at);
    } else if (at != std::string_view::npos) {
      const auto end = std::min(header.find(';', at), header.size());
      value = std::string(trim(header.substr(at, end - at)));
      at = end;
    }
    if (equal_ignoring_case(found, name)) return value;
  }
  return std::nullopt;
}

std::string_view content_disposition(std::string_view headers) {
  while (!headers.empty()) {
    const auto end = headers.find("\r\n");
    const std::string_view line = headers.substr(0, end);
    headers = end == std::string_view::npos ? std::string_view() : headers.substr(end + 2);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    if (equal_ignoring_case(trim(line.substr(0, colon)), "Content-Disposition"))
      return trim(line.substr(colon + 1));
  }
  return {};
}

}  // namespace

Upload::Upload(std::string boundary, UploadLimits limits)
    : delimiter_("\r\n--" + boundary), limits_(std::move(limits)), buffer_("\r\n") {
  if (boundary.empty())
    fail(Code::E_ARGS_INVALID, "Invalid argument: Content-Type DETAIL:multipart/form-data needs a boundary");
}

Upload::~Upload() {
  close_file();
  if (directory_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void Upload::take(std::string_view piece) {
  if (state_ == State::failed || state_ == State::epilogue) return;
  buffer_.append(piece);
  while (step()) {
  }
  buffer_.erase(0, read_);
  read_ = 0;
}

void Upload::finish() {
  if (state_ != State::epilogue && state_ != State::failed)
    fail(Code::E_ARGS_INVALID, "Invalid argument: the form DETAIL:it ends before its closing boundary");
  close_file();
}

bool Upload::step() {
  switch (state_) {
    case State::preamble:
    case State::content:
      return read_content();
    case State::after_boundary:
      return read_after_boundary();
    case State::headers:
      return read_headers();
    case State::epilogue:
    case State::failed:
      read_ = buffer_.size();
      return false;
  }
  return false;
}

// Content up to the next boundary; what may be the boundary's beginning is kept for the next piece.
bool Upload::read_content() {
  const std::string_view rest = std::string_view(buffer_).substr(read_);
  const void* hit = memmem(rest.data(), rest.size(), delimiter_.data(), delimiter_.size());
  if (hit != nullptr) {
    const auto size = static_cast<std::size_t>(static_cast<const char*>(hit) - rest.data());
    if (state_ == State::content) {
      add_content(rest.substr(0, size));
      if (state_ == State::content) end_part();
    }
    if (state_ == State::failed) return true;
    read_ += size + delimiter_.size();
    state_ = State::after_boundary;
    return true;
  }
  if (rest.size() < delimiter_.size()) return false;
  const std::size_t certain = rest.size() - (delimiter_.size() - 1);
  if (state_ == State::content) add_content(rest.substr(0, certain));
  read_ += certain;
  return false;
}

bool Upload::read_after_boundary() {
  const std::string_view rest = std::string_view(buffer_).substr(read_);
  if (rest.size() < 2) return false;
  if (rest.starts_with("--")) {
    state_ = State::epilogue;
    return true;
  }
  const auto text = rest.find_first_not_of(" \t");
  if (text == std::string_view::npos || text + 2 > rest.size()) {
    if (rest.size() > kPartHeadersMax)
      fail(Code::E_ARGS_INVALID, "Invalid argument: the form DETAIL:bad boundary line");
    return false;
  }
  if (rest.substr(text, 2) != "\r\n") {
    fail(Code::E_ARGS_INVALID, "Invalid argument: the form DETAIL:a boundary line does not end in CRLF");
    return true;
  }
  // The CRLF stays: it may be the first half of the blank line that ends (empty) headers.
  read_ += text;
  state_ = State::headers;
  return true;
}

bool Upload::read_headers() {
  const std::string_view rest = std::string_view(buffer_).substr(read_);
  const auto end = rest.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (rest.size() > kPartHeadersMax)
      fail(Code::E_ARGS_INVALID, "Invalid argument: the form DETAIL:the headers of a field are too long");
    return false;
  }
  const std::string headers(rest.substr(0, end));
  read_ += end + 4;
  state_ = State::content;
  begin_part(headers);
  return true;
}

void Upload::begin_part(std::string_view headers) {
  const std::string_view disposition = content_disposition(headers);
  std::optional<std::string> name = parameter(disposition, "name");
  if (!name || name->empty() || !is_utf8(*name))
    return fail(Code::E_ARGS_INVALID,
                "Invalid argument: the form DETAIL:a field has no name, or one that is not UTF-8");
  if (fields_.size() + files_.size() >= kFieldsMax)
    return fail(Code::E_ARGS_INVALID, "Invalid argument: the form DETAIL:more than 1000 fields");
  name_ = std::move(*name);
  text_.clear();
  part_is_file_ = parameter(disposition, "filename") || parameter(disposition, "filename*");
  if (part_is_file_) open_file();
}

void Upload::add_content(std::string_view data) {
  if (part_is_file_) return write_file(data);
  text_bytes_ += data.size();
  if (text_bytes_ > limits_.text_bytes_max)
    return fail(Code::E_ARGS_INVALID,
                "Invalid argument: " + name_ + " DETAIL:the text fields are larger than " +
                    std::to_string(limits_.text_bytes_max) + " bytes; send it as a file");
  text_.append(data);
}

void Upload::end_part() {
  if (part_is_file_) return close_file();
  if (!is_utf8(text_))
    return fail(Code::E_ARGS_INVALID,
                "Invalid argument: " + name_ + " DETAIL:not UTF-8; send binary data as a file");
  fields_[name_] = std::move(text_);
  text_.clear();
}

void Upload::open_file() {
  if (files_.size() >= limits_.files_max)
    return fail(Code::E_ARGS_INVALID, "Invalid argument: the form DETAIL:more than " +
                                          std::to_string(limits_.files_max) + " files");
  if (directory_.empty()) {
    std::error_code error;
    std::filesystem::path base = limits_.directory;
    if (base.empty()) base = std::filesystem::temp_directory_path(error);
    std::string pattern = (base / "drover-upload-XXXXXX").string();
    if (error || mkdtemp(pattern.data()) == nullptr)
      return fail(Code::E_UNKNOWN, "The upload could not be stored: no directory can be made in " +
                                       base.string() + " (" + system_text(errno) +
                                       "). Make it writable, then repeat the upload.");
    directory_ = pattern;
  }
  const std::string path = (directory_ / std::to_string(files_.size())).string();
  file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file_ < 0)
    return fail(Code::E_UNKNOWN,
                "The upload could not be stored in " + path + " (" + system_text(errno) + ").");
  files_.push_back({name_, path, 0});
}

void Upload::write_file(std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = ::write(file_, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      return fail(Code::E_UNKNOWN, "The upload could not be stored in " + directory_.string() + " (" +
                                       system_text(errno) +
                                       "). Free some space there, then repeat the upload.");
    files_.back().bytes += static_cast<std::uint64_t>(written);
    data.remove_prefix(static_cast<std::size_t>(written));
  }
}

void Upload::close_file() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

void Upload::fail(Code code, std::string text) {
  if (!failure_) failure_ = make_failure(code, std::move(text));
  state_ = State::failed;
  close_file();
}

}  // namespace drover::api
