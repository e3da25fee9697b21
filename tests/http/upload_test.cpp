// multipart/form-data: fields are the params, files pass through the disk.
#include <filesystem>

#include "manager/base/hash.hpp"
#include "tests/http/fake_manager.hpp"

namespace drover::http_test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::size_t kMiB = 1024 * 1024;

class UploadTest : public Http {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("drover-test-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_);
    limits_.upload_directory = directory_;
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  bool nothing_left() const { return std::filesystem::is_empty(directory_); }

  api::ServerLimits limits_;
  std::filesystem::path directory_;
};

TEST_F(UploadTest, FieldsAreTheParamsAndTheIdIsOne) {
  start(limits_);
  const HttpAnswer answer = ask(form_request({{"method", "echo"}, {"serviceNodeId", "all"}, {"empty", ""}}));
  EXPECT_EQ(envelope(answer)["id"], 1);
  EXPECT_EQ(envelope(answer)["result"]["params"], (json{{"serviceNodeId", "all"}, {"empty", ""}}));
}

TEST_F(UploadTest, TheLastOfRepeatedFieldsWins) {
  start(limits_);
  const HttpAnswer answer =
      ask(form_request({{"a", "1"}, {"method", "nope"}, {"a", "2"}, {"method", "echo"}}));
  EXPECT_EQ(envelope(answer)["result"]["params"], (json{{"a", "2"}}));
}

TEST_F(UploadTest, AFileArrivesByteForByte) {
  start(limits_);
  std::string content;
  for (int i = 0; i < 300000; ++i) content.push_back(static_cast<char>(i * 7 + i / 256));
  content += "\r\n--BOUNDAR\r\n--BOUNDAR";
  const json file =
      envelope(ask(form_request({{"method", "echo"}, {"dump", content, true}})))["result"]["files"][0];
  EXPECT_EQ(file["field"], "dump");
  EXPECT_EQ(file["bytes"], content.size());
  EXPECT_EQ(file["on_disk"], content.size());
}

TEST_F(UploadTest, FilesAreGoneAfterTheAnswer) {
  start(limits_);
  const json file =
      envelope(ask(form_request({{"method", "echo"}, {"dump", "x", true}})))["result"]["files"][0];
  EXPECT_TRUE(file["path"].get<std::string>().starts_with(directory_.string()));
  EXPECT_TRUE(nothing_left());
}

TEST_F(UploadTest, FilesAreGoneWhenTheClientLeavesHalfway) {
  start(limits_);
  {
    HttpClient client = connect();
    const std::string request = form_request({{"method", "echo"}, {"dump", std::string(100000, 'x'), true}});
    client.send(request.substr(0, 50000));
    while (nothing_left()) std::this_thread::yield();
  }
  while (server_->statistics().connections_open > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_TRUE(nothing_left());
}

TEST_F(UploadTest, FiftyMegabytesPassThroughBoundedMemory) {
  start(limits_);
  HttpClient client = connect();
  const std::string piece(kMiB, 'd');
  const std::string head =
      "--B\r\nContent-Disposition: form-data; name=\"method\"\r\n\r\necho\r\n--B\r\n"
      "Content-Disposition: form-data; name=\"mysqldump\"; filename=\"d\"\r\n\r\n";
  const std::string tail = "\r\n--B--\r\n";
  const std::size_t before = resident_memory();
  reset_peak_memory();
  client.send("POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: " +
              std::to_string(head.size() + 50 * kMiB + tail.size()) + "\r\n\r\n" + head);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(client.send(piece));
  client.send(tail);
  EXPECT_EQ(envelope(client.read_answer())["result"]["files"][0]["on_disk"], 50 * kMiB);
  EXPECT_LT(memory_growth(peak_memory(), before), 8 * kMiB);
}

TEST_F(UploadTest, AFormArrivesByteByByte) {
  start(limits_);
  HttpClient client = connect();
  for (const char byte : form_request({{"method", "echo"}, {"dump", "\r\n-\r\n--\r\n--B", true}}))
    client.send({&byte, 1});
  EXPECT_EQ(envelope(client.read_answer())["result"]["files"][0]["bytes"], 12);
}

TEST_F(UploadTest, ABinaryFieldIsTold) {
  start(limits_);
  const json answer = envelope(ask(form_request({{"method", "echo"}, {"name", "\xff\xfe"}})));
  EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr("name DETAIL:not UTF-8"));
}

TEST_F(UploadTest, AMissingBoundaryIsTold) {
  start(limits_);
  const json answer =
      envelope(ask("POST / HTTP/1.1\r\nContent-Type: multipart/form-data\r\nContent-Length: 4\r\n\r\nabcd"));
  EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr("boundary"));
}

TEST_F(UploadTest, AFormWithoutItsEndIsTold) {
  start(limits_);
  const std::string body = "--B\r\nContent-Disposition: form-data; name=\"method\"\r\n\r\necho";
  const json answer =
      envelope(ask("POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: " +
                   std::to_string(body.size()) + "\r\n\r\n" + body));
  EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr("closing boundary"));
}

TEST_F(UploadTest, AFormWithoutAMethodIsToldWith400) {
  start(limits_);
  EXPECT_EQ(ask(form_request({{"a", "1"}})).body, "Did not specify method");
}

TEST_F(UploadTest, AMethodThatTakesNoUploadIsNotFound) {
  start(limits_);
  EXPECT_EQ(ask(form_request({{"method", "list_nodes"}})).status, 404);
}

TEST_F(UploadTest, TextFieldsAreBounded) {
  limits_.json_bytes_max = 1000;
  start(limits_);
  const json answer = envelope(ask(form_request({{"method", "echo"}, {"a", std::string(2000, 'x')}})));
  EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr("larger than 1000 bytes"));
}

TEST_F(UploadTest, AnUploadBeyondTheLimitIsRefused) {
  limits_.upload_bytes_max = 1000;
  start(limits_);
  EXPECT_EQ(ask(form_request({{"method", "echo"}, {"a", std::string(2000, 'x'), true}})).status, 413);
}

TEST_F(UploadTest, AnUnwritableDirectoryIsTold) {
  limits_.upload_directory = directory_ / "missing";
  start(limits_);
  const json answer = envelope(ask(form_request({{"method", "echo"}, {"dump", "x", true}})));
  EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr("could not be stored"));
}

TEST_F(UploadTest, TooManyFilesAreTold) {
  limits_.upload_files_max = 2;
  start(limits_);
  const json answer =
      envelope(ask(form_request({{"method", "echo"}, {"a", "", true}, {"b", "", true}, {"c", "", true}})));
  EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr("more than 2 files"));
}

}  // namespace
}  // namespace drover::http_test
