#include "ctl/view/queue_view.h"

#include <nlohmann/json.hpp>

#include "ctl/base/failure.h"
#include "ctl/base/users.h"
#include "ctl/options/default_options.h"
#include "ctl/options/when.h"
#include "ctl/view/lines.h"
#include "ctl/view/outcome.h"
#include "ctl/view/table.h"
#include "daemon/base/text.h"
#include "wire/wire.h"

namespace taskd::ctl {
namespace {

// "12 queued, 2 held", or "none".
std::string counts_text(const QueueInfo& queue, std::initializer_list<State> states) {
  std::string out;
  for (const State state : states) {
    if (queue.count(state) == 0) continue;
    if (!out.empty()) out += ", ";
    out += std::to_string(queue.count(state)) + " " + std::string(to_string(state));
  }
  return out.empty() ? "none" : out;
}

std::string state_cell(const QueueInfo& queue) {
  std::string out = queue.draining ? "draining" : "";
  if (!queue.paused) return out;
  if (!out.empty()) out += ", ";
  out += "paused";
  if (!queue.paused->reason.empty()) out += ": " + escape_for_humans(queue.paused->reason);
  return out;
}

void add_state(Lines& lines, const Painter& paint, const QueueInfo& queue, WallTime now) {
  if (!queue.paused && !queue.draining) lines.add("state", "open");
  if (queue.paused) {
    std::string text = paint(Color::yellow, "paused") + " for " +
                       format_span(now - queue.paused->at) + " by " +
                       describe_user(queue.paused->uid);
    if (!queue.paused->reason.empty()) text += ": " + escape_for_humans(queue.paused->reason);
    lines.add("state", text);
  }
  if (queue.draining)
    lines.add("state", paint(Color::yellow, "draining") + ": it takes no new tasks");
}

}  // namespace

QueueInfo read_queue(const nlohmann::json& json) {
  try {
    return queue_from_json(json);
  } catch (const std::exception& e) {
    throw Failure(kExitBadAnswer, std::string("the daemon's queue is not one this version can "
                                              "read: ") +
                                      escape_for_humans(e.what()));
  }
}

void print_queues(Context& context, const Painter& paint, const std::vector<QueueInfo>& queues) {
  Table table({{"QUEUE", false, true},
               {"RUNNING", true, false},
               {"QUEUED", true, false},
               {"OTHERS", true, false, 1},
               {"RATE", true, false, 2},
               {"WEIGHT", true, false, 3},
               {"STATE", false, true}});
  for (const QueueInfo& queue : queues) {
    const QueueSettings& settings = queue.settings;
    const std::int64_t running = queue.count(State::running);
    const std::int64_t others =
        queue.count(State::scheduled) + queue.count(State::blocked) + queue.count(State::held);
    std::string limited = std::to_string(running);
    if (settings.concurrency) limited += "/" + std::to_string(*settings.concurrency);
    table.add({{escape_for_humans(settings.name)},
               {limited, running > 0 ? color_of(State::running) : Color::none},
               {std::to_string(queue.count(State::queued))},
               {std::to_string(others)},
               {settings.rate ? format_rate(*settings.rate) : "-"},
               {std::to_string(settings.weight)},
               {state_cell(queue), Color::yellow}});
  }
  const int width = terminal_columns(context.out.fd(), context.env.get("COLUMNS"));
  context.out.write(table.render(static_cast<std::size_t>(width), paint));
}

void print_queue(Context& context, const Painter& paint, const QueueInfo& queue) {
  const QueueSettings& settings = queue.settings;
  Lines lines(context.out, paint);
  context.out.line(paint(Color::bold, "Queue " + escape_for_humans(settings.name)));
  add_state(lines, paint, queue, context.clock.wall_now());
  std::string running = std::to_string(queue.count(State::running));
  if (settings.concurrency)
    running += " of at most " + std::to_string(*settings.concurrency);
  else
    running += ", as many as there are workers";
  lines.add("running", running);
  std::string waiting =
      counts_text(queue, {State::queued, State::scheduled, State::blocked, State::held});
  lines.add("waiting", waiting + "; it takes " + std::to_string(settings.capacity));
  lines.add("ended", counts_text(queue, {State::succeeded, State::failed, State::cancelled}));
  lines.add("starts", settings.rate ? "at most " + format_rate(*settings.rate)
                                    : std::string("as fast as workers become free"));
  lines.add("weight", std::to_string(settings.weight));
  for (const Notify& notify : settings.notify)
    lines.add("notify", escape_for_humans(format_notify(notify)));
  const std::string defaults = describe_defaults(nlohmann::json::parse(settings.defaults));
  if (!defaults.empty()) lines.add("defaults", escape_for_humans(defaults));
}

}  // namespace taskd::ctl
