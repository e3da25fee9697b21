// Signatures of Amazon's query interfaces: against the published examples, against requests that botocore
// signed, and against requests of six clients as they were on the wire.
#include "manager/system/aws_signature.hpp"

#include <gtest/gtest.h>

#include "manager/system/digest.hpp"
#include "manager/system/iso_time.hpp"

namespace drover::aws {
namespace {

constexpr const char* kExampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

http::Request listing_of_users() {
  http::Request request;
  request.method = "GET";
  request.target = "/?Action=ListUsers&Version=2010-05-08";
  request.fields = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
                    {"Host", "iam.amazonaws.com"}};
  return request;
}

TEST(AwsSignature, TheDocumentedListingOfUsersIsSignedAsDocumented) {
  http::Request request = listing_of_users();
  sign_sigv4(request, {"AKIDEXAMPLE", kExampleSecret, ""}, "us-east-1", "iam",
             *parse_amz_date("20150830T123600Z"));
  EXPECT_EQ(request.value("authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

// What botocore 1.29 makes of it: a session, an odd field, an escape and a plus in the body.
http::Request signed_form() {
  http::Request request;
  request.method = "POST";
  request.target = "/";
  request.fields = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
                    {"User-Agent", "x"},
                    {"X-Odd", "  a   b "},
                    {"Host", "127.0.0.1:4566"},
                    {"X-Amz-Date", "20261126T160048Z"},
                    {"X-Amz-Security-Token", "a/session+token=="},
                    {"Authorization",
                     "AWS4-HMAC-SHA256 Credential=drover/20261126/eu-north-1/ec2/aws4_request, "
                     "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-odd, "
                     "Signature=dbb1b03ca324c19dac0b34fbd4530cb67c1efe363e6e70521ef3f750ebdffdaf"}};
  request.body = "Action=DescribeInstances&Filter.1.Value.1=a+b%2Fc&Version=2016-11-15";
  return request;
}

TEST(AwsSignature, ASignedFormIsReadAndItsSignatureFoundAgain) {
  const http::Request request = signed_form();
  ASSERT_EQ(signature_kind(request), SignatureKind::v4);
  const auto parsed = parse_sigv4(request);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed.value().access_key, "drover");
  EXPECT_EQ(parsed.value().date, "20261126");
  EXPECT_EQ(parsed.value().region, "eu-north-1");
  EXPECT_EQ(parsed.value().service, "ec2");
  EXPECT_EQ(parsed.value().session_token, "a/session+token==");
  EXPECT_EQ(parsed.value().signed_fields.size(), 5U);
  EXPECT_FALSE(parsed.value().presigned);
  EXPECT_EQ(expected_sigv4(request, parsed.value(), "drover-secret"), parsed.value().signature);
  EXPECT_TRUE(is_signed_by(request, parsed.value(), "drover-secret"));
  EXPECT_FALSE(is_signed_by(request, parsed.value(), "drover-secreu"));
}

TEST(AwsSignature, OurOwnSignatureIsThatOfBotocore) {
  http::Request request = signed_form();
  std::erase_if(request.fields, [](const auto& field) {
    return field.first.starts_with("X-Amz") || field.first == "Authorization";
  });
  sign_sigv4(request, {"drover", "drover-secret", "a/session+token=="}, "eu-north-1", "ec2",
             *parse_amz_date("20261126T160048Z"));
  EXPECT_EQ(request.value("authorization"), signed_form().value("authorization"));
}

TEST(AwsSignature, WhatIsChangedOnTheWayDoesNotFit) {
  const auto refused = [](const http::Request& request) {
    const auto parsed = parse_sigv4(request);
    return !parsed.has_value() || !is_signed_by(request, parsed.value(), "drover-secret");
  };
  EXPECT_FALSE(refused(signed_form()));
  http::Request request = signed_form();
  request.body += '&';
  EXPECT_TRUE(refused(request)) << "body";
  request = signed_form();
  request.target = "/?Action=TerminateInstances";
  EXPECT_TRUE(refused(request)) << "query";
  request = signed_form();
  request.method = "GET";
  EXPECT_TRUE(refused(request)) << "method";
  request = signed_form();
  request.fields[2].second = "a c";
  EXPECT_TRUE(refused(request)) << "field";
  request = signed_form();
  request.fields[4].second = "20261126T160049Z";
  EXPECT_TRUE(refused(request)) << "time";
  request = signed_form();
  request.fields[1].second = "another";
  EXPECT_FALSE(refused(request)) << "not signed";
}

TEST(AwsSignature, TheHostMayBeSignedWithoutItsPort) {
  http::Request request = listing_of_users();
  request.fields[1].second = "127.0.0.1";
  sign_sigv4(request, {"drover", "drover-secret", ""}, "us-east-1", "ec2",
             *parse_amz_date("20261126T160048Z"));
  request.fields[1].second = "127.0.0.1:4566";
  const auto parsed = parse_sigv4(request);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_TRUE(is_signed_by(request, parsed.value(), "drover-secret"));
  request.fields[1].second = "127.0.0.2:4566";
  EXPECT_FALSE(is_signed_by(request, parsed.value(), "drover-secret"));
}

// Of botocore 1.29. The names are sorted by their bytes: Filter.1.Name, Filter.10.Name.
constexpr const char* kPresigned =
    "/?Action=DescribeInstances&Filter.10.Name=tag%3Ax%20y&Filter.1.Name=%C3%A4~%2A&Empty=&X-Amz-Algorithm="
    "AWS4-HMAC-SHA256&X-Amz-Credential=drover%2F20261126%2Feu-north-1%2Fec2%2Faws4_request&X-Amz-Date="
    "20261126T160048Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature="
    "fda816cd48edbae5fe571a0b12bc8ac3f82cbd0258dd0575d41452fdf5d7696d";

TEST(AwsSignature, APresignedRequestIsReadFromItsQuery) {
  http::Request request;
  request.method = "GET";
  request.target = kPresigned;
  request.fields = {{"Host", "127.0.0.1:4566"}};
  ASSERT_EQ(signature_kind(request), SignatureKind::v4);
  const auto parsed = parse_sigv4(request);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_TRUE(parsed.value().presigned);
  EXPECT_EQ(parsed.value().valid_for, std::chrono::seconds(60));
  EXPECT_TRUE(is_signed_by(request, parsed.value(), "drover-secret"));
  EXPECT_FALSE(is_signed_by(request, parsed.value(), "drover"));
}

TEST(AwsSignature, TheDocumentedVersionTwoQueryHasTheDocumentedSignature) {
  http::Request request;
  request.method = "GET";
  request.target =
      "/?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeJobFlows&SignatureMethod=HmacSHA256&"
      "SignatureVersion"
      "=2&Timestamp=2011-10-03T15%3A19%3A30&Version=2009-03-31&Signature="
      "i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf%2FMj6vPxyYIs%3D";
  request.fields = {{"Host", "elasticmapreduce.amazonaws.com"}};
  ASSERT_EQ(signature_kind(request), SignatureKind::v2);
  const auto parsed = parse_sigv2(request);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed.value().access_key, "AKIAIOSFODNN7EXAMPLE");
  EXPECT_EQ(to_iso8601(*parsed.value().timestamp), "2011-10-03T15:19:30Z");
  EXPECT_TRUE(is_signed_by(request, parsed.value(), "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"));
  EXPECT_FALSE(is_signed_by(request, parsed.value(), kExampleSecret));
}

TEST(AwsSignature, AVersionTwoFormOfBotocoreIsRight) {
  http::Request request;
  request.method = "POST";
  request.target = "/";
  request.fields = {{"Host", "127.0.0.1:4566"}};
  request.body =
      "Action=RunInstances&UserData=a+b%2Bc%2Fd%3D%3D&AWSAccessKeyId=drover&SignatureVersion=2&"
      "SignatureMethod="
      "HmacSHA256&Timestamp=2026-11-26T16%3A00%3A48Z&Signature=REN4ACcBVUxIUaN1rAg%2FYzTNb64OmxXPeXaBbSE7PrY%"
      "3D";
  ASSERT_EQ(signature_kind(request), SignatureKind::v2);
  const auto parsed = parse_sigv2(request);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_TRUE(is_signed_by(request, parsed.value(), "drover-secret"));
  request.body += "&DryRun=true";
  EXPECT_FALSE(is_signed_by(request, parsed.value(), "drover-secret"));
}

TEST(AwsSignature, AVersionTwoSignatureMayUseSha1) {
  http::Request request;
  request.method = "GET";
  request.target =
      "/?AWSAccessKeyId=drover&SignatureMethod=HmacSHA1&SignatureVersion=2&Timestamp=2026-11-26T16:00:48Z";
  request.fields = {{"Host", "127.0.0.1"}};
  SigV2 parsed;
  parsed.method = "HmacSHA1";
  const std::string signature = expected_sigv2(request, parsed, "drover-secret");
  EXPECT_EQ(base64_decode(signature).value().size(), 20U);
  request.target += "&Signature=" + http::percent_encode(signature);
  const auto read = parse_sigv2(request);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_TRUE(is_signed_by(request, read.value(), "drover-secret"));
}

// The Authorization fields of clients as recorded in front of a real server.
TEST(AwsSignature, TheFieldsOfRealClientsAreRead) {
  struct Row {
    const char* client;
    const char* scope;
    const char* fields;
    std::size_t signed_fields;
  };
  const std::string signature(64, 'a');
  for (const Row& row :
       {Row{"awscli 2.9", "RegionOne/ec2", ", SignedHeaders=content-type;host;x-amz-date, Signature=", 3},
        Row{"boto 2.49", "0/127", ",SignedHeaders=host;x-amz-date,Signature=", 2},
        Row{"aws-sdk for Go", "RegionOne/ec2",
            ", SignedHeaders=content-length;content-type;host;x-amz-date, Signature=", 4},
        Row{"fog", "us-east-1/ec2", ", SignedHeaders=content-type;host;x-amz-date, Signature=", 3}}) {
    http::Request request = listing_of_users();
    request.fields.emplace_back("x-amz-date", "20261122T090226Z");
    request.fields.emplace_back("Authorization", std::string("AWS4-HMAC-SHA256 Credential=key/20261122/") +
                                                     row.scope + "/aws4_request" + row.fields + signature);
    const auto parsed = parse_sigv4(request);
    ASSERT_TRUE(parsed.has_value()) << row.client << ": " << parsed.error().message;
    EXPECT_EQ(parsed.value().access_key, "key") << row.client;
    EXPECT_EQ(parsed.value().region + '/' + parsed.value().service, row.scope);
    EXPECT_EQ(parsed.value().signed_fields.size(), row.signed_fields) << row.client;
  }
}

TEST(AwsSignature, WhatIsMissingOrMalformedIsRefusedByName) {
  struct Row {
    const char* authorization;
    const char* date;
    const char* complaint;
  };
  const std::string good = std::string(64, 'a');
  for (const Row& row : {
           Row{"AWS4-HMAC-SHA256", "20261122T090226Z", "lacks 'Credential'"},
           Row{"AWS4-HMAC-SHA256 Credential=k/20261122/r/ec2/aws4_request, Signature=#", "20261122T090226Z",
               "lacks 'SignedHeaders'"},
           Row{"AWS4-HMAC-SHA256 Credential=k/20261122/r/ec2/aws4_request, SignedHeaders=host",
               "20261122T090226Z", "lacks 'Signature'"},
           Row{"AWS4-HMAC-SHA256 Credential=k/20261122/r/ec2, SignedHeaders=host, Signature=#",
               "20261122T090226Z", "KEY/DATE/REGION/SERVICE"},
           Row{"AWS4-HMAC-SHA256 Credential=/20261122/r/ec2/aws4_request, SignedHeaders=host, Signature=#",
               "20261122T090226Z", "no access key"},
           Row{"AWS4-HMAC-SHA256 Credential=k/20261122/r/ec2/aws4_request, SignedHeaders=date, Signature=#",
               "20261122T090226Z", "Host"},
           Row{"AWS4-HMAC-SHA256 Credential=k/20261122/r/ec2/aws4_request, SignedHeaders=host;;, Signature=#",
               "20261122T090226Z", "empty name"},
           Row{"AWS4-HMAC-SHA256 Credential=k/20261122/r/ec2/aws4_request, SignedHeaders=host, Signature=12",
               "20261122T090226Z", "64 hexadecimal"},
           Row{"AWS4-HMAC-SHA256 Credential=k/20261122/r/ec2/aws4_request, SignedHeaders=host, Signature=#",
               "", "no X-Amz-Date"},
           Row{"AWS4-HMAC-SHA256 Credential=k/20261122/r/ec2/aws4_request, SignedHeaders=host, Signature=#",
               "20261122", "not of the form"},
           Row{"AWS4-HMAC-SHA256 Credential=k/20261121/r/ec2/aws4_request, SignedHeaders=host, Signature=#",
               "20261122T090226Z", "scope"},
       }) {
    http::Request request = listing_of_users();
    std::string authorization = row.authorization;
    if (authorization.ends_with('#')) authorization.replace(authorization.size() - 1, 1, good);
    request.fields.emplace_back("Authorization", authorization);
    if (*row.date != '\0') request.fields.emplace_back("X-Amz-Date", row.date);
    const auto parsed = parse_sigv4(request);
    ASSERT_TRUE(parsed.has_error()) << row.authorization;
    EXPECT_NE(parsed.error().message.find(row.complaint), std::string::npos) << parsed.error().message;
    EXPECT_EQ(parsed.error().message.find(good), std::string::npos);
  }
  http::Request unsigned_request = listing_of_users();
  EXPECT_EQ(signature_kind(unsigned_request), SignatureKind::none);
  EXPECT_TRUE(parse_sigv2(unsigned_request).has_error());
}

TEST(AwsSignature, TimesAreReadAndWritten) {
  const auto at = parse_amz_date("20261126T160048Z");
  ASSERT_TRUE(at.has_value());
  EXPECT_EQ(at->time_since_epoch(), std::chrono::seconds(1795708848));
  EXPECT_EQ(to_amz_date(*at), "20261126T160048Z");
  EXPECT_EQ(to_iso8601(*at), "2026-11-26T16:00:48Z");
  EXPECT_EQ(parse_iso8601("2026-11-26T16:00:48"), at);
  EXPECT_EQ(parse_iso8601("2026-11-26T16:00:48.250Z"), *at + std::chrono::milliseconds(250));
  EXPECT_EQ(parse_iso8601("2028-02-29T00:00:00Z").has_value(), true);
  EXPECT_EQ(to_amz_date(kEpoch - std::chrono::minutes(14)), "19691231T234600Z");
  EXPECT_EQ(parse_amz_date("19691231T234600Z"), kEpoch - std::chrono::minutes(14));
  for (const char* wrong :
       {"", "20261126T160048", "20261126T160048ZZ", "20260230T000000Z", "2026112xT160048Z",
        "20261126T240000Z", "18991231T235959Z", "99991231T235959Z", "+0261126T160048Z"})
    EXPECT_FALSE(parse_amz_date(wrong).has_value()) << wrong;
  for (const char* wrong : {"2026-11-26", "2026-11-26T16:00:48+01:00", "2026-11-26 16:00:48Z",
                            "2026-11-26T16:00:48.Z", "2027-02-29T00:00:00Z"})
    EXPECT_FALSE(parse_iso8601(wrong).has_value()) << wrong;
}

TEST(Digest, TheTextsOfTheStandardsComeOut) {
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(to_hex(hmac_sha256("key", "The quick brown fox jumps over the lazy dog")),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
  EXPECT_EQ(to_hex(hmac_sha1("key", "The quick brown fox jumps over the lazy dog")),
            "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9");
  for (const auto& [plain, encoded] : {std::pair{"", ""},
                                       {"f", "Zg=="},
                                       {"fo", "Zm8="},
                                       {"foo", "Zm9v"},
                                       {"foob", "Zm9vYg=="},
                                       {"fooba", "Zm9vYmE="},
                                       {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(base64_encode(plain), encoded);
    EXPECT_EQ(base64_decode(encoded), plain);
  }
  EXPECT_EQ(base64_decode("Zm9v\nYmE"), "fooba");
  for (const char* wrong : {"Z", "Zg=", "Zg===", "Z=g=", "Zm9v*", "Zg==Zg=="})
    EXPECT_FALSE(base64_decode(wrong).has_value()) << wrong;
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
}

}  // namespace
}  // namespace drover::aws
