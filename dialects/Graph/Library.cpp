// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of library functions. Sizes that it does not state are checked by
// the functions, at run time.
#include "dialects/Graph/Library.h"

#include "llvm/ADT/StringMap.h"

using namespace llvm;
using namespace hone;
using namespace hone::graph;

static const llvm::StringMap<LibraryFunction> &libraryFunctions() {
  using K = LibraryKind;
  using V = LibraryValue;
  using O = LibraryOption;
  constexpr V any(K::Any), text(K::Text), sequence(K::Sequence), map(K::Map),
      optional(K::Optional), value(K::Value), number(K::Number),
      integer(K::Int), int64(K::Int64), byte(K::Byte), boolean(K::Bool),
      single(K::Float), floating(K::Floating), entry(K::NumberOrText),
      token(K::TokenOrText), key(K::KeyOrText), score(K::FloatOrDouble),
      int32(K::Int32);
  auto number64 = [](StringRef name) { return O{name}; };
  auto between = [](StringRef name, int64_t least, int64_t most = INT64_MAX) {
    return O{name, O::Integer, least, most};
  };
  auto real = [](StringRef name) { return O{name, O::Float}; };
  auto typeOf = [](unsigned operand, StringRef name = "type") {
    return O{name, O::OperandType, 0, 0, operand};
  };
  auto resultType = [](StringRef name = "type") {
    return O{name, O::ResultType};
  };
  auto axis = number64("axis");
  auto hasSeed = number64("has_seed"), seed = real("seed");
  static const llvm::StringMap<LibraryFunction> table = {
      {"custom", {{number.maybe().any()}, {any.any()}, {number64("node")}}},
      // Selection.
      {"nonzero", {{entry}, {int64.rank(2)}, {typeOf(0)}}},
      {"compress",
       {{any, boolean.rank(1)}, {any.like(0)}, {axis, number64("flat")}}},
      {"unique",
       {{entry},
        {any.like(0), int64.maybe(), int64.maybe(), int64.maybe()},
        {axis, number64("flat"), number64("sorted"), typeOf(0)}}},
      {"non_max_suppression",
       {{single.rank(3), single.rank(3), int64.one().maybe(),
         single.one().maybe(), single.one().maybe()},
        {int64.rank(2)},
        {number64("center_point_box")}}},
      {"range",
       {{number.one(), number.one().like(0), number.one().like(0)},
        {number.like(0).rank(1)},
        {typeOf(0)}}},
      // Sequences and optionals.
      {"sequence_empty", {{}, {sequence}, {}}},
      {"sequence_construct",
       {{any, any.like(0).any()}, {sequence.like(0)}, {typeOf(0)}}},
      {"sequence_at", {{sequence, integer.one()}, {any.like(0)}, {}}},
      {"sequence_insert",
       {{sequence, any.like(0), integer.one().maybe()},
        {sequence.like(0)},
        {typeOf(1)}}},
      {"sequence_append",
       {{sequence, any.like(0)}, {sequence.like(0)}, {typeOf(1)}}},
      {"sequence_erase",
       {{sequence, integer.one().maybe()}, {sequence.like(0)}, {}}},
      {"sequence_length", {{sequence}, {int64.rank(0)}, {}}},
      {"concat_from_sequence",
       {{sequence}, {any.like(0)}, {axis, number64("new_axis")}}},
      {"split_to_sequence",
       {{any, integer.ranks(0, 1).maybe()},
        {sequence.like(0)},
        {axis, number64("keepdims"), typeOf(0)}}},
      {"optional_make", {{value}, {optional.like(0)}, {typeOf(0)}}},
      {"optional_empty", {{}, {optional}, {}}},
      {"optional_has_element", {{value.maybe()}, {byte.rank(0)}, {}}},
      {"optional_get_element", {{value}, {value.like(0)}, {}}},
      {"flatten", {{value}, {any.like(0).rank(1)}, {}}},
      {"shape_like", {{any.rank(1), value}, {optional.like(0)}, {typeOf(0)}}},
      {"broadcast", {{value.any()}, {optional.like(V::kSamePlace).any()}, {}}},
      // Maps.
      {"zip_map",
       {{number.rank(2), key.rank(1)},
        {sequence.like(0)},
        {typeOf(1, "key_type"), typeOf(0)}}},
      {"dict_vectorizer",
       {{map, key.rank(1)},
        {any.like(0).rank(2)},
        {{"key_type", O::KeyType}, typeOf(0)}}},
      {"cast_map",
       {{map},
        {any.like(0).rank(2)},
        {{"key_type", O::KeyType}, between("size", -1), typeOf(0)}}},
      // Strings.
      {"string_concat", {{text, text}, {text}, {}}},
      {"string_equal", {{text, text}, {byte}, {}}},
      {"string_split",
       {{text, text.one()}, {text, int64.maybe()}, {number64("maxsplit")}}},
      {"string_normalizer",
       {{text.ranks(1, 2), text},
        {text},
        {between("case_action", 0, 2), number64("is_case_sensitive")}}},
      {"regex_full_match", {{text, text.one()}, {byte}, {}}},
      {"tokenize",
       {{text.ranks(1, 2), text, text.one()},
        {text},
        {number64("by_token"), number64("mark"), number64("mincharnum")}}},
      {"string_from_number", {{number}, {text}, {typeOf(0)}}},
      {"string_to_number", {{text}, {number}, {resultType()}}},
      {"label_encoder",
       {{entry, entry.like(0), entry, entry.one().like(2)},
        {entry.like(2)},
        {typeOf(0, "key_type"), typeOf(2, "value_type")}}},
      {"tfidf_vectorizer",
       {{token.ranks(1, 2), key, int64, int64, single.maybe()},
        {single},
        {between("max_gram_length", 1), between("max_skip_count", 0),
         between("min_gram_length", 1), between("mode", 0, 2)}}},
      // Movement.
      {"take", {{int64, any, any.like(1).any()}, {any.like(1)}, {}}},
      {"gather", {{any, integer}, {any.like(0)}, {axis}}},
      {"concat", {{any, any.like(0).any()}, {any.like(0)}, {axis}}},
      {"expand", {{any, int64.rank(1)}, {any.like(0)}, {}}},
      {"where", {{boolean, any, any.like(1)}, {any.like(1)}, {}}},
      {"transpose", {{any, int64.rank(1)}, {any.like(0)}, {}}},
      {"slice",
       {{any, integer.rank(1), integer.rank(1), integer.rank(1),
         integer.rank(1)},
        {any.like(0)},
        {}}},
      {"tile", {{any, int64.rank(1)}, {any.like(0)}, {}}},
      // Random numbers.
      {"random_uniform",
       {{integer},
        {floating},
        {hasSeed, real("high"), real("low"), seed, resultType()}}},
      {"random_normal",
       {{integer},
        {floating},
        {hasSeed, real("mean"), real("scale"), seed, resultType()}}},
      {"bernoulli",
       {{floating},
        {number},
        {hasSeed, seed, resultType(), typeOf(0, "x_type")}}},
      {"multinomial",
       {{floating.rank(2)},
        {integer.rank(2)},
        {hasSeed, between("sample_size", 0), seed, resultType(),
         typeOf(0, "x_type")}}},
      {"dropout",
       {{floating, floating.one().maybe(), boolean.one().maybe()},
        {floating.like(0), boolean.maybe()},
        {hasSeed, seed, typeOf(0)}}},
      // Numerics.
      {"det",
       {{floating.ranks(2, INT64_MAX)}, {floating.like(0)}, {typeOf(0)}}},
      {"dft",
       {{floating.ranks(2, INT64_MAX), integer.one().maybe(),
         integer.one().maybe()},
        {floating.like(0)},
        {axis, number64("inverse"), number64("onesided"), typeOf(0)}}},
      {"stft",
       {{floating.ranks(2, 3), integer.one(), floating.rank(1).maybe().like(0),
         integer.one().maybe()},
        {floating.like(0).rank(4)},
        {number64("onesided"), typeOf(0)}}},
      {"window",
       {{integer.one()},
        {number.rank(1)},
        {between("kind", 0, 2), number64("periodic"), resultType()}}},
      {"mel_weight_matrix",
       {{integer.one(), integer.one(), integer.one(), floating.one(),
         floating.one()},
        {number.rank(2)},
        {resultType()}}},
      {"couple_probabilities",
       {{single.rank(2)}, {single.rank(2)}, {between("classes", 2, 1 << 15)}}},
      {"tree_ensemble",
       {{score.rank(2), byte, int32, int64, int32.maybe(), int32.withPrevious(),
         score.withPrevious().like(0)},
        {score.like(0).rank(2)},
        {between("aggregate_function", 0, 3), number64("features"),
         between("n_targets", 0, int64_t(1) << 40), number64("thresholds_only"),
         typeOf(0)}}},
      // Images.
      {"decode_image",
       {{byte.rank(1)}, {byte.rank(3)}, {between("format", 0, 2)}}},
  };
  return table;
}

size_t graph::requiredCount(ArrayRef<LibraryValue> values) {
  while (!values.empty() && (values.back().optional || values.back().repeated))
    values = values.drop_back();
  return values.size();
}

const LibraryFunction *graph::findLibraryFunction(StringRef name) {
  auto it = libraryFunctions().find(name);
  return it == libraryFunctions().end() ? nullptr : &it->second;
}
