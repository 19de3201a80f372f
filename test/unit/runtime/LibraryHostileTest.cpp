// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every library function on empty tensors, odd ranks, absent operands and
// random numbers: it may fail, and must report why, but touches nothing that is
// not its own.
#include "test/unit/runtime/LibraryCall.h"

#include <random>

using namespace hone;

namespace {

/// What an operand or a config entry should be, most of the time.
enum Entry : char {
  Axis = 'a',   ///< of [-3, 3]
  Flag = 'f',   ///< 0 or 1
  Small = 's',  ///< of [0, 4]
  Number = 'n', ///< the bits of a double
  Type = 't',   ///< of the first operand
  Other = 'o',  ///< the type of the second operand
};

struct Function {
  hone_library_fn *function;
  /// One letter per operand: x the chosen type, i int64, b bool, f float,
  /// u uint8, t text, s a sequence, p an optional.
  const char *operands;
  const char *config; ///< of Entry
  int resultCount = 1;
};

const Function functions[] = {
    {hone_lib_nonzero, "x", "t"},
    {hone_lib_compress, "xb", "af"},
    {hone_lib_unique, "x", "afft", 4},
    {hone_lib_non_max_suppression, "ffiff", "f"},
    {hone_lib_sequence_construct, "xx", "t"},
    {hone_lib_sequence_empty, "", ""},
    {hone_lib_sequence_at, "si", ""},
    {hone_lib_sequence_insert, "sxi", "t"},
    {hone_lib_sequence_append, "sx", "t"},
    {hone_lib_sequence_erase, "si", ""},
    {hone_lib_sequence_length, "s", ""},
    {hone_lib_concat_from_sequence, "s", "af"},
    {hone_lib_split_to_sequence, "xi", "aft"},
    {hone_lib_optional_make, "x", "t"},
    {hone_lib_optional_empty, "", ""},
    {hone_lib_optional_has_element, "p", ""},
    {hone_lib_optional_get_element, "p", ""},
    {hone_lib_flatten, "p", ""},
    {hone_lib_shape_like, "xp", "t"},
    {hone_lib_broadcast, "xp", "", 2},
    {hone_lib_string_concat, "tt", ""},
    {hone_lib_string_equal, "tt", ""},
    {hone_lib_string_split, "tt", "a", 2},
    {hone_lib_string_normalizer, "tt", "sf"},
    {hone_lib_regex_full_match, "tt", ""},
    {hone_lib_tokenize, "ttt", "ffs"},
    {hone_lib_string_from_number, "x", "t"},
    {hone_lib_string_to_number, "t", "t"},
    {hone_lib_label_encoder, "xxii", "to"},
    {hone_lib_tfidf_vectorizer, "iiiif", "ssss"},
    {hone_lib_take, "ixx", ""},
    {hone_lib_gather, "xi", "a"},
    {hone_lib_concat, "xxx", "a"},
    {hone_lib_expand, "xi", ""},
    {hone_lib_where, "bxx", ""},
    {hone_lib_transpose, "xi", ""},
    {hone_lib_slice, "xiiii", ""},
    {hone_lib_tile, "xi", ""},
    {hone_lib_random_uniform, "i", "fnnnt"},
    {hone_lib_random_normal, "i", "fnnnt"},
    {hone_lib_bernoulli, "x", "fntt"},
    {hone_lib_multinomial, "x", "fsntt"},
    {hone_lib_dropout, "xfb", "fnt", 2},
    {hone_lib_decode_image, "u", "f"},
    {hone_lib_det, "x", "t"},
    {hone_lib_dft, "xii", "afft"},
    {hone_lib_stft, "xixi", "ft"},
    {hone_lib_window, "i", "sft"},
    {hone_lib_mel_weight_matrix, "iiiff", "t"},
    {hone_lib_zip_map, "xi", "tt"},
    {hone_lib_zip_map, "xt", "tt"},
    {hone_lib_couple_probabilities, "f", "s"},
    {hone_lib_tree_ensemble, "xuiiiix", "sssft"},
};

/// Memory is short, as it may be anywhere.
void *allocateLittle(void *self, int64_t bytes, int64_t alignment) {
  if (bytes > int64_t(1) << 20)
    return nullptr;
  return static_cast<hone_allocator *>(self)->allocate(nullptr, bytes,
                                                       alignment);
}

class Hostile : public LibraryTest {
protected:
  Hostile() {
    session.allocator.self = &system;
    session.allocator.allocate = allocateLittle;
  }

