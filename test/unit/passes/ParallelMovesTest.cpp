// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Orders of assignments that happen at once: small ones by hand, random ones
// against the assignment itself.
#include "passes/Analysis/ParallelMoves.h"

#include <gtest/gtest.h>
#include <random>

using namespace hone;

namespace {

using Moves = std::vector<ParallelMove>;
using Steps = std::vector<MoveStep>;

MoveStep move(unsigned number) { return {false, number}; }
MoveStep save(unsigned number) { return {true, number}; }

Steps order(const Moves &moves) {
  auto steps = orderParallelMoves(moves);
  return Steps(steps.begin(), steps.end());
}

TEST(ParallelMoves, IndependentMovesKeepTheirOrder) {
  EXPECT_EQ(order({}), Steps());
  EXPECT_EQ(order({{0, {}}, {1, {}}, {2, {5}}}),
            Steps({move(0), move(1), move(2)}));
  EXPECT_EQ(order({{0, {0}}, {1, {1}}}), Steps({move(0), move(1)}));
}

TEST(ParallelMoves, ReadersGoFirst) {
  // a = f, b = a, c = b
  EXPECT_EQ(order({{0, {}}, {1, {0}}, {2, {1}}}),
            Steps({move(2), move(1), move(0)}));
  // b = a, c = a, a = f
  EXPECT_EQ(order({{0, {}}, {1, {0}}, {2, {0}}}),
            Steps({move(1), move(2), move(0)}));
}

TEST(ParallelMoves, OneValueIsSavedForACircle) {
  EXPECT_EQ(order({{0, {1}}, {1, {0}}}), Steps({save(1), move(0), move(1)}));
  EXPECT_EQ(order({{0, {1}}, {1, {2}}, {2, {0}}}),
            Steps({save(2), move(0), move(1), move(2)}));
}

using Places = std::vector<uint64_t>;

/// A function of the move's number and of all that it reads.
uint64_t newValue(const Moves &moves, unsigned number, const Places &places) {
  uint64_t result = number + 1000;
  for (unsigned place : moves[number].reads)
    result = result * 1000003 + places[place];
  return result;
}

/// The places after the steps.
Places run(const Moves &moves, const Steps &steps, Places places) {
  Places saved(moves.size());
  std::vector<int> state(moves.size());
  for (MoveStep step : steps) {
    if (step.saves) {
      EXPECT_EQ(state[step.move]++, 0);
      saved[step.move] = newValue(moves, step.move, places);
      continue;
    }
    bool wasSaved = state[step.move] == 1;
    EXPECT_LE(state[step.move], 1);
    state[step.move] = 2;
    places[moves[step.move].target] =
        wasSaved ? saved[step.move] : newValue(moves, step.move, places);
  }
  for (int each : state)
    EXPECT_EQ(each, 2);
  return places;
}

TEST(ParallelMoves, RandomOnesAreAsIfAtOnce) {
  std::mt19937 random(0);
  for (int round = 0; round < 20000; ++round) {
    unsigned count = random() % 7;
    std::vector<unsigned> targets{0, 1, 2, 3, 4, 5, 6, 7};
    std::shuffle(targets.begin(), targets.end(), random);
    Moves moves(count);
    Places places(8), wanted;
    for (unsigned i = 0; i < 8; ++i)
      places[i] = i + 1;
    for (unsigned i = 0; i < count; ++i) {
      moves[i].target = targets[i];
      for (unsigned reads = random() % 4; reads > 0; --reads)
        moves[i].reads.push_back(random() % 8);
    }
    wanted = places;
    for (unsigned i = 0; i < count; ++i)
      wanted[moves[i].target] = newValue(moves, i, places);
    ASSERT_EQ(run(moves, order(moves), places), wanted);
  }
}

TEST(ParallelMoves, ManyMovesTakeNoLong) {
  Moves moves(200000);
  for (unsigned i = 0; i < moves.size(); ++i)
    moves[i] = {i, {unsigned((i + 1) % moves.size())}};
  EXPECT_EQ(order(moves).size(), moves.size() + 1);
}

} // namespace
