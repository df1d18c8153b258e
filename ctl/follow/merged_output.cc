#include "ctl/follow/merged_output.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();

// One stream, read ahead in pieces as large as the daemon gives them.
class Reader {
 public:
  Reader(const Client& client, std::string target, const ByteSink& sink)
      : client_(client), target_(std::move(target)), sink_(sink) {}

  // As of the latest piece.
  std::int64_t dropped_bytes() const { return piece_.dropped_bytes; }

  // Passes the stream's output before `end`.
  void pass_until(std::int64_t end) {
    while (offset_ < end) {
      if (taken_ == piece_.bytes.size() && !fetch()) return;
      // A marker stands for dropped bytes; it has no offsets of its own.
      const bool has_gap =
          piece_.next_offset - begin_ != static_cast<std::int64_t>(piece_.bytes.size());
      const std::size_t left = piece_.bytes.size() - taken_;
      const std::size_t wanted = has_gap ? left
                                         : static_cast<std::size_t>(std::min<std::int64_t>(
                                               end - offset_, static_cast<std::int64_t>(left)));
      sink_(std::string_view(piece_.bytes).substr(taken_, wanted));
      taken_ += wanted;
      offset_ = has_gap ? piece_.next_offset : offset_ + static_cast<std::int64_t>(wanted);
    }
  }

 private:
  // Returns false if there is no more right now.
  bool fetch() {
    begin_ = offset_;
    taken_ = 0;
    piece_ = fetch_piece(client_, target_, offset_);
    return !piece_.bytes.empty() && piece_.next_offset > offset_;
  }

  const Client& client_;
  const std::string target_;
  const ByteSink& sink_;
  OutputTail piece_;
  std::size_t taken_ = 0;    // within the piece
  std::int64_t begin_ = 0;   // offset of the piece in the stream
  std::int64_t offset_ = 0;  // next offset to pass on
};

struct Part {
  bool is_err = false;
  std::int64_t begin = 0;
  std::int64_t end = kEnd;
};

// "stdout 17".
bool parse_part(std::string_view line, Part& part) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return false;
  const auto begin = parse_int(line.substr(blank + 1));
  part.is_err = line.substr(0, blank) == "stderr";
  part.begin = begin.value_or(-1);
  return part.begin >= 0;
}

std::vector<Part> fetch_parts(const Client& client, const std::string& target) {
  std::string text;
  try {
    HttpRequest request;
    request.target = target;
    const Exchange exchange =
        client.ask(request, [&](std::string_view piece) { text.append(piece); });
  } catch (const Refused& refused) {
    if (refused.problem.code != "bad_query") throw;  // an older daemon without this stream
    return {};
  }
  std::vector<Part> parts;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    Part part;
    if (parse_part(rest.substr(0, end), part)) parts.push_back(part);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  // Each part reaches to the next one of its stream.
  std::int64_t next[2] = {kEnd, kEnd};
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    part->end = next[part->is_err ? 1 : 0];
    next[part->is_err ? 1 : 0] = part->begin;
  }
  return parts;
}

}  // namespace

Dropped fetch_merged(const Client& client, TaskId task, int attempt, const ByteSink& out,
                     const ByteSink& err) {
  const std::vector<Part> parts = fetch_parts(client, logs_target(task, "order", attempt));
  Reader readers[2] = {Reader(client, logs_target(task, "stdout", attempt), out),
                       Reader(client, logs_target(task, "stderr", attempt), err)};
  // The last part of a stream may still grow; everything known to come before it is passed on
  // first.
  for (const Part& part : parts) {
    if (part.end != kEnd) readers[part.is_err ? 1 : 0].pass_until(part.end);
  }
  const bool err_first = parts.size() > 1 && parts[parts.size() - 2].is_err;
  for (const int i : {err_first ? 1 : 0, err_first ? 0 : 1}) readers[i].pass_until(kEnd);
  return {readers[0].dropped_bytes(), readers[1].dropped_bytes()};
}

}  // namespace taskd::ctl
