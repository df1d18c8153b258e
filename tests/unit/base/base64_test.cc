#include "daemon/base/base64.h"

#include <doctest/doctest.h>

using namespace taskd;

TEST_CASE("base64 is written as in the test vectors of RFC 4648, and read back") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    CHECK(to_base64(bytes) == text);
    CHECK(from_base64(text) == bytes);
  }
}

TEST_CASE("base64 carries every byte at every place of a group") {
  for (int first = 0; first < 256; ++first) {
    for (std::size_t size = 1; size <= 4; ++size) {
      std::string bytes(size, static_cast<char>(first));
      bytes.back() = static_cast<char>(255 - first);
      REQUIRE(from_base64(to_base64(bytes)) == bytes);
    }
  }
}

TEST_CASE("what base64 never writes is refused") {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Zh==", "Zm9=", "Zm 9", "Zm9v\n",
                           "Zm-_", "Z=g=", "\xff\xff\xff\xff"}) {
    CAPTURE(text);
    CHECK_FALSE(from_base64(text).has_value());
  }
}
