// Job reports, and reading them. A job authenticates with its attempt's token, whatever user it
// runs as.
#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/body.h"
#include "daemon/api/request/names.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/digest.h"
#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxTokenBytes = 64;

struct Report {
  AttemptKey attempt;
  Progress progress;
  std::optional<json> result;
};

void read_attempt(FieldReader& reader, const json& value, const std::string& at, Report& report) {
  reader.integer(value, at, 1, std::numeric_limits<int>::max(), report.attempt.attempt);
}

void read_token(FieldReader& reader, const json& value, const std::string& at, Report& report) {
  const auto* text = reader.c_string(value, at, kMaxTokenBytes);
  if (text != nullptr) report.attempt.token = token_of(*text);
}

void read_message(FieldReader& reader, const json& value, const std::string& at, Report& report) {
  const auto* text = reader.string(value, at);
  if (text != nullptr && reader.plain(*text, at, kMaxMessageBytes)) report.progress.message = *text;
}

constexpr JsonField<Report> kProgressFields[] = {
    {"attempt", read_attempt},
    {"token", read_token},
    {"percent",
     [](FieldReader& reader, const json& value, const std::string& at, Report& report) {
       reader.integer(value, at, 0, 100, report.progress.percent.emplace());
     }},
    {"message", read_message},
};
constexpr JsonField<Report> kResultFields[] = {
    {"attempt", read_attempt},
    {"token", read_token},
    {"result", [](FieldReader&, const json& value, const std::string&,
                  Report& report) { report.result = value; }},
};

template <std::size_t N>
Report read_report(const Call& call, const JsonField<Report> (&fields)[N]) {
  call.query.finish();
  const json body = parse_body(call.body);
  Report report;
  FieldReader reader;
  read_fields(reader, body, "#", fields, report);
  for (const char* needed : {"attempt", "token"}) {
    if (!body.contains(needed)) reader.complain(std::string("#/") + needed, "is needed");
  }
  if (!reader.ok()) invalid_fields("invalid_request", reader.take_errors());
  report.attempt.task = parse_task_id(call.parameter);
  return report;
}

// The same answer for existing and missing tasks: without a token nobody learns anything.
[[noreturn]] void stale(const AttemptKey& attempt) {
  throw ProblemError(409, "stale_attempt",
                     "attempt " + std::to_string(attempt.attempt) + " of task " +
                         std::to_string(attempt.task) + " is not running, or the token is wrong");
}

}  // namespace

Reply report_progress(const ApiContext& context, const Call& call) {
  const Report report = read_report(call, kProgressFields);
  if (!context.progress.report(report.attempt, report.progress)) stale(report.attempt);
  return json_reply(202, {{"id", report.attempt.task}});
}

Reply report_result(const ApiContext& context, const Call& call) {
  const Report report = read_report(call, kResultFields);
  if (!report.result) invalid_request("#/result", "is needed");
  const std::string text = report.result->dump();
  if (text.size() > kMaxResultBytes) {
    invalid_request("#/result", "must have at most " + std::to_string(kMaxResultBytes) +
                                    " bytes as compact JSON");
  }
  if (!context.store.set_result(report.attempt, text)) stale(report.attempt);
  return json_reply(200, {{"id", report.attempt.task}});
}

Reply show_result(const ApiContext& context, const Call& call) {
  call.query.finish();
  const Task task = task_of(context, call);
  const auto result = context.store.result(task.id);
  if (!result) {
    throw ProblemError(404, "no_result", "task " + std::to_string(task.id) + " has no result");
  }
  return json_reply(200, {{"id", task.id},
                          {"attempt", result->attempt},
                          {"at", format_rfc3339(result->at)},
                          {"result", json::parse(result->json)}});
}

}  // namespace taskd
