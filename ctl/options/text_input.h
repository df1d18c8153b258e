// How taskctl reads text that people write: files of tasks, payloads, workflows, edited documents.
// One rule for all of it: a byte order mark at the beginning is no part of the text, and where
// lines matter (line_source.h) they end in LF or CR LF. JSON and TOML take either by themselves.
#pragma once

#include <string>
#include <string_view>

namespace taskd::ctl {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// `text` without the mark.
std::string_view without_mark(std::string_view text);

// All of a file, or of standard input for "-", without the mark. `what` names it in messages.
// Throws UsageError: 65 when it cannot be read or has more than `max_bytes`, 75 for a shortage.
std::string read_text(const std::string& path, std::size_t max_bytes, const std::string& what);

// All bytes of this process's standard input as they are. Throws like read_text().
std::string read_stdin_bytes(std::size_t max_bytes, const std::string& what);

}  // namespace taskd::ctl