  static inline hone_allocator system = systemAllocator();

  int64_t pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  }

  double number() {
    const double special[] = {0,    -0.0,   1,   -1,       0.5,      2,
                              1e30, -1e300, NAN, INFINITY, -INFINITY};
    return special[pick(0, 10)];
  }

  std::string text() {
    const char *special[] = {"",       "a",         "A1",   " ",
                             "(a|b)*", "\xc3\xa9",  "\xff", "1e3",
                             "-INF",   "[^a]{2,3}", "\\",   "é("};
    std::string result = special[pick(0, 11)];
    return pick(0, 3) ? result : result + special[pick(0, 11)];
  }

  int64_t integer() {
    const int64_t special[] = {INT64_MIN, INT64_MAX, -5, int64_t(1) << 40};
    return pick(0, 30) ? pick(-2, 4) : special[pick(0, 3)];
  }

  const hone_value *make(int32_t type) {
    Dims dims(size_t(pick(0, 20) ? pick(0, 3) : pick(4, 16)));
    for (int64_t &size : dims)
      size = dims.size() > 3 ? pick(1, 2) : pick(0, 3);
    if (type == HONE_TYPE_FLOAT && pick(0, 1) && dims.size() == 3)
      dims[2] = 4; // boxes
    auto count = size_t(elementCount(int32_t(dims.size()), dims.data()));
    if (type == HONE_TYPE_STRING) {
      std::vector<std::string> elements(count);
      for (std::string &element : elements)
        element = text();
      return tensor<std::string>(dims, elements);
    }
    if (type == HONE_TYPE_FLOAT)
      return filled<float>(dims, count, type, [&] { return number(); });
    if (type == HONE_TYPE_DOUBLE)
      return filled<double>(dims, count, type, [&] { return number(); });
    if (type == HONE_TYPE_FLOAT16)
      return filled<_Float16>(dims, count, type, [&] { return number(); });
    if (typeBits(type) == 8)
      return filled<uint8_t>(dims, count, type, [&] {
        return type == HONE_TYPE_BOOL ? pick(0, 1) : pick(0, 7);
      });
    if (type == HONE_TYPE_INT32)
      return filled<int32_t>(dims, count, type, [&] { return integer(); });
    return filled<int64_t>(dims, count, type, [&] { return integer(); });
  }

  template <typename T, typename Source>
  const hone_value *filled(const Dims &dims, size_t count, int32_t type,
                           Source source) {
    std::vector<T> elements(count);
    for (T &element : elements)
      element = T(source());
    return tensor<T>(dims, elements, type);
  }

  const hone_value *operand(char letter, int32_t type) {
    if (pick(0, 60) == 0)
      return nullptr;
    if (pick(0, 60) == 0)
      letter = "xibfts"[pick(0, 5)];
    switch (letter) {
    case 'x':
      return make(type);
    case 'i':
      return make(pick(0, 5) ? HONE_TYPE_INT64 : HONE_TYPE_INT32);
    case 'b':
      return make(HONE_TYPE_BOOL);
    case 'u':
      return make(HONE_TYPE_UINT8);
    case 'f':
      return make(HONE_TYPE_FLOAT);
    case 't':
      return make(HONE_TYPE_STRING);
    case 's': {
      std::vector<const hone_value *> tensors;
      for (int64_t i = pick(0, 3); i > 0; --i)
        tensors.push_back(make(type));
      call(hone_lib_sequence_construct, tensors, {type});
      return keep(results[0]);
    }
    default: {
      call(hone_lib_optional_make, {pick(0, 2) ? make(type) : nullptr}, {type});
      return keep(results[0]);
    }
    }
  }

  int64_t configEntry(char entry, int32_t type, int32_t other) {
    switch (entry) {
    case Axis:
      return pick(-3, 3);
    case Flag:
      return pick(0, 1);
    case Small:
      return pick(0, 4);
    case Number:
      return bitsOf(number());
    default: // as the operand, or any
      return pick(0, 10) ? entry == Type ? type : other
                         : pick(0, HONE_TYPE_COUNT);
    }
  }

