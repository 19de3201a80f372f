// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The arena planner: places buffers one by one, each in the lowest gap that is
// free for its whole lifetime. The order determines the result, so a greedy
// order is improved by a bounded search that moves the buffers at the top of
// the arena forward.
#include "runtime/core/Plan.h"

using namespace hone::plan;

namespace {

/// Larger sizes are refused, so that no sum can overflow.
constexpr int64_t maxBytes = int64_t(1) << 46;

struct Event {
  int64_t bytes; ///< negative: a death
  int32_t step;
};

struct Placed {
  int64_t begin, end;
  int32_t first, last;
};

/// All tables of a search, allocated in the caller's scratch memory.
struct Tables {
  int64_t *sizes; ///< rounded up to the alignment
  int64_t *offsets;
  Placed *placed; ///< sorted by begin
  Event *events;
  int32_t *order, *candidate, *best;
};

/// The alignment of an interval, minus one.
int64_t maskOf(const Interval &interval) {
  bool isLarge = interval.bytes >= kLargeBuffer && interval.alignment < kPage;
  return (isLarge ? kPage : interval.alignment) - 1;
}

template <typename T> T *cut(char *&cursor, int64_t count) {
  T *result = reinterpret_cast<T *>(cursor);
  cursor += (sizeof(T) * count + 7) / 8 * 8;
  return result;
}

Tables makeTables(void *scratch, int64_t count) {
  char *cursor = static_cast<char *>(scratch);
  Tables t;
  t.sizes = cut<int64_t>(cursor, count);
  t.offsets = cut<int64_t>(cursor, count);
  t.placed = cut<Placed>(cursor, count);
  t.events = cut<Event>(cursor, 2 * count);
  t.order = cut<int32_t>(cursor, count);
  t.candidate = cut<int32_t>(cursor, count);
  t.best = cut<int32_t>(cursor, count);
  return t;
}

/// Heap sort: in place, without calls to other files.
template <typename T, typename Less>
void sort(T *data, int64_t count, Less less) {
  auto sift = [&](int64_t root, int64_t end) {
    for (int64_t child; (child = 2 * root + 1) < end; root = child) {
      if (child + 1 < end && less(data[child], data[child + 1]))
        ++child;
      if (!less(data[root], data[child]))
        return;
      T swapped = data[root];
      data[root] = data[child];
      data[child] = swapped;
    }
  };
  for (int64_t i = count / 2; i-- > 0;)
    sift(i, count);
  for (int64_t end = count; end-- > 1;) {
    T swapped = data[0];
    data[0] = data[end];
    data[end] = swapped;
    sift(0, end);
  }
}

struct Random {
  uint64_t state = 0x9E3779B97F4A7C15ull;
  /// A number in [0, bound).
  int64_t below(int64_t bound) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return int64_t((state >> 11) % uint64_t(bound));
  }
};

int64_t lowerBound(const Interval *intervals, int64_t count, Tables &t) {
  int64_t events = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (t.sizes[i] == 0)
      continue;
    t.events[events++] = {t.sizes[i], intervals[i].first};
    t.events[events++] = {-t.sizes[i], intervals[i].last};
  }
  // Births precede deaths within a step: both ends of a lifetime are included.
  sort(t.events, events, [](const Event &a, const Event &b) {
    return a.step != b.step ? a.step < b.step : a.bytes > b.bytes;
  });
  int64_t live = 0, most = 0;
  for (int64_t i = 0; i < events; ++i) {
    live += t.events[i].bytes;
    most = live > most ? live : most;
  }
  return most;
}

/// Places the buffers in this order and returns the arena's size. Gives up once
/// the size exceeds `limit`.
int64_t place(const Interval *intervals, const int32_t *order, int64_t count,
              int64_t limit, Tables &t, int64_t &work) {
  int64_t total = 0, placedCount = 0;
  for (int64_t i = 0; i < count; ++i) {
    int32_t buffer = order[i];
    const Interval &interval = intervals[buffer];
    int64_t size = t.sizes[buffer], mask = maskOf(interval);
    // Best fit: the smallest gap that is large enough. There is always one
    // between the last neighbour and the top of the arena.
    int64_t cursor = 0, bestOffset = -1, bestGap = INT64_MAX;
    work += placedCount + 8;
    for (int64_t j = 0; j < placedCount; ++j) {
      const Placed &other = t.placed[j];
      if (other.last < interval.first || other.first > interval.last)
        continue;
      int64_t gap = other.begin - cursor;
      if (gap >= size && gap < bestGap) {
        bestGap = gap;
        bestOffset = cursor;
      }
      if (other.end > cursor)
        cursor = (other.end + mask) & ~mask;
    }
    int64_t offset = bestOffset >= 0 ? bestOffset : cursor;
    if (offset + size > total)
      total = offset + size;
    if (total > limit)
      return total;
    t.offsets[buffer] = offset;
    int64_t j = placedCount++;
    for (; j > 0 && t.placed[j - 1].begin > offset; --j)
      t.placed[j] = t.placed[j - 1];
    t.placed[j] = {offset, offset + size, interval.first, interval.last};
  }
  return total;
}

