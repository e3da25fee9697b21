// Templates: the text that OpenNebula reads, and the driver's values in it.
#include <gmock/gmock.h>

#include "manager/adapters/opennebula/vm_words.hpp"
#include "manager/system/digest.hpp"
#include "manager/system/one_template.hpp"
#include "tests/opennebula/scripted.hpp"

namespace drover {
namespace {

using testing::HasSubstr;

one::Template parsed(const std::string& text) {
  auto result = one::parse_template(text);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return result ? std::move(result).value() : one::Template{};
}

TEST(OneTemplate, IsReadAsOpenNebulaReadsIt) {
  const auto all = parsed(
      "# a comment\n"
      "  name=web # and another\n"
      "CPU = 0.5\n"
      "EMPTY =\n"
      "TEXT = \"two\nlines, a [bracket] and a \\\"quote\\\"\"\n"
      "nic = [ network = \"private\" ,\n   IP=10.0.0.1 ]\n"
      "NIC=[]\n"
      "LAST=x");
  ASSERT_EQ(all.size(), 7U);
  EXPECT_EQ(one::value_of(all, "NAME"), "web");
  EXPECT_EQ(one::value_of(all, "CPU"), "0.5");
  EXPECT_EQ(one::value_of(all, "EMPTY"), "");
  EXPECT_EQ(one::value_of(all, "TEXT"), "two\nlines, a [bracket] and a \"quote\"");
  EXPECT_EQ(one::find(all, "NIC")->part("NETWORK"), "private");
  EXPECT_EQ(one::find(all, "NIC")->part("IP"), "10.0.0.1");
  EXPECT_TRUE(all[5].vector && all[5].parts.empty());
  EXPECT_EQ(one::value_of(all, "LAST"), "x");
}

TEST(OneTemplate, SaysWhatIsWrongInTheRecordedWords) {
  const auto result = one::parse_template("NAME=\"bad\nCPU=");
  ASSERT_TRUE(result.has_error());
  EXPECT_THAT(
      result.error().message,
      HasSubstr(
          "Parse error: syntax error, unexpected $end, expecting OBRACKET or CCDATA or STRING at line "));
}

TEST(OneTemplate, WhatIsWrittenIsReadBack) {
  for (const std::string& value :
       {std::string(), std::string("plain"), std::string("\""), std::string("\\\""), std::string("\\\\\""),
        std::string("a\"\nX=\"1\"\nY=\"b"), std::string("]"), std::string("\"] NAME=[A=\"1"),
        std::string("#no"), std::string("$NAME"), std::string(" spaces "), std::string("two\nlines"),
        std::string("Grüße <&>"), std::string("]] >"), std::string("\\n")}) {
    one::Template made{one::single("A", value), one::single("B", "b")};
    one::Attribute vector = one::single("V", "");
    vector.vector = true;
    vector.set_part("K", value);
    vector.set_part("L", "l");
    made.push_back(vector);
    const auto text = one::write_text(made);
    ASSERT_TRUE(text.has_value()) << value;
    const auto back = parsed(text.value());
    ASSERT_EQ(back.size(), 3U) << text.value();
    EXPECT_EQ(back[0].value, value);
    EXPECT_EQ(back[1].value, "b");
    EXPECT_EQ(back[2].part("K"), value);
    EXPECT_EQ(back[2].part("L"), "l");
    const auto xml = parsed("<T>" + one::write_xml(made) + "</T>");
    EXPECT_EQ(one::value_of(xml, "A"), value);
  }
}

TEST(OneTemplate, WhatCannotBeSaidIsRefused) {
  for (const std::string& value : {std::string("a\\"), std::string("]]>"), std::string(1, '\0'),
                                   std::string("\x01"), std::string("\xff")}) {
    EXPECT_FALSE(one::quote(value).has_value());
    EXPECT_EQ(one::write_text({one::single("A", value)}).error().code, ErrorCode::invalid);
  }
}

TEST(OneTemplate, TagsAreAttributes) {
  EXPECT_EQ(one::tag_attribute("drover-service"), "DROVER_SERVICE");
  EXPECT_EQ(one::tag_key("DROVER_SERVICE"), "drover-service");
  EXPECT_EQ(one::tag_key("LABELS"), "LABELS");
  EXPECT_EQ(one::tag_attribute("1 a/b"), "_1_A_B");
}

opennebula::Placed placed() {
  opennebula::Placed made;
  made.spec = test::kSpec;
  made.image_id = "7";
  made.network_id = "2";
  made.token = "t";
  made.digest = "d";
  return made;
}

TEST(OpenNebulaTemplate, TheOriginalsPlaceholdersAreFilled) {
  OpenNebulaConfig config = test::scripted_config();
  config.sizes = {{"small", 0.5, 2048}};
  config.template_text =
      "NAME   = $NAME\n"
      "CPU    = $CPU   # of \"$CPU\n"
      "MEMORY = ${MEM_SIZE}\n"
      "OS     = [ $OS ]\n"
      "DISK   = [ $DISK, IMAGE_ID = $IMAGE_ID ]\n"
      "NIC    = [ NETWORK_ID = \"$NETWORK_ID\" ]\n"
      "CONTEXT = [ $CONTEXT, FILES = \"$NOTHING\", IP = \"$NIC[IP, NETWORK_ID=2]\",\n"
      "  VMID = \"$VMID\", USERDATA = \"$AGENT_USER_DATA\" ]\n";
  config.os = "ARCH = \"i686\"";
  config.disk = "TARGET = sda";
  config.context = "HOSTNAME = \"$NAME\"";
  config.agent_script =
      "#!/bin/sh\nMANAGER_IP=$MANAGER_IP MANAGER_PORT=${MANAGER_PORT} $OTHER $MANAGER_IPX\n";
  config.manager_ip = "10.0.0.1";
  config.manager_port = 50000;
  const auto text = opennebula::vm_template(config, placed());
  ASSERT_TRUE(text.has_value()) << text.error().message;
  const auto all = parsed(text.value());
  EXPECT_EQ(one::value_of(all, "NAME"), "db-1");
  EXPECT_EQ(one::value_of(all, "CPU"), "0.5");
  EXPECT_EQ(one::value_of(all, "MEMORY"), "2048");
  EXPECT_EQ(one::find(all, "OS")->part("ARCH"), "i686");
  EXPECT_EQ(one::find(all, "DISK")->part("TARGET"), "sda");
  EXPECT_EQ(one::find(all, "DISK")->part("IMAGE_ID"), "7");
  const one::Attribute* context = one::find(all, "CONTEXT");
  EXPECT_EQ(context->part("HOSTNAME"), "db-1");
  EXPECT_EQ(context->part("VMID"), "$VMID") << "OpenNebula's own";
  EXPECT_EQ(context->part("IP"), "$NIC[IP, NETWORK_ID=2]");
  EXPECT_EQ(context->part("FILES"), "$NOTHING");
  EXPECT_EQ(context->part("USERDATA"),
            to_hex("#!/bin/sh\nMANAGER_IP=10.0.0.1 MANAGER_PORT=50000 $OTHER $MANAGER_IPX\n"));
}

TEST(OpenNebulaTemplate, ValuesOfTheSpecAddNoAttributes) {
  for (const std::string& value :
       {std::string("x\"\nMEMORY = \"9"), std::string("x\" ]\nDISK = [ IMAGE_ID = \"9"), std::string("a # b"),
        std::string("$AGENT_USER_DATA"), std::string("two\nlines")}) {
    OpenNebulaConfig config = test::scripted_config();
    config.template_text =
        "NAME = $NAME\nTITLE = \"<$NAME>\"\nCPU=$CPU\nMEMORY=$MEM_SIZE\nNIC=[NETWORK=$NETWORK_ID]";
    opennebula::Placed made = placed();
    made.spec.name = value;
    made.network_id = value;
    made.spec.tags = {{kServiceTag, value}};
    const auto text = opennebula::vm_template(config, made);
    ASSERT_TRUE(text.has_value()) << text.error().message;
    const auto all = parsed(text.value());
    EXPECT_EQ(all.size(), 10U) << text.value();
    EXPECT_EQ(one::value_of(all, "NAME"), value);
    EXPECT_EQ(one::value_of(all, "TITLE"), "<" + value + ">");
    EXPECT_EQ(one::value_of(all, "MEMORY"), "1024");
    EXPECT_EQ(one::find(all, "NIC")->part("NETWORK"), value);
    EXPECT_EQ(one::value_of(all, "DROVER_SERVICE"), value);
  }
}

TEST(OpenNebulaTemplate, WhatTemplatesCannotHoldIsRefused) {
  opennebula::Placed made = placed();
  made.spec.name = "ends with \\";
  EXPECT_EQ(opennebula::vm_template(test::scripted_config(), made).error().code, ErrorCode::invalid);
  made = placed();
  made.spec.tags = {{"Mixed-Case", "x"}};
  EXPECT_THAT(opennebula::vm_template(test::scripted_config(), made).error().message,
              HasSubstr("Mixed-Case"));
  made = placed();
  made.spec.tags = {{kServiceTag, "]]>"}};
  EXPECT_EQ(opennebula::vm_template(test::scripted_config(), made).error().code, ErrorCode::invalid);
}

TEST(OpenNebulaTemplate, UserDataOfAnyBytesIsCarried) {
  opennebula::Placed made = placed();
  made.spec.user_data = std::string("#!/bin/sh\n\"]]>\\\0\xff", 18);
  const auto text = opennebula::vm_template(test::scripted_config(), made);
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(base64_decode(one::find(parsed(text.value()), "CONTEXT")->part("USER_DATA")),
            made.spec.user_data);
}

}  // namespace
}  // namespace drover
