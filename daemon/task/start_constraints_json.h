// JSON <-> StartConstraints: members of a task's object, beside those of spec_json.h. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/base/ascii.h"
#include "daemon/task/start_constraints.h"

namespace taskd {

class FieldReader;
class JsonWriter;

inline constexpr std::size_t kMaxKeyNameBytes = 200;
inline constexpr int kMaxSlots = 1024;
inline constexpr int kMaxKeyLimit = kMaxSlots;
inline constexpr std::size_t kMaxResources = 32;
inline constexpr std::size_t kMaxDependencies = 10'000;

// A letter or digit, then up to 31 of letters, digits, '_' and '-'.
bool is_valid_resource_name(std::string_view name);

// Readers of what somebody sent; see field_reader.h.
void read_rate_limit(FieldReader&, const nlohmann::json& value, const std::string& at, RateLimit&);
void read_key(FieldReader&, const nlohmann::json& value, const std::string& at, StartConstraints&);
void read_slots(FieldReader&, const nlohmann::json& value, const std::string& at, StartConstraints&);
void read_resources(FieldReader&, const nlohmann::json& value, const std::string& at, StartConstraints&);
void read_unique(FieldReader&, const nlohmann::json& value, const std::string& at, StartConstraints&);
void read_depends_on(FieldReader&, const nlohmann::json& value, const std::string& at, StartConstraints&);
void read_on_dependency_failed(FieldReader&, const nlohmann::json& value, const std::string& at,
                               StartConstraints&);

nlohmann::json rate_to_json(const std::optional<RateLimit>& rate);  // null without one
// What rate_to_json() wrote. Throws nlohmann::json::exception for anything else.
RateLimit rate_from_json(const nlohmann::json& value);

// Writes its members into an object that is open: with `all`, also what is as it is by default, and
// the dependencies.
void write_flow(JsonWriter& writer, const StartConstraints& constraints, bool all);
nlohmann::json dependencies_to_json(const std::vector<Dependency>& dependencies);
// Reads one member that write_flow() wrote; null is no value. False: it is none of them. Throws
// std::runtime_error for one that it never wrote.
bool constraint_from_json(const std::string& key, const nlohmann::json& value, StartConstraints& constraints);

}  // namespace taskd
