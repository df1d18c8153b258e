#include "ctl/options/payload.h"

#include <nlohmann/json.hpp>

#include "ctl/base/failure.h"
#include "ctl/options/flag_values.h"
#include "ctl/options/text_input.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"

namespace taskd::ctl {
namespace {

// With white space, a payload may be larger than its compact form.
constexpr std::size_t kMaxPayloadTextBytes = 4 * kMaxPayloadBytes;

[[noreturn]] void refuse(const std::string& what) {
  throw UsageError(kExitBadData, "--payload " + what);
}

}  // namespace

nlohmann::json read_payload(const std::string& option) {
  std::string text = option;
  if (option == "-" || option.starts_with('@')) {
    const std::string path = option == "-" ? option : option.substr(1);
    text =
        read_text(path, kMaxPayloadTextBytes,
                  option == "-" ? "standard input (--payload -)" : "--payload @" + in_quotes(path));
  }
  auto parsed = parse_strict_value(text);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    const bool looks_plain = option != "-" && !option.starts_with('@');
    refuse("is not JSON: at byte " + std::to_string(error->offset_bytes) + ": " + error->detail +
           (looks_plain ? "; put text in double quotes, or name a file with @FILE" : ""));
  }
  return std::get<nlohmann::json>(std::move(parsed));
}

}  // namespace taskd::ctl
