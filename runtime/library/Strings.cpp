// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Joining, comparing, splitting and normalizing strings.
#include "runtime/library/Movement.h"
#include "runtime/library/Table.h"
#include "runtime/library/Text.h"

using namespace hone;
using namespace hone::library;

namespace {

/// Calls `work(left, right)` for all pairs of two broadcast operands, in the
/// order of the result.
template <typename Work>
void forPairs(const Tensor &a, const Tensor &b, const Broadcast &broadcast,
              int64_t count, Work work) {
  Walk<2> walk(broadcast.rank, broadcast.dims);
  broadcast.strides(a, walk.strides[0]);
  broadcast.strides(b, walk.strides[1]);
  for (int64_t i = 0; i < count; ++i) {
    work(i, a.as<hone_string>()[walk.offset[0]],
         b.as<hone_string>()[walk.offset[1]]);
    walk.next();
  }
}

/// The pieces of a text, one after another.
class Pieces {
public:
  Pieces(const hone_string &text, const hone_string &delimiter, int64_t splits)
      : text(text), delimiter(delimiter), left(splits) {}

  bool next(hone_string &piece) {
    return delimiter.size ? nextDelimited(piece) : nextWord(piece);
  }

private:
  bool nextDelimited(hone_string &piece) {
    if (ended)
      return false;
    size_t end = position;
    bool found = false;
    for (; left != 0 && text.size - end >= delimiter.size; ++end) {
      found = !memcmp(text.data + end, delimiter.data, delimiter.size);
      if (found)
        break;
    }
    if (!found) {
      piece = {text.data + position, text.size - position};
      ended = true;
      return true;
    }
    piece = {text.data + position, end - position};
    position = end + delimiter.size;
    --left;
    return true;
  }

  bool nextWord(hone_string &piece) {
    while (position < text.size && isSpace(text.data[position]))
      ++position;
    if (position == text.size)
      return false;
    size_t end = position;
    while (end < text.size && (left == 0 || !isSpace(text.data[end])))
      ++end;
    piece = {text.data + position, end - position};
    position = end;
    --left;
    return true;
  }

  const hone_string text, delimiter;
  int64_t left; ///< splits still allowed; negative: no limit
  size_t position = 0;
  bool ended = false;
};

/// Writes `text` in the other case to `to`, which has room for as many bytes.
hone_string changeCase(const hone_string &text, bool upper, char *to) {
  size_t size = 0;
  for (size_t at = 0; at < text.size;) {
    uint32_t character = nextCharacter(text, at);
    size += putCharacter(to + size,
                         upper ? toUpper(character) : toLower(character));
  }
  return {to, size};
}

/// All strings of a tensor, in the other case. False: out of memory.
bool changeCases(Call &call, const Tensor &from, bool upper, hone_string *to) {
  int64_t bytes = 0;
  bool fits = true;
  for (int64_t i = 0; i < from.count; ++i)
    fits = fits && !__builtin_add_overflow(
                       bytes, from.as<hone_string>()[i].size, &bytes);
  auto *room = static_cast<char *>(call.allocate(fits ? bytes : -1, 1));
  if (!room)
    return false;
  for (int64_t i = 0; i < from.count; ++i) {
    to[i] = changeCase(from.as<hone_string>()[i], upper, room);
    room += to[i].size;
  }
  return true;
}

enum CaseAction { None = 0, Lower = 1, Upper = 2 };

} // namespace

HONE_LIBRARY(string_concat) {
  Tensor a = call.strings(0), b = call.strings(1);
  Broadcast broadcast;
  if (!a || !b || !broadcast.add(call, a.rank, a.dims) ||
      !broadcast.add(call, b.rank, b.dims))
    return call.status;
  Tensor result =
      call.make(0, HONE_TYPE_STRING, broadcast.rank, broadcast.dims);
  if (!result)
    return call.status;
  int64_t bytes = 0;
  bool fits = true;
  forPairs(a, b, broadcast, result.count,
           [&](int64_t, const hone_string &left, const hone_string &right) {
             fits = fits && !__builtin_add_overflow(bytes, left.size, &bytes) &&
                    !__builtin_add_overflow(bytes, right.size, &bytes);
           });
  auto *to = static_cast<char *>(call.allocate(fits ? bytes : -1, 1));
  if (!to)
    return call.status;
  forPairs(a, b, broadcast, result.count,
           [&](int64_t i, const hone_string &left, const hone_string &right) {
             result.as<hone_string>()[i] = {to, left.size + right.size};
             if (left.size)
               memcpy(to, left.data, left.size);
             if (right.size)
               memcpy(to + left.size, right.data, right.size);
             to += left.size + right.size;
           });
  return HONE_OK;
}

