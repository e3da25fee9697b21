// The wire: paths, order of checks, envelopes, ids.
#include "manager/api/wire.hpp"
#include "tests/http/fake_manager.hpp"

namespace drover::http_test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string raw(std::string_view line, std::string_view headers = "Content-Type: application/json\r\n") {
  return std::string(line) + "\r\nHost: x\r\n" + std::string(headers) + "\r\n";
}

class Wire : public Http {
 protected:
  void SetUp() override { start(); }
  int status_of(const std::string& request) { return ask(request).status; }
};

TEST_F(Wire, SuccessCarriesIdResultAndNullError) {
  EXPECT_EQ(ask(get_request("method=list_nodes&id=1")).body,
            R"({"id": "1", "result": {"conpaas-mysql":[]}, "error": null})");
}

TEST_F(Wire, FailureCarriesTextCodeAndData) {
  EXPECT_EQ(ask(post_request(R"({"method":"refuse","id":1})")).body,
            R"({"id": 1, "error": "Service in wrong state", "code": 6, "data": {"state":"INIT"}})");
}

TEST_F(Wire, AnswersCarryContentTypeLengthAndDate) {
  const HttpAnswer answer = ask(get_request("method=list_nodes&id=1"));
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  EXPECT_EQ(answer.headers.at("content-length"), std::to_string(answer.body.size()));
  EXPECT_THAT(answer.headers.at("date"), HasSubstr(" GMT"));
}

struct PathCase {
  const char* target;
  int status;
  friend void PrintTo(const PathCase& path, std::ostream* out) { *out << path.target; }
};
class Paths : public Wire, public testing::WithParamInterface<PathCase> {};
TEST_P(Paths, OnlyTheRootExists) {
  EXPECT_EQ(status_of(raw("GET " + std::string(GetParam().target) + " HTTP/1.1")), GetParam().status);
}
INSTANTIATE_TEST_SUITE_P(
    Targets, Paths,
    testing::Values(PathCase{"/?method=list_nodes&id=1", 200}, PathCase{"/;p?method=list_nodes&id=1", 200},
                    PathCase{"/;a;b?method=list_nodes&id=1", 200},
                    PathCase{"http://127.0.0.1:50000/?method=list_nodes&id=1", 200},
                    PathCase{"HTTP://x/;p?method=list_nodes&id=1", 200},
                    PathCase{"/?method=list_nodes&id=1#fragment", 200},
                    PathCase{"http://127.0.0.1?method=list_nodes&id=1", 404},
                    PathCase{"//?method=list_nodes&id=1", 404}, PathCase{"/foo?method=list_nodes&id=1", 404},
                    PathCase{"/%2F?method=list_nodes&id=1", 404}, PathCase{"?method=list_nodes&id=1", 404},
                    PathCase{"*", 404}, PathCase{"/..", 404}));

