#include "daemon/process/shim/output_order.h"

namespace taskd::shim {

void OutputOrder::note(char stream, std::int64_t offset) {
  if (stream == last_) return;
  const char before = last_;
  last_ = stream;
  if (before == 0) return;  // perhaps the only one
  if (!has_records_) record(before, 0);
  has_records_ = true;
  record(stream, offset);
}

void OutputOrder::record(char stream, std::int64_t offset) {
  char text[kOrderRecordBytes];
  text[0] = stream;
  auto rest = static_cast<std::uint64_t>(offset);
  for (std::size_t i = sizeof text - 2; i > 0; --i, rest >>= 4)
    text[i] = "0123456789abcdef"[rest & 15];
  text[sizeof text - 1] = '\n';
  file_.append(text, sizeof text);
}

}  // namespace taskd::shim
