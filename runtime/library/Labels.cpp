// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Looks up labels and n-grams in lists held by the model.
#include "runtime/library/Keys.h"
#include "runtime/library/Table.h"

using namespace hone;
using namespace hone::library;

namespace {

/// The n-grams of the pool: a tree whose nodes are numbered from 1, looked up
/// by parent and token.
class Ngrams {
public:
  struct Node {
    int64_t parent, token; ///< position of the token in the pool
    int64_t ngram;         ///< whose last token this is, or -1
  };

  Ngrams(Call &call, const Tensor &pool)
      : pool(pool), nodes(call, pool.count + 1), table(call, pool.count) {}

  explicit operator bool() const { return nodes && table; }

  void add(int64_t begin, int64_t size, int64_t ngram) {
    int64_t parent = 0;
    for (int64_t i = begin; i < begin + size; ++i) {
      int64_t &slot = slotOf(parent, pool, i);
      if (slot < 0) {
        slot = ++count;
        nodes[slot] = {parent, i, -1};
      }
      parent = slot;
    }
    nodes[parent].ngram = ngram;
  }

  /// The child of `parent` for a token; -1: none.
  int64_t find(int64_t parent, const Tensor &x, int64_t index) const {
    return slotOf(parent, x, index);
  }
  int64_t ngramAt(int64_t node) const { return nodes[node].ngram; }

private:
  int64_t &slotOf(int64_t parent, const Tensor &x, int64_t index) const {
    uint64_t hash = keyOf(x, index) + uint64_t(parent) * 0x9e3779b97f4a7c15u;
    return table.find(hash, [&](int64_t node) {
      return nodes[node].parent == parent &&
             sameKey(pool, nodes[node].token, x, index);
    });
  }

  const Tensor &pool;
  Scratch<Node> nodes;
  Table table;
  int64_t count = 0;
};

/// Inserts the n-grams of the wanted sizes into the tree. False, and reported:
/// the counts do not fit the pool.
bool addNgrams(Call &call, const Tensor &pool, const Tensor &counts,
               int64_t ngramLimit, int64_t least, int64_t most,
               Ngrams &ngrams) {
  int64_t ngram = 0;
  for (int64_t i = 0; i < counts.count; ++i) {
    int64_t size = i + 1, begin = counts.as<int64_t>()[i];
    int64_t end = size < counts.count ? counts.as<int64_t>()[size] : pool.count;
    if (begin < 0 || end < begin || end > pool.count) {
      call.fail(HONE_INDEX_OUT_OF_RANGE, begin, pool.count + 1);
      return false;
    }
    for (; end - begin >= size; begin += size, ++ngram) {
      if (ngram >= ngramLimit) {
        call.fail(HONE_SHAPE_MISMATCH, ngram + 1, ngramLimit);
        return false;
      }
      if (size >= least && size <= most)
        ngrams.add(begin, size, ngram);
    }
  }
  return true;
}

enum Weighting { Tf = 0, Idf = 1, TfIdf = 2 };

} // namespace

HONE_LIBRARY(label_encoder) {
  Tensor x = call.tensorOfType(0, call.option(0));
  Tensor keys = call.tensorOfType(1, call.option(0));
  Tensor values = call.tensorOfType(2, call.option(1));
  Tensor otherwise = call.tensorOfType(3, call.option(1));
  if (!x || !keys || !values || !otherwise)
    return call.status;
  if (!isNumber(x.type) && x.type != HONE_TYPE_STRING)
    return call.misuse(x.type);
  if (keys.count != values.count)
    return call.fail(HONE_SHAPE_MISMATCH, keys.count, values.count);
  if (otherwise.count != 1)
    return call.fail(HONE_SHAPE_MISMATCH, otherwise.count, 1);
  Table table(call, keys.count);
  if (!table)
    return call.status;
  for (int64_t i = 0; i < keys.count; ++i)
    table.find(keyOf(keys, i),
               [&](int64_t j) { return sameKey(keys, j, keys, i); }) = i;
  Tensor result = call.make(0, values.type, x.rank, x.dims);
  if (!result)
    return call.status;
  for (int64_t i = 0; i < x.count; ++i) {
    int64_t found = table.find(
        keyOf(x, i), [&](int64_t j) { return sameKey(keys, j, x, i); });
    memcpy(result.data + i * result.width,
           found < 0 ? otherwise.data : values.data + found * result.width,
           size_t(result.width));
  }
  return HONE_OK;
}

