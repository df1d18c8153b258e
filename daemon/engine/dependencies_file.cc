#include "daemon/engine/dependencies_file.h"

#include <nlohmann/json.hpp>

namespace taskd {
namespace {

using Write = std::function<void(std::string_view)>;

void write_one(const Write& write, TaskId id, const DependencyEnd& end) {
  nlohmann::json about = {{"id", id}, {"state", to_string(end.state)}};
  if (!end.step.empty()) about["step"] = end.step;
  std::string text = about.dump();
  text.pop_back();
  // As it was stored; it need not be taken apart.
  write(text + ",\"result\":" + end.result.value_or("null") + "}");
}

void write_array(const Write& write, const ArrayInfo& array) {
  write(nlohmann::json{
      {"array", array.id}, {"count", array.count}, {"succeeded", array.succeeded}}
            .dump());
}

}  // namespace

JobFile dependencies_file(TaskStore& store, const Claim& claim) {
  return {kDependenciesFile, "TASKD_DEPENDENCIES_FILE", [&](const Write& write) {
            std::string_view before = "[";
            for (const Dependency& dependency : store.dependencies(claim.task)) {
              if (dependency.whole_array) {
                const auto array = store.array({.uid = 0, .admin = true}, dependency.task);
                if (!array) continue;
                write(before);
                write_array(write, *array);
              } else {
                const auto end = store.dependency_end(claim.task, dependency.task);
                if (!end) continue;
                write(before);
                write_one(write, dependency.task, *end);
              }
              before = ",\n";
            }
            write(before == "[" ? "[]\n" : "]\n");
          }};
}

}  // namespace taskd
