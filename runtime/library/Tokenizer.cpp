// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Splits texts into tokens: the matches of a regular expression, or what is
// between the matches of several.
#include "runtime/library/RegexMatcher.h"
#include "runtime/library/Text.h"

using namespace hone;
using namespace hone::library;

namespace {

constexpr hone_string textBegin = {"\x02", 1}, textEnd = {"\x03", 1};

/// Number of characters of a text; -1 if it is not UTF-8.
int64_t length(const hone_string &text) {
  int64_t count = 0;
  for (size_t at = 0; at < text.size; ++count)
    if (nextCharacter(text, at) >= invalidByte)
      return -1;
  return count;
}

/// The tokens of all texts in order, as far as they have been split.
struct Tokens {
  Tokens(Call &call, int64_t texts, int64_t least)
      : least(least), ends(call, texts), pieces(call), tokens(call) {}

  bool add(const hone_string &text, size_t begin, size_t end) {
    hone_string token = {text.data + begin, end - begin};
    return length(token) < least || tokens.push(token);
  }

  bool cutCharacters(const hone_string &text) {
    for (size_t at = 0, begin = 0; at < text.size; begin = at) {
      nextCharacter(text, at);
      if (!add(text, begin, at))
        return false;
    }
    return true;
  }

  /// The matches, or what is between them.
  bool cut(const hone_string &text, RegexMatcher &expression, bool matches) {
    size_t begin, end, from = 0;
    while (from < text.size && expression.search(text, from, begin, end)) {
      if (!(matches ? add(text, begin, end) : add(text, from, begin)))
        return false;
      from = end;
      // An empty match takes the next character along.
      if (begin == end && from < text.size)
        nextCharacter(text, from);
    }
    return matches || from >= text.size || add(text, from, text.size);
  }

  /// Splits all tokens once more. False: out of memory.
  template <typename Cut> bool each(int64_t texts, Cut cut) {
    pieces.clear();
    for (int64_t i = 0; i < tokens.size(); ++i)
      if (!pieces.push(tokens[i]))
        return false;
    tokens.clear();
    for (int64_t i = 0, piece = 0; i < texts; ++i) {
      for (; piece < ends[i]; ++piece)
        if (!cut(pieces[piece]))
          return false;
      ends[i] = tokens.size();
    }
    return true;
  }

  const int64_t least;   ///< characters of a token
  Scratch<int64_t> ends; ///< index of the first token of the next text
  Growing<hone_string> pieces, tokens;
};

} // namespace

HONE_LIBRARY(tokenize) {
  bool byToken = call.option(0), mark = call.option(1);
  Tensor x = call.strings(0), patterns = call.strings(1),
         padding = call.strings(2);
  if (!x || !patterns || !padding)
    return call.status;
  if (padding.count != 1 || patterns.count < 1 ||
      (byToken && patterns.count != 1))
    return call.fail(HONE_SHAPE_MISMATCH, patterns.count, 1);
  if (x.rank == maxRank)
    return call.misuse(x.rank);
  Tokens all(call, x.count, call.option(2));
  if (!all.ends)
    return call.status;
  for (int64_t i = 0; i < x.count; ++i) {
    const hone_string &text = x.as<hone_string>()[i];
    if (length(text) < 0)
      return call.fail(HONE_BAD_VALUE, i);
    if (!all.tokens.push(text))
      return call.status;
    all.ends[i] = i + 1;
  }
  const auto *expressions = patterns.as<hone_string>();
  for (int64_t p = 0; p < patterns.count; ++p) {
    bool complete;
    if (!byToken && patterns.count == 1 && expressions[0].size == 0) {
      complete = all.each(x.count, [&](const hone_string &text) {
        return all.cutCharacters(text);
      });
    } else {
      RegexProgram program(call);
      int64_t position;
      if (!compileRegex(call, expressions[p], program, position))
        return position < 0 ? call.status : call.fail(HONE_BAD_VALUE, position);
      RegexMatcher matcher(call, program);
      complete = matcher && all.each(x.count, [&](const hone_string &text) {
        return all.cut(text, matcher, byToken);
      });
    }
    if (!complete)
      return call.status;
  }

  // Without any token there are no marks either.
  int64_t most = 0, marks = mark && all.tokens.size() > 0 ? 2 : 0;
  for (int64_t i = 0; i < x.count; ++i) {
    int64_t count = all.ends[i] - (i ? all.ends[i - 1] : 0);
    most = count > most ? count : most;
  }
  int64_t dims[maxRank];
  for (int32_t i = 0; i < x.rank; ++i)
    dims[i] = x.dims[i];
  dims[x.rank] = most + marks;
  Tensor result = call.make(0, HONE_TYPE_STRING, x.rank + 1, dims);
  if (!result)
    return call.status;
  auto *to = result.as<hone_string>();
  for (int64_t i = 0, token = 0; i < x.count; ++i) {
    hone_string *end = to + most + marks;
    if (marks)
      *to++ = textBegin;
    for (; token < all.ends[i]; ++token)
      *to++ = all.tokens[token];
    if (marks)
      *to++ = textEnd;
    while (to < end)
      *to++ = *padding.as<hone_string>();
  }
  return HONE_OK;
}
