#include "daemon/limits/fair_share.h"

#include <doctest/doctest.h>

#include <vector>

namespace taskd {
namespace {

struct Line {
  int weight;
  bool wants = true;
  std::int64_t pass = 0;
  int turns = 0;
};

void play(FairShare& share, std::vector<Line>& lines, int turns) {
  for (int i = 0; i < turns; ++i) {
    Line* next = nullptr;
    for (Line& line : lines) {
      if (!line.wants) continue;
      if (next == nullptr || share.standing(line.pass) < share.standing(next->pass)) next = &line;
    }
    next->pass = share.take(next->pass, next->weight);
    ++next->turns;
  }
}

TEST_CASE("turns come in proportion to the weights") {
  FairShare share;
  std::vector<Line> lines = {{1}, {3}, {6}};
  play(share, lines, 1000);
  CHECK(lines[0].turns == doctest::Approx(100).epsilon(0.02));
  CHECK(lines[1].turns == doctest::Approx(300).epsilon(0.02));
  CHECK(lines[2].turns == doctest::Approx(600).epsilon(0.02));
}

TEST_CASE("who was quiet gets its share from now on and nothing for the past") {
  FairShare share;
  std::vector<Line> lines = {{1}, {1, false}};
  play(share, lines, 500);
  CHECK(lines[0].turns == 500);
  lines[1].wants = true;
  play(share, lines, 100);
  CHECK(lines[0].turns == doctest::Approx(550).epsilon(0.01));
  CHECK(lines[1].turns == doctest::Approx(50).epsilon(0.03));
}

}  // namespace
}  // namespace taskd
