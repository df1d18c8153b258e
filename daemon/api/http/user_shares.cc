#include "daemon/api/http/user_shares.h"

#include <algorithm>
#include <stdexcept>

namespace taskd {

UserShares::Verdict UserShares::take(const Actor& actor, Holding resource, std::int64_t amount,
                                     std::int64_t already) {
  if (amount == 0) return Verdict::granted;
  const std::size_t i = index_of(resource);
  const ShareLimit& limit = limits_[i];
  const std::int64_t has = held_by(actor.uid, resource);
  if (!actor.admin && has > already && has + amount > limit.share) return Verdict::over_share;
  const std::int64_t room = limit.total - (actor.admin ? 0 : limit.reserve);
  if (held_[i] + amount > room) return Verdict::used_up;
  accounts_[actor.uid][i] += amount;
  held_[i] += amount;
  return Verdict::granted;
}

void UserShares::give_back(std::uint32_t uid, Holding resource, std::int64_t amount) {
  if (amount == 0) return;
  const std::size_t i = index_of(resource);
  const auto account = accounts_.find(uid);
  if (account == accounts_.end() || account->second[i] < amount) {
    throw std::logic_error("a user gives back more than he holds");
  }
  account->second[i] -= amount;
  held_[i] -= amount;
  const bool is_empty = std::all_of(account->second.begin(), account->second.end(),
                                    [](std::int64_t held) { return held == 0; });
  if (is_empty) accounts_.erase(account);
}

bool UserShares::fits(const Actor& actor, Holding resource, std::int64_t amount) const {
  const ShareLimit& limit = limits_[index_of(resource)];
  return amount <= limit.total - (actor.admin ? 0 : limit.reserve);
}

std::int64_t UserShares::held_by(std::uint32_t uid, Holding resource) const {
  const auto account = accounts_.find(uid);
  return account == accounts_.end() ? 0 : account->second[index_of(resource)];
}

std::optional<std::uint32_t> UserShares::largest_holder(Holding resource) const {
  const std::size_t i = index_of(resource);
  const auto largest =
      std::max_element(accounts_.begin(), accounts_.end(),
                       [&](const auto& a, const auto& b) { return a.second[i] < b.second[i]; });
  if (largest == accounts_.end() || largest->second[i] == 0) return std::nullopt;
  return largest->first;
}

}  // namespace taskd