TEST_F(Wire, AWrongPathIsToldBeforeAMissingContentType) {
  EXPECT_EQ(status_of(raw("GET /foo HTTP/1.1", "")), 404);
}
TEST_F(Wire, AMissingContentTypeIsToldBeforeAWrongVerb) {
  EXPECT_EQ(status_of(raw("PUT / HTTP/1.1", "")), 415);
}
TEST_F(Wire, AWrongVerbIsToldBeforeAWrongMediaType) {
  EXPECT_EQ(status_of(raw("PUT / HTTP/1.1", "Content-Type: text/plain\r\n")), 405);
}
TEST_F(Wire, AWrongMediaTypeIsToldBeforeAMissingMethod) {
  EXPECT_EQ(status_of(raw("GET /?id=1 HTTP/1.1", "Content-Type: text/plain\r\n")), 415);
}
TEST_F(Wire, AMissingMethodIsToldBeforeAMissingId) {
  const HttpAnswer answer = ask(get_request("x=1"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "Did not specify method");
}
TEST_F(Wire, AnUnknownMethodIsNotFound) {
  const HttpAnswer answer = ask(get_request("method=nope&id=1"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, "method not found");
}
TEST_F(Wire, AMethodOfAnotherVerbIsNotFound) {
  EXPECT_EQ(status_of(get_request("method=add_nodes&id=1")), 404);
}
TEST_F(Wire, AWrongVerbNamesTheAllowedOnes) {
  EXPECT_EQ(ask(raw("DELETE / HTTP/1.1")).headers.at("allow"), "GET, POST");
}
TEST_F(Wire, LowerCaseVerbsAreNotAllowed) {
  EXPECT_EQ(status_of(raw("get /?method=list_nodes&id=1 HTTP/1.1")), 405);
}
TEST_F(Wire, HeadIsRefusedWithoutABody) {
  HttpClient client = connect();
  EXPECT_EQ(client.exchange(raw("HEAD / HTTP/1.1"), true).status, 405);
  EXPECT_EQ(client.exchange(get_request("method=list_nodes&id=1")).status, 200);
}
TEST_F(Wire, HttpErrorsKeepTheOriginalsHtml) {
  EXPECT_EQ(ask(raw("GET /foo HTTP/1.1")).body,
            "<head>\n<title>Error response</title>\n</head>\n<body>\n<h1>Error response</h1>\n<p>Error code "
            "404.\n<p>Message: Not Found.\n<p>Error code explanation: 404 = Nothing matches the given "
            "URI.\n</body>\n");
}
TEST_F(Wire, OtherVersionsAreUnsupported) {
  const HttpAnswer answer = ask(raw("GET /?method=list_nodes&id=1 HTTP/2.0"));
  EXPECT_EQ(answer.status, 505);
  EXPECT_THAT(answer.body, HasSubstr("Invalid HTTP Version (2.0)"));
}
TEST_F(Wire, GarbageIsABadRequest) { EXPECT_EQ(status_of("\x16\x03\x01 hello\r\n\r\n"), 400); }
TEST_F(Wire, AHeaderLineWithoutAColonIsABadRequest) {
  EXPECT_EQ(status_of(raw("GET /?method=list_nodes&id=1 HTTP/1.1", "nonsense\r\n")), 400);
}

class MediaTypes : public Wire, public testing::WithParamInterface<std::pair<const char*, int>> {};
TEST_P(MediaTypes, AreComparedWithoutCaseAndParameters) {
  const std::string header = "Content-Type: " + std::string(GetParam().first) + "\r\n";
  EXPECT_EQ(status_of(raw("GET /?method=list_nodes&id=1 HTTP/1.1", header)), GetParam().second);
}
INSTANTIATE_TEST_SUITE_P(
    Values, MediaTypes,
    testing::Values(std::pair("application/json", 200), std::pair("application/json-rpc", 200),
                    std::pair("application/jsonrequest", 200), std::pair("Application/JSON", 200),
                    std::pair("application/json; charset=utf-8", 200),
                    std::pair("application/json;charset=\"UTF-8\"", 200),
                    std::pair("application/json; charset=utf-16", 415), std::pair("application/jsonp", 415),
                    std::pair("text/plain", 415), std::pair("", 415),
                    std::pair("multipart/form-data; boundary=x", 415)));

TEST_F(Wire, TheLastOfRepeatedKeysWins) {
  EXPECT_EQ(envelope(ask(get_request("method=nope&method=list_nodes&id=1&id=2")))["id"], "2");
}
TEST_F(Wire, BlankValuesAreDropped) {
  EXPECT_EQ(envelope(ask(get_request("method=list_nodes&method=&id=2&id=&params=")))["id"], "2");
}
TEST_F(Wire, SemicolonsSeparateToo) { EXPECT_EQ(status_of(get_request("method=list_nodes;id=1")), 200); }
TEST_F(Wire, QueryParamsAreDecodedJson) {
  const json answer = envelope(ask(get_request("method=echo&id=1&params=%7B%22a+b%22:%22%C3%A9%22%7D")));
  EXPECT_EQ(answer["result"]["params"], (json{{"a b", "\u00e9"}}));
}
TEST_F(Wire, BrokenQueryParamsAreTold) {
  const json answer = envelope(ask(get_request("method=echo&id=9&params=%7Bx")));
  EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr("params DETAIL:not valid JSON"));
  EXPECT_EQ(answer["id"], "9");
  EXPECT_EQ(answer["code"], 5);
}
TEST_F(Wire, AQueryIdThatIsNotUtf8IsTold) {
  const json answer = envelope(ask(get_request("method=list_nodes&id=%ff")));
  EXPECT_EQ(answer["id"], nullptr);
  EXPECT_EQ(answer["code"], 5);
}
TEST_F(Wire, AMissingIdIsTold) {
  EXPECT_EQ(envelope(ask(get_request("method=list_nodes")))["code"], 4);
  EXPECT_EQ(envelope(ask(post_request(R"({"method":"add_nodes"})")))["code"], 4);
}

class Ids : public Wire, public testing::WithParamInterface<const char*> {};
TEST_P(Ids, AreEchoedAsTheClientWroteThem) {
  const std::string id = GetParam();
  const HttpAnswer answer = ask(post_request("{\"method\": \"add_nodes\", \"id\" : " + id + " }"));
  EXPECT_EQ(answer.body, "{\"id\": " + id + ", \"result\": {}, \"error\": null}");
}
INSTANTIATE_TEST_SUITE_P(Values, Ids,
                         testing::Values("1", "0", "-0", "1.5", "1.50", "1e3", "null", "true", "\"abc\"",
                                         "\"\"", "{\"a\": 1}", "[1, [2, \"]\"]]", "12345678901234567890123",
                                         "\"h\\u00e9\\u20ac\"", "\"quote \\\" and , and }\""));

TEST_F(Wire, NestedIdsAreNotTheId) {
  EXPECT_EQ(ask(post_request(R"({"params":{"id":5},"method":"add_nodes","id":7})")).body,
            R"({"id": 7, "result": {}, "error": null})");
}
TEST_F(Wire, AnEscapedKeyIsStillTheId) {
  EXPECT_EQ(envelope(ask(post_request(R"({"method":"add_nodes","\u0069d":7})")))["id"], 7);
}
TEST_F(Wire, TheLastOfDuplicateKeysWins) {
  EXPECT_EQ(envelope(ask(post_request(R"({"id":1,"method":"nope","method":"add_nodes","id":2})")))["id"], 2);
}

struct BodyCase {
  const char* name;
  std::string body;
  int status;
  int code;        // of the envelope
  const char* id;  // JSON
};
class Bodies : public Wire, public testing::WithParamInterface<BodyCase> {};
TEST_P(Bodies, AlwaysGetAnAnswer) {
  HttpClient client = connect();
  const HttpAnswer answer = client.exchange(post_request(GetParam().body));
  EXPECT_EQ(answer.status, GetParam().status);
  if (answer.status == 200) {
    const json parsed = json::parse(answer.body, nullptr, false);
    EXPECT_EQ(parsed.value("code", -1), GetParam().code) << answer.body;
    EXPECT_EQ(parsed["id"], json::parse(GetParam().id));
  }
  EXPECT_EQ(client.exchange(get_request("method=list_nodes&id=1")).status, 200)
      << "the connection is still good";
}
INSTANTIATE_TEST_SUITE_P(
    Faults, Bodies,
    testing::Values(BodyCase{"Empty", "", 200, 4, "null"}, BodyCase{"Blank", " \r\n", 200, 4, "null"},
                    BodyCase{"CutShort", R"({"method": "add_nodes", )", 200, 5, "null"},
                    BodyCase{"CutShortAfterTheId", R"({"id": 3, "method": )", 200, 5, "3"},
                    BodyCase{"NotANumber", R"({"method":"add_nodes","id":NaN})", 200, 5, "null"},
                    BodyCase{"HugeNumber", R"({"method":"add_nodes","params":1e999,"id":4})", 200, 5, "4"},
                    BodyCase{"NotUtf8", "{\"method\":\"add_nodes\",\"id\":\"\xff\"}", 200, 5, "null"},
                    BodyCase{"ByteOrderMark", "\xEF\xBB\xBF{\"method\":\"add_nodes\",\"id\":1}", 200, -1,
                             "1"},
                    BodyCase{"Text", R"("method")", 400, 0, ""}, BodyCase{"Number", "5", 400, 0, ""},
                    BodyCase{"List", R"(["method"])", 400, 0, ""}, BodyCase{"EmptyObject", "{}", 400, 0, ""},
                    BodyCase{"MethodIsANumber", R"({"method":5,"id":1})", 404, 0, ""},
                    BodyCase{"MethodIsAList", R"({"method":["add_nodes"],"id":1})", 404, 0, ""},
                    BodyCase{"MethodIsNull", R"({"method":null,"id":1})", 404, 0, ""},
                    BodyCase{"Trailing", R"({"method":"add_nodes","id":1} x)", 200, 5, "1"},
                    BodyCase{"Deep", std::string(100000, '['), 200, 5, "null"},
                    BodyCase{"DeepParams",
                             R"({"id":6,"method":"add_nodes","params":)" + std::string(100000, '[') +
                                 std::string(100000, ']') + "}",
                             200, 5, "6"}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(Wire, AnyJsonIsPassedOnAsParams) {
  EXPECT_EQ(envelope(ask(post_request(R"({"method":"echo","params":[1],"id":1})")))["result"]["params"],
            json({1}));
}
TEST_F(Wire, ExtraPathsNeedNoContentType) {
  EXPECT_EQ(ask(raw("GET /metrics HTTP/1.1", "")).body, "drover_up 1\n");
  EXPECT_EQ(ask(raw("GET /healthz HTTP/1.1", "")).body, "ok\n");
  EXPECT_EQ(status_of(raw("POST /metrics HTTP/1.1", "Content-Length: 0\r\n")), 405);
}
TEST_F(Wire, ALateAnswerIsDelivered) {
  EXPECT_EQ(envelope(ask(get_request("method=later&id=1")))["result"]["late"], true);
}
TEST_F(Wire, ADroppedCallIsAnswered) {
  EXPECT_THAT(envelope(ask(get_request("method=drop&id=1")))["error"].get<std::string>(),
              HasSubstr("dropped"));
}
TEST_F(Wire, AFaultOfTheHandlerIsAnsweredWithoutItsText) {
  EXPECT_EQ(envelope(ask(get_request("method=fault&id=1")))["error"], "Unknown error.");
}
TEST_F(Wire, OnlyTheFirstAnswerCounts) {
  EXPECT_EQ(envelope(ask(get_request("method=twice&id=1")))["error"], nullptr);
}
TEST_F(Wire, ResultsThatAreNotUtf8StayValidJson) {
  EXPECT_EQ(envelope(ask(get_request("method=binary&id=1")))["result"], "\ufffd\ufffd");
}
TEST_F(Wire, TheAccessLogHoldsNoParams) {
  ask(get_request("method=echo&id=1&params=%7B%22password%22:%22hidden%22%7D"));
  ask(post_request(R"({"method":"hidden","id":1})"));
  ask(raw("GET /hidden?password=hidden HTTP/1.1"));
  EXPECT_THAT(log(), testing::ElementsAre("GET / echo 200", "POST /  404", "GET other  404"));
}

TEST(KeyOrder, IsKeptOfParamsInABody) {
  const api::Call call = api::read_body(
      R"({"z": {"y": 1, "x": 2}, "params": {"c": {"b": 1, "a": 2}, "b": [{"q": 1}], "a": 0}, "method": "m", "id": 1})",
      {});
  EXPECT_THAT(call.request.order, testing::ElementsAre("c", "b", "a"));
}
TEST(KeyOrder, IsKeptOfParamsInAQuery) {
  const api::Call call =
      api::read_query("method=m&id=1&params=%7B%22foo%22:1,%22bar%22:%7B%22a%22:1%7D%7D", {});
  EXPECT_THAT(call.request.order, testing::ElementsAre("foo", "bar"));
}
TEST(KeyOrder, IsThatOfTheLastOfRepeatedParams) {
  const api::Call call = api::read_body(
      R"({"params": {"a": 1, "b": 2}, "params": {"d": 1, "c": 2}, "method": "m", "id": 1})", {});
  EXPECT_THAT(call.request.order, testing::ElementsAre("d", "c"));
}

}  // namespace
}  // namespace drover::http_test