  /// Reads all of a result: a sanitizer sees what is not there.
  int64_t read(const hone_value &value) {
    if (value.kind == HONE_KIND_OPTIONAL)
      return value.as.optional.value ? read(*value.as.optional.value) : 0;
    int64_t sum = 0;
    if (value.kind == HONE_KIND_SEQUENCE)
      for (int64_t i = 0; i < value.as.sequence->count; ++i)
        sum += read(value.as.sequence->elements[i]);
    if (value.kind != HONE_KIND_TENSOR)
      return sum;
    const hone_tensor &tensor = value.as.tensor;
    int64_t bytes = tensorBytes(tensor.type, tensor.rank, tensor.dims);
    EXPECT_GE(bytes, 0);
    for (int64_t i = 0; i < bytes; ++i)
      sum += static_cast<const char *>(tensor.data)[i];
    if (tensor.type == HONE_TYPE_STRING)
      for (const std::string &text : elements<std::string>(value))
        for (char c : text)
          sum += c;
    return sum;
  }

  std::mt19937 random;
};

TEST_F(Hostile, EveryFunctionEitherFillsOrReports) {
  const int32_t types[] = {HONE_TYPE_FLOAT,   HONE_TYPE_DOUBLE, HONE_TYPE_INT64,
                           HONE_TYPE_INT32,   HONE_TYPE_STRING, HONE_TYPE_BOOL,
                           HONE_TYPE_FLOAT16, HONE_TYPE_UINT8};
  int64_t sum = 0, done = 0;
  for (const Function &function : functions)
    for (uint32_t seed = 0; seed < 400; ++seed) {
      SCOPED_TRACE(testing::Message() << "function " << &function - functions
                                      << ", seed " << seed);
      random.seed(seed);
      session.blocks.recycle();
      int32_t type = types[pick(0, 7)];
      std::vector<const hone_value *> operands;
      for (const char *at = function.operands; *at; ++at)
        operands.push_back(operand(*at, type));
      int32_t other = operands.size() > 2 && operands[2] &&
                              operands[2]->kind == HONE_KIND_TENSOR
                          ? operands[2]->as.tensor.type
                          : type;
      std::vector<int64_t> config;
      for (const char *at = function.config; *at; ++at)
        config.push_back(configEntry(*at, type, other));
      int32_t status =
          call(function.function, operands, config, function.resultCount);
      ASSERT_GE(status, 0);
      ASSERT_LE(status, HONE_INTERNAL);
      if (status != HONE_OK)
        continue;
      ++done;
      for (const hone_value &result : results) {
        ASSERT_NE(result.kind, HONE_KIND_NONE);
        sum += read(result);
      }
    }
  EXPECT_GT(done, 2000);
  EXPECT_NE(sum, INT64_MIN); // what was read is used
}

TEST_F(Hostile, PatternsOfAllKinds) {
  const char *pieces[] = {"a",    "b", ".",         "*",     "+",    "?",
                          "|",    "(", ")",         "(?:",   "[",    "]",
                          "^",    "-", "{2}",       "{0,3}", "{1,}", "\\",
                          "\\w",  "$", "(?i)",      "[^a]",  "\\b",  "é",
                          "\xff", "{", "[:alpha:]", "\\x41", "\\Q",  "\\E"};
  int64_t valid = 0;
  for (uint32_t seed = 0; seed < 20000; ++seed) {
    random.seed(seed);
    session.blocks.recycle();
    std::string pattern;
    for (int64_t i = pick(1, 12); i > 0; --i)
      pattern += pieces[pick(0, int64_t(std::size(pieces)) - 1)];
    int32_t status =
        call(hone_lib_regex_full_match,
             {strings({"", "ab", "abé\xff", "aaaaaaaa"}), strings({pattern})});
    ASSERT_TRUE(status == HONE_OK || status == HONE_BAD_VALUE) << pattern;
    valid += status == HONE_OK;
  }
  EXPECT_GT(valid, 1000);
}

} // namespace
