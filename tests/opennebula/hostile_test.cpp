// Bytes that no honest client sends: each gets an answer of the protocol, and none a broken connection.
#include "tests/opennebula/stage.hpp"

namespace drover {
namespace {

std::string call_with(const std::string& params, const std::string& method = "one.vm.info") {
  return "<?xml version='1.0'?><methodCall><methodName>" + method + "</methodName><params>" +
         "<param><value><string>oneadmin:onepass</string></value></param>" + params +
         "</params></methodCall>";
}
std::string param(const std::string& value) { return "<param><value>" + value + "</value></param>"; }
std::string repeat(const std::string& text, std::size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

struct Row {
  const char* what;
  std::string body;
  int fault;
};

std::vector<Row> rows() {
  return {
      {"nothing", "", -503},
      {"JSON", "{}", -503},
      {"cut off", "<methodCall><methodName>one.vm", -503},
      {"zero bytes", std::string(100, '\0'), -503},
      {"not UTF-8", call_with(param("<string>\xff\xfe</string>")), -503},
      {"a surrogate in UTF-8", call_with(param("<string>\xed\xa0\x80</string>")), -503},
      {"a control character", call_with(param("<string>\x01</string>")), -503},
      {"a reference to one", call_with(param("<string>&#1;</string>")), -503},
      {"a document type", "<!DOCTYPE a [<!ENTITY b \"c\">]><methodCall/>", -503},
      {"an entity bomb",
       "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;\">]>" +
           call_with(param("<string>&lol2;</string>")),
       -503},
      {"an external entity", "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" + call_with(""),
       -503},
      {"another root", "<html><body/></html>", -503},
      {"a response", "<methodResponse/>", -503},
      {"no method", "<methodCall><params/></methodCall>", -503},
      {"an unknown method", call_with("", "one.vm.frobnicate"), -506},
      {"a method of markup", call_with("", "&lt;b&gt;"), -506},
      {"a long method", call_with("", std::string(100'000, 'x')), -506},
      {"no session", "<methodCall><methodName>one.vm.info</methodName></methodCall>", -501},
      {"a number as the session",
       "<methodCall><methodName>one.vm.info</methodName><params><param><value><int>1</int></value></param>"
       "</params></methodCall>",
       -501},
      {"no arguments", call_with(""), -501},
      {"text for a number", call_with(param("<string>1</string>")), -501},
      {"a number for a truth", call_with(param("<int>1</int>") + param("<int>1</int>")), -501},
      {"a number of letters", call_with(param("<int>one</int>")), -503},
      {"a number of 40 digits", call_with(param("<int>" + std::string(40, '9') + "</int>")), -503},
      {"more than 32 bits", call_with(param("<int>4294967296</int>")), -503},
      {"an empty number", call_with(param("<int/>")), -503},
      {"a truth of 2", call_with(param("<int>1</int>") + param("<boolean>2</boolean>")), -503},
      {"an unknown type", call_with(param("<blob>1</blob>")), -503},
      {"a parameter without a value", call_with("<param/>"), -503},
      {"an array without data", call_with(param("<array/>")), -503},
      {"a member without a name", call_with(param("<struct><member><value/></member></struct>")), -503},
      {"deep nesting",
       call_with(param(repeat("<array><data><value>", 1000) + repeat("</value></data></array>", 1000))),
       -509},
      {"very deep nesting of anything", repeat("<a>", 200'000), -503},
      {"200000 values", call_with(repeat(param("<int>1</int>"), 200'000)), -509},
      {"100000 attributes", "<methodCall " + repeat("a='b' ", 100'000) + "/>", -503},
  };
}

TEST(OpenNebulaHostile, EveryBodyGetsTheFaultOfTheProtocol) {
  test::OneStage stage;
  for (const Row& row : rows()) {
    const auto response = stage.post(row.body);
    ASSERT_TRUE(response.has_value()) << row.what << ": " << response.error().message;
    EXPECT_EQ(test::OneStage::read(response.value()).fault, row.fault) << row.what;
  }
  EXPECT_TRUE(stage.call("one.system.version").ok) << "and the server goes on";
}

TEST(OpenNebulaHostile, ABodyAboveTheLimitIsRefusedInXml) {
  test::OneStage stage;
  const auto response = stage.post(std::string(17 * 1024 * 1024, ' '));
  ASSERT_TRUE(response.has_value()) << response.error().message;
  EXPECT_EQ(test::OneStage::read(response.value()).fault, -509);
}

TEST(OpenNebulaHostile, TemplatesThatAreNoneAreRefused) {
  test::OneStage stage;
  for (const std::string& text : {std::string("A"),
                                  std::string("A ="),
                                  std::string("A = ["),
                                  std::string("A = [B]"),
                                  std::string("A = [B = [C = D]]"),
                                  std::string("= 1"),
                                  std::string("]"),
                                  std::string("A = \"x"),
                                  std::string("A=\"b\" \"c\""),
                                  std::string("A = [ B = 1 C = 2 ]"),
                                  std::string("A = \"x]]>\""),
                                  std::string("<VM>"),
                                  std::string("<!DOCTYPE a><VM/>"),
                                  std::string(2 * 1024 * 1024, 'A'),
                                  repeat("A=1\n", 10'000),
                                  std::string("CPU=-1\nMEMORY=1"),
                                  std::string("CPU=nan\nMEMORY=1"),
                                  std::string("CPU=1e300\nMEMORY=1"),
                                  std::string("CPU=1\nMEMORY=1.5"),
                                  std::string("CPU=1\nMEMORY=0"),
                                  "NAME=" + std::string(129, 'n') + "\nCPU=1\nMEMORY=1",
                                  std::string("CPU=1\nMEMORY=1\nDISK=[IMAGE_ID=\"-1\"]"),
                                  std::string("CPU=1\nMEMORY=1\nDISK=[IMAGE_ID=\"99999999999999999999\"]"),
                                  std::string("CPU=1\nMEMORY=1\nINSTANCE_TYPE=huge")}) {
    const auto answer = stage.call("one.vm.allocate", text, false);
    EXPECT_FALSE(answer.ok) << text.substr(0, 60);
    EXPECT_EQ(answer.code, 8192) << text.substr(0, 60) << ": " << answer.text;
  }
  EXPECT_EQ(stage.cloud().total_created(), 0U);
}

TEST(OpenNebulaHostile, IdsOfAnySizeAreOnlyMissing) {
  test::OneStage stage;
  for (const int id : {-1, -2, 1, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(stage.call("one.vm.info", id, false).code, 1024) << id;
    EXPECT_EQ(stage.call("one.vm.action", "terminate", id).code, 1024) << id;
    EXPECT_EQ(stage.call("one.vm.rename", id, "x").code, 1024) << id;
    EXPECT_EQ(stage.call("one.template.info", id).code, 1024) << id;
  }
  EXPECT_TRUE(stage.call("one.vmpool.info", -2, INT32_MIN, INT32_MIN, -1).ok);
  EXPECT_TRUE(stage.call("one.vmpool.info", -2, INT32_MAX, INT32_MAX, -1).ok);
}

}  // namespace
}  // namespace drover
