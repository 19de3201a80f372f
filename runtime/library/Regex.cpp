// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matches whole texts against a regular expression.
#include "runtime/library/RegexMatcher.h"

using namespace hone;
using namespace hone::library;

HONE_LIBRARY(regex_full_match) {
  Tensor x = call.strings(0), patterns = call.strings(1);
  if (!x || !patterns)
    return call.status;
  if (patterns.count != 1)
    return call.fail(HONE_SHAPE_MISMATCH, patterns.count, 1);
  RegexProgram program(call);
  int64_t position;
  if (!compileRegex(call, *patterns.as<hone_string>(), program, position))
    return position < 0 ? call.status : call.fail(HONE_BAD_VALUE, position);
  RegexMatcher matcher(call, program);
  Tensor result = call.make(0, HONE_TYPE_BOOL, x.rank, x.dims);
  if (!matcher || !result)
    return call.status;
  for (int64_t i = 0; i < x.count; ++i)
    result.as<uint8_t>()[i] = matcher.matches(x.as<hone_string>()[i]);
  return HONE_OK;
}