HONE_LIBRARY(string_equal) {
  Tensor a = call.strings(0), b = call.strings(1);
  Broadcast broadcast;
  if (!a || !b || !broadcast.add(call, a.rank, a.dims) ||
      !broadcast.add(call, b.rank, b.dims))
    return call.status;
  Tensor result = call.make(0, HONE_TYPE_BOOL, broadcast.rank, broadcast.dims);
  if (!result)
    return call.status;
  forPairs(a, b, broadcast, result.count,
           [&](int64_t i, const hone_string &left, const hone_string &right) {
             result.as<uint8_t>()[i] = equal(left, right);
           });
  return HONE_OK;
}

HONE_LIBRARY(string_split) {
  Tensor x = call.strings(0), delimiters = call.strings(1);
  if (!x || !delimiters)
    return call.status;
  if (delimiters.count != 1)
    return call.fail(HONE_SHAPE_MISMATCH, delimiters.count, 1);
  if (x.rank == maxRank)
    return call.misuse(x.rank);
  const hone_string &delimiter = *delimiters.as<hone_string>();
  Tensor counts;
  if (call.resultCount > 1) {
    counts = call.make(1, HONE_TYPE_INT64, x.rank, x.dims);
    if (!counts)
      return call.status;
  }
  int64_t most = 0;
  for (int64_t i = 0; i < x.count; ++i) {
    Pieces pieces(x.as<hone_string>()[i], delimiter, call.option(0));
    int64_t count = 0;
    for (hone_string piece; pieces.next(piece);)
      ++count;
    if (counts)
      counts.as<int64_t>()[i] = count;
    most = count > most ? count : most;
  }
  int64_t dims[maxRank];
  for (int32_t i = 0; i < x.rank; ++i)
    dims[i] = x.dims[i];
  dims[x.rank] = most;
  Tensor result = call.make(0, HONE_TYPE_STRING, x.rank + 1, dims);
  if (!result)
    return call.status;
  auto *to = result.as<hone_string>();
  for (int64_t i = 0; i < x.count; ++i) {
    Pieces pieces(x.as<hone_string>()[i], delimiter, call.option(0));
    for (int64_t j = 0; j < most; ++j, ++to)
      if (!pieces.next(*to))
        *to = {nullptr, 0};
  }
  return HONE_OK;
}

HONE_LIBRARY(string_normalizer) {
  int64_t action = call.option(0);
  bool caseSensitive = call.option(1);
  Tensor x = call.strings(0), words = call.strings(1);
  if (!x || !words)
    return call.status;
  if (x.rank < 1 || x.rank > 2 || action < None || action > Upper)
    return call.misuse(x.rank);
  if (x.rank == 2 && x.dims[0] != 1)
    return call.fail(HONE_SHAPE_MISMATCH, x.dims[0], 1);
  const hone_string *compared = x.as<hone_string>();
  const hone_string *stops = words.as<hone_string>();
  Scratch<hone_string> lowered(call, x.count), lowerWords(call, words.count);
  Scratch<int64_t> kept(call, x.count);
  Table table(call, words.count);
  if (!lowered || !lowerWords || !kept || !table)
    return call.status;
  if (!caseSensitive && words.count > 0) {
    if (!changeCases(call, x, false, lowered.data()) ||
        !changeCases(call, words, false, lowerWords.data()))
      return call.status;
    compared = lowered.data();
    stops = lowerWords.data();
  }
  auto slotOf = [&](const hone_string &word) -> int64_t & {
    return table.find(hash(word),
                      [&](int64_t i) { return equal(stops[i], word); });
  };
  for (int64_t i = 0; i < words.count; ++i)
    slotOf(stops[i]) = i;
  int64_t count = 0;
  for (int64_t i = 0; i < x.count; ++i)
    if (slotOf(compared[i]) < 0)
      kept[count++] = i;

  int64_t dims[2] = {1, count ? count : 1};
  Tensor result =
      call.make(0, HONE_TYPE_STRING, x.rank, x.rank == 2 ? dims : dims + 1);
  if (!result)
    return call.status;
  auto *to = result.as<hone_string>();
  to[0] = {nullptr, 0};
  for (int64_t i = 0; i < count; ++i)
    to[i] = x.as<hone_string>()[kept[i]];
  if (action != None && !changeCases(call, result, action == Upper, to))
    return call.status;
  return HONE_OK;
}