HONE_LIBRARY(tfidf_vectorizer) {
  int64_t most = call.option(0), skips = call.option(1), least = call.option(2),
          mode = call.option(3);
  Tensor x = call.tensor(0), pool = call.tensor(1);
  Tensor counts = call.tensorOfType(2, HONE_TYPE_INT64);
  Tensor columns = call.tensorOfType(3, HONE_TYPE_INT64);
  if (!x || !pool || !counts || !columns)
    return call.status;
  bool text = pool.type == HONE_TYPE_STRING;
  if (x.rank > 2 || text != (x.type == HONE_TYPE_STRING) ||
      (!text && (pool.width != 8 || x.width < 4 || x.width > 8)))
    return call.misuse(x.rank);
  // Signless in the IR, so chosen by width: tokens are int32 or int64.
  if (!text) {
    x.type = x.width == 4 ? HONE_TYPE_INT32 : HONE_TYPE_INT64;
    pool.type = HONE_TYPE_INT64;
  }
  int64_t width = 0;
  for (int64_t i = 0; i < columns.count; ++i) {
    int64_t column = columns.as<int64_t>()[i];
    if (column < 0 || column >= INT32_MAX)
      return call.fail(HONE_INDEX_OUT_OF_RANGE, column, INT32_MAX);
    width = column >= width ? column + 1 : width;
  }
  Tensor weights;
  if (call.has(4)) {
    weights = call.tensorOfType(4, HONE_TYPE_FLOAT);
    if (!weights)
      return call.status;
    if (weights.count < width)
      return call.fail(HONE_SHAPE_MISMATCH, weights.count, width);
  }
  if (least < 1 || most < least || skips < 0 || mode < Tf || mode > TfIdf)
    return call.fail(HONE_BAD_VALUE, least, most);

  Ngrams ngrams(call, pool);
  if (!ngrams ||
      !addNgrams(call, pool, counts, columns.count, least, most, ngrams))
    return call.status;
  int64_t rows = x.rank == 2 ? x.dims[0] : 1;
  int64_t size = x.rank ? x.dims[x.rank - 1] : 1;
  int64_t dims[2] = {rows, width};
  Tensor result = call.make(0, HONE_TYPE_FLOAT, x.rank == 2 ? 2 : 1,
                            x.rank == 2 ? dims : dims + 1);
  if (!result)
    return call.status;
  auto *to = result.as<float>();
  for (int64_t i = 0; i < result.count; ++i)
    to[i] = 0;
  for (int64_t row = 0; x.count > 0 && row < rows; ++row) {
    int64_t shortest = least;
    // A step as large as a row leaves it at once.
    for (int64_t step = 1; step <= skips + 1 && step <= size; ++step) {
      for (int64_t begin = 0; begin < size; ++begin) {
        int64_t node = 0;
        for (int64_t length = 1, at = begin; length <= most && at < size;
             ++length, at += step) {
          node = ngrams.find(node, x, row * size + at);
          if (node < 0)
            break;
          int64_t ngram = ngrams.ngramAt(node);
          if (length >= shortest && ngram >= 0)
            to[row * width + columns.as<int64_t>()[ngram]] += 1;
        }
      }
      // Single tokens do not depend on the step: they count once.
      if (shortest == 1 && ++shortest > most)
        break;
    }
  }
  for (int64_t i = 0; mode != Tf && i < result.count; ++i) {
    float weight = weights ? weights.as<float>()[i % width] : 1;
    to[i] = mode == TfIdf ? to[i] * weight : to[i] > 0 ? weight : 0;
  }
  return HONE_OK;
}
