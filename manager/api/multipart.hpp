// multipart/form-data (RFC 7578), read piece by piece as it arrives: text fields become params, files go to
// disk and are never whole in memory. A fault of the form does not end the reading: the rest is discarded and
// the fault told, so that the client, still sending, gets its answer. Single-threaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manager/api/request.hpp"

namespace drover::api {

struct UploadLimits {
  std::size_t text_bytes_max = 0;  // all text fields together
  std::size_t files_max = 0;
  std::filesystem::path directory;  // empty: the system's directory for temporary files
};

class Upload {
 public:
  // An empty boundary is a fault told by failure().
  Upload(std::string boundary, UploadLimits limits);
  // Removes the files and their directory.
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  // The next piece of the body, of any size.
  void take(std::string_view piece);
  // After the last piece; a form without its closing boundary is a fault.
  void finish();

  // What was wrong with the form, or why a file could not be stored.
  const std::optional<Response>& failure() const { return failure_; }
  // Text fields, the last of a repeated name wins.
  nlohmann::json take_fields() { return std::move(fields_); }
  // In the order they came. A repeated name is kept, each with its own path.
  const std::vector<UploadedFile>& files() const { return files_; }

 private:
  enum class State : unsigned char { preamble, after_boundary, headers, content, epilogue, failed };

  bool step();
  bool read_after_boundary();
  bool read_headers();
  bool read_content();
  void begin_part(std::string_view headers);
  void add_content(std::string_view data);
  void end_part();
  void open_file();
  void write_file(std::string_view data);
  void close_file();
  void fail(Code code, std::string text);

  std::string delimiter_;  // CRLF, two dashes, boundary
  UploadLimits limits_;
  State state_ = State::preamble;
  std::string buffer_;
  std::size_t read_ = 0;  // of buffer_, already consumed
  std::string name_;
  std::string text_;
  std::size_t text_bytes_ = 0;
  int file_ = -1;
  bool part_is_file_ = false;
  std::filesystem::path directory_;  // created with the first file
  nlohmann::json fields_ = nlohmann::json::object();
  std::vector<UploadedFile> files_;
  std::optional<Response> failure_;
};

}  // namespace drover::api