void moveTo(int32_t *order, int64_t from, int64_t to) {
  int32_t buffer = order[from];
  for (; from > to; --from)
    order[from] = order[from - 1];
  for (; from < to; ++from)
    order[from] = order[from + 1];
  order[to] = buffer;
}

} // namespace

size_t hone::plan::scratchBytes(int64_t count) {
  return size_t(count) * (2 * sizeof(int64_t) + sizeof(Placed) +
                          2 * sizeof(Event) + 3 * sizeof(int32_t)) +
         64;
}

Result hone::plan::plan(const Interval *intervals, int64_t count,
                        int64_t *offsets, void *scratch, Effort effort) {
  Tables t = makeTables(scratch, count);
  int64_t used = 0, sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    offsets[i] = t.offsets[i] = 0;
    int64_t bytes = intervals[i].bytes, mask = maskOf(intervals[i]);
    if (bytes < 0 || bytes > maxBytes || sum > maxBytes)
      return {-1, -1};
    t.sizes[i] = (bytes + mask) & ~mask;
    sum += t.sizes[i] + mask;
    if (bytes != 0)
      t.order[used++] = int32_t(i);
  }
  if (sum > maxBytes)
    return {-1, -1};
  int64_t bound = lowerBound(intervals, count, t);
  int64_t goal = bound > effort.enough ? bound : effort.enough;

  // Greedy by size; ties go to the longer lifetime, then to the earlier one.
  auto life = [&](int32_t i) {
    return int64_t(intervals[i].last) - intervals[i].first;
  };
  sort(t.order, used, [&](int32_t a, int32_t b) {
    if (t.sizes[a] != t.sizes[b])
      return t.sizes[a] > t.sizes[b];
    if (life(a) != life(b))
      return life(a) > life(b);
    return intervals[a].first != intervals[b].first
               ? intervals[a].first < intervals[b].first
               : a < b;
  });
  int64_t work = 0;
  int64_t best = place(intervals, t.order, used, INT64_MAX, t, work);
  for (int64_t i = 0; i < count; ++i)
    offsets[i] = t.offsets[i];
  for (int64_t i = 0; i < used; ++i)
    t.best[i] = t.order[i];

  // A second start, largest area first, suits chains of long-lived buffers.
  auto area = [&](int32_t i) { return double(t.sizes[i]) * (life(i) + 1); };
  if (best > goal) {
    sort(t.order, used, [&](int32_t a, int32_t b) {
      return area(a) != area(b) ? area(a) > area(b) : a < b;
    });
    int64_t total = place(intervals, t.order, used, best - 1, t, work);
    if (total < best) {
      best = total;
      for (int64_t i = 0; i < count; ++i)
        offsets[i] = t.offsets[i];
      for (int64_t i = 0; i < used; ++i)
        t.best[i] = t.order[i];
    }
  }

  // Hill climbing over orders. `t.order` is the current order, of size
  // `current`; sideways moves are always accepted, and the search returns to
  // the best order from time to time.
  Random random;
  int64_t current = best;
  for (int64_t i = 0; i < used; ++i)
    t.order[i] = t.best[i];
  for (int64_t i = 0; i < count; ++i)
    t.offsets[i] = offsets[i];
  for (int64_t attempt = 0, stale = 0;
       best > goal && attempt < effort.tries && work < effort.work;
       ++attempt, ++stale) {
    if (stale > 200) {
      stale = 0;
      current = best;
      for (int64_t i = 0; i < used; ++i)
        t.order[i] = t.best[i];
    }
    for (int64_t i = 0; i < used; ++i)
      t.candidate[i] = t.order[i];
    // A move places a buffer earlier: mostly one that extends above the bound,
    // sometimes any.
    int64_t from = random.below(used);
    if (random.below(4) != 0) {
      int64_t start = from;
      do {
        int32_t buffer = t.candidate[from];
        if (t.offsets[buffer] + t.sizes[buffer] > bound)
          break;
        from = from + 1 == used ? 0 : from + 1;
      } while (from != start);
    }
    if (from == 0)
      continue;
    moveTo(t.candidate, from, random.below(from));
    if (random.below(3) == 0)
      moveTo(t.candidate, random.below(used), random.below(used));
    int64_t total =
        place(intervals, t.candidate, used, current + current / 64, t, work);
    if (total > current &&
        (total > current + current / 64 || random.below(8) != 0))
      continue;
    current = total;
    for (int64_t i = 0; i < used; ++i)
      t.order[i] = t.candidate[i];
    if (total < best) {
      best = total;
      stale = 0;
      for (int64_t i = 0; i < used; ++i)
        t.best[i] = t.order[i];
      for (int64_t i = 0; i < count; ++i)
        offsets[i] = t.offsets[i];
    }
  }
  return {best, bound};
}
