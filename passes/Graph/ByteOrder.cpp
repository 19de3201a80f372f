// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An order of weights of bytes in which sums of two products, with unsigned
// bytes, fit in 16 bits: the rows of a block are matched, so that the sum of
// two weights is within 128 in each column. 255 * 128 is less than 2^15.
#include "passes/Graph/ByteOrder.h"
#include "mlir/IR/Threading.h"
#include <atomic>

using namespace mlir;
using namespace hone;

using Row = OrderedHalf::Row;
static constexpr int64_t kBlock = graph::PackedAttr::kOrderedBlock;
static constexpr int kMostOfPair = 128;
/// Steps of a column for each correction that pays off; few pay off for any.
static constexpr int64_t kStepsPerCorrection = 6, kFewCorrections = 2;
/// Partial matchings that are tried for a block.
static constexpr int64_t kMaxTrials = 256;

static bool fits(int a, int b) { return std::abs(a + b) <= kMostOfPair; }

static bool fits(const Row &a, const Row &b) {
  for (auto [x, y] : llvm::zip(a, b))
    if (!fits(x, y))
      return false;
  return true;
}

namespace {
/// Matches the rows of a block, as many as possible in few trials.
class Matching {
public:
  explicit Matching(ArrayRef<Row> rows) {
    for (int64_t i = 0; i < kBlock; ++i)
      for (int64_t j = 0; j < i; ++j)
        if (fits(rows[i], rows[j])) {
          partners[i] |= 1u << j;
          partners[j] |= 1u << i;
        }
    extend(0);
  }

  /// All rows, those that were matched first, two by two.
  std::array<uint8_t, kBlock> order() const {
    std::array<uint8_t, kBlock> all;
    llvm::copy(best, all.begin());
    size_t next = best.size();
    for (uint8_t row = 0; row < kBlock; ++row)
      if (!llvm::is_contained(best, row))
        all[next++] = row;
    return all;
  }

private:
  /// Matches the rows that are not among `taken`; true: all of them are.
  bool extend(uint32_t taken) {
    if (current.size() > best.size())
      best = current;
    if (best.size() == kBlock)
      return true;
    if (++trials > kMaxTrials)
      return false;
    // The row that has the fewest partners left, if any.
    int64_t row = -1;
    int fewest = kBlock;
    for (int64_t i = 0; i < kBlock; ++i) {
      int count = llvm::popcount(partners[i] & ~taken);
      if (!(taken >> i & 1) && count > 0 && count < fewest) {
        row = i;
        fewest = count;
      }
    }
    if (row < 0)
      return false;
    for (uint32_t left = partners[row] & ~taken; left; left &= left - 1) {
      int64_t partner = llvm::countr_zero(left);
      current.append({uint8_t(row), uint8_t(partner)});
      if (extend(taken | 1u << row | 1u << partner))
        return true;
      current.pop_back_n(2);
    }
    return false;
  }

  std::array<uint32_t, kBlock> partners = {};
  SmallVector<uint8_t, kBlock> current, best;
  int64_t trials = 0;
};
} // namespace

/// What element `row` of a column lacks is one more element of its four, where
/// that leaves their pairs small.
static void addCorrection(OrderedHalf &half, int64_t row, const Row &lacks) {
  int64_t first = row / 4 * 4, place = row % 4;
  for (OrderedHalf::Correction &other : half.corrections)
    if (other.first == first && fits(other.rows[place ^ 1], lacks)) {
      other.rows[place] = lacks;
      return;
    }
  half.corrections.push_back({first, {}});
  half.corrections.back().rows[place] = lacks;
}

static OrderedHalf orderHalf(const ByteMatrix &matrix, int64_t firstColumn,
                             size_t most) {
  OrderedHalf half;
  half.rows.reserve(matrix.rows());
  half.places.reserve(matrix.rows());
  for (int64_t first = 0; first < matrix.rows(); first += kBlock) {
    std::array<Row, kBlock> rows;
    for (int64_t i = 0; i < kBlock; ++i)
      for (int64_t c = 0; c < OrderedHalf::columns; ++c)
        rows[i][c] = matrix.at(first + i, firstColumn + c);
    std::array<uint8_t, kBlock> order = Matching(rows).order();
    for (int64_t i = 0; i < kBlock; i += 2) {
      Row &a = rows[order[i]], &b = rows[order[i + 1]];
      Row lacks = {};
      for (int64_t c = 0; c < OrderedHalf::columns; ++c) {
        if (fits(a[c], b[c]))
          continue;
        int sum = a[c] < 0 ? -kMostOfPair : kMostOfPair;
        lacks[c] = a[c] + b[c] - sum;
        a[c] = sum - b[c];
      }
      if (lacks != Row{})
        addCorrection(half, first + order[i], lacks);
      half.rows.insert(half.rows.end(), {a, b});
      half.places.insert(half.places.end(), {order[i], order[i + 1]});
    }
    if (half.corrections.size() > most)
      break;
  }
  return half;
}

std::optional<std::vector<OrderedHalf>>
hone::orderBytes(MLIRContext *context, const ByteMatrix &matrix) {
  int64_t panels = llvm::divideCeil(matrix.columns, graph::kPanelWidth);
  std::vector<OrderedHalf> halves(panels * graph::kPanelWidth /
                                  OrderedHalf::columns);
  size_t most =
      std::max(matrix.rows() / 4 / kStepsPerCorrection, kFewCorrections);
  std::atomic<bool> tooMany = false;
  parallelFor(context, 0, halves.size(), [&](size_t i) {
    if (tooMany)
      return;
    halves[i] = orderHalf(matrix, i * OrderedHalf::columns, most);
    if (halves[i].corrections.size() > most)
      tooMany = true;
  });
  if (tooMany)
    return std::nullopt;
  return halves;
}
