// Reads text that people write: files of tasks, payloads, workflows, edited documents. A byte order
// mark at the start is ignored; where lines matter (line_source.h), they end in LF or CR LF.
#pragma once

#include <string>
#include <string_view>

namespace taskd::ctl {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// `text` without the byte order mark.
std::string_view without_mark(std::string_view text);

// All of a file, or of stdin for "-", without the mark. `what` names it in errors. Throws
// UsageError: 65 if it is unreadable or larger than `max_bytes`, 75 for a shortage.
std::string read_text(const std::string& path, std::size_t max_bytes, const std::string& what);

// All bytes of stdin, unchanged. Throws like read_text().
std::string read_stdin_bytes(std::size_t max_bytes, const std::string& what);

}  // namespace taskd::ctl
