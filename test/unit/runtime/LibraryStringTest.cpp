// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Library functions on strings.
#include "test/unit/runtime/LibraryCall.h"

#include <clocale>

using namespace hone;

namespace {

using Strings = LibraryTest;
using Texts = std::vector<std::string>;
using I64s = std::vector<int64_t>;
using Bytes = std::vector<uint8_t>;

TEST_F(Strings, ConcatBroadcasts) {
  expectOk(call(hone_lib_string_concat, {tensor<std::string>({2, 1}, {"a", ""}),
                                         strings({"x", "yz", ""})}));
  EXPECT_EQ(dims(), (Dims{2, 3}));
  EXPECT_EQ(elements<std::string>(), (Texts{"ax", "ayz", "a", "x", "yz", ""}));
  EXPECT_EQ(call(hone_lib_string_concat,
                 {strings({"a", "b"}), strings({"a", "b", "c"})}),
            HONE_SHAPE_MISMATCH);
}

TEST_F(Strings, Equal) {
  expectOk(call(hone_lib_string_equal,
                {strings({"a", "ab", ""}), tensor<std::string>({}, {"ab"})}));
  EXPECT_EQ(elements<uint8_t>(), (Bytes{0, 1, 0}));
}

TEST_F(Strings, SplitAtADelimiter) {
  expectOk(call(hone_lib_string_split,
                {strings({"o-n-n--x-", "o-n----nx", "", "-"}), strings({"-"})},
                {-1}, 2));
  EXPECT_EQ(dims(), (Dims{4, 6}));
  EXPECT_EQ(elements<int64_t>(1), (I64s{6, 6, 1, 2}));
  EXPECT_EQ(elements<std::string>(),
            (Texts{"o", "n", "n", "", "x", "", "o", "n", "", "", "", "nx",
                   "",  "",  "",  "", "",  "", "",  "",  "", "", "", ""}));
  expectOk(call(hone_lib_string_split,
                {strings({"a::b::c", "d"}), strings({"::"})}, {1}, 2));
  EXPECT_EQ(elements<std::string>(), (Texts{"a", "b::c", "d", ""}));
  expectOk(
      call(hone_lib_string_split, {strings({"a:b"}), strings({":"})}, {0}, 2));
  EXPECT_EQ(elements<std::string>(), (Texts{"a:b"}));
}

TEST_F(Strings, SplitAtWhiteSpace) {
  expectOk(call(hone_lib_string_split,
                {strings({"  hello \t world !\n", " "}), strings({""})}, {-1},
                2));
  EXPECT_EQ(elements<std::string>(),
            (Texts{"hello", "world", "!", "", "", ""}));
  EXPECT_EQ(elements<int64_t>(1), (I64s{3, 0}));
  expectOk(call(hone_lib_string_split,
                {strings({"  1  2   3 "}), strings({""})}, {1}, 2));
  EXPECT_EQ(elements<std::string>(), (Texts{"1", "2   3 "}));
  expectOk(call(hone_lib_string_split, {strings({}), strings({""})}, {-1}, 2));
  EXPECT_EQ(dims(), (Dims{0, 0}));
}

TEST_F(Strings, Normalize) {
  auto *x = strings({"monday", "tuesday", "wednesday", "thursday"});
  auto *stops = strings({"monday"});
  expectOk(call(hone_lib_string_normalizer, {x, stops}, {2, 1}));
  EXPECT_EQ(elements<std::string>(),
            (Texts{"TUESDAY", "WEDNESDAY", "THURSDAY"}));
  expectOk(call(hone_lib_string_normalizer, {x, strings({})}, {0, 0}));
  EXPECT_EQ(dims(), (Dims{4}));
  auto *twice = tensor<std::string>({1, 3}, {"Monday", "tuesday", "MONDAY"});
  expectOk(call(hone_lib_string_normalizer, {twice, stops}, {2, 0}));
  EXPECT_EQ(dims(), (Dims{1, 1}));
  EXPECT_EQ(elements<std::string>(), (Texts{"TUESDAY"}));
  expectOk(call(hone_lib_string_normalizer,
                {strings({"monday", "monday"}), stops}, {1, 1}));
  EXPECT_EQ(elements<std::string>(), (Texts{""}));
  EXPECT_EQ(call(hone_lib_string_normalizer,
                 {tensor<std::string>({2, 1}, {"a", "b"}), stops}, {0, 1}),
            HONE_SHAPE_MISMATCH);
}

TEST_F(Strings, CaseBeyondAscii) {
  auto *x = strings({"Àéß", "Ωσς", "ЖёЯ", "Ÿ", "\xff\xc3", "Šč", "𝔸"});
  expectOk(call(hone_lib_string_normalizer, {x, strings({})}, {1, 1}));
  EXPECT_EQ(elements<std::string>(),
            (Texts{"àéß", "ωσς", "жёя", "ÿ", "\xff\xc3", "šč", "𝔸"}));
  expectOk(call(hone_lib_string_normalizer, {x, strings({})}, {2, 1}));
  EXPECT_EQ(elements<std::string>(),
            (Texts{"ÀÉß", "ΩΣΣ", "ЖЁЯ", "Ÿ", "\xff\xc3", "ŠČ", "𝔸"}));
}

TEST_F(Strings, FromFloats) {
  auto *x =
      list<float>({1, -0.5f, 3.14159274f, 1e20f, 1.5e-7f, 0.1f, 16777216, NAN,
                   INFINITY, -INFINITY, 0, -0.0f, 0.0001f, 123456.789f});
  expectOk(call(hone_lib_string_from_number, {x}, {HONE_TYPE_FLOAT}));
  EXPECT_EQ(
      elements<std::string>(),
      (Texts{"1", "-0.5", "3.1415927", "1e+20", "1.5e-07", "0.1", "16777216",
             "NaN", "INF", "-INF", "0", "-0", "0.0001", "123456.79"}));
  expectOk(call(hone_lib_string_from_number,
                {list<float>({1e10f, 123456792.f, 12345678.f, -1e8f})},
                {HONE_TYPE_FLOAT}));
  EXPECT_EQ(elements<std::string>(),
            (Texts{"1e+10", "1.2345679e+08", "12345678", "-1e+08"}));
  expectOk(call(hone_lib_string_from_number,
                {list<double>({0.1, 1e300, 5e-324, 1e15, 1e16})},
                {HONE_TYPE_DOUBLE}));
  EXPECT_EQ(elements<std::string>(),
            (Texts{"0.1", "1e+300", "5e-324", "1000000000000000", "1e+16"}));
  expectOk(call(hone_lib_string_from_number,
                {list<_Float16>({_Float16(0.1), _Float16(65504)})},
                {HONE_TYPE_FLOAT16}));
  EXPECT_EQ(elements<std::string>(), (Texts{"0.1", "65500"}));
}

TEST_F(Strings, FromIntegers) {
  expectOk(call(hone_lib_string_from_number,
                {list<int64_t>({0, -7, INT64_MIN, INT64_MAX})},
                {HONE_TYPE_INT64}));
  EXPECT_EQ(elements<std::string>(),
            (Texts{"0", "-7", "-9223372036854775808", "9223372036854775807"}));
  expectOk(call(hone_lib_string_from_number, {list<int64_t>({-1})},
                {HONE_TYPE_UINT64}));
  EXPECT_EQ(elements<std::string>(), (Texts{"18446744073709551615"}));
  expectOk(call(hone_lib_string_from_number, {list<int8_t>({-1, 1})},
                {HONE_TYPE_INT8}));
  EXPECT_EQ(elements<std::string>(), (Texts{"-1", "1"}));
  expectOk(call(hone_lib_string_from_number, {list<int8_t>({0, 1})},
                {HONE_TYPE_BOOL}));
  EXPECT_EQ(elements<std::string>(), (Texts{"0", "1"}));
}

TEST_F(Strings, ToFloats) {
  expectOk(call(hone_lib_string_to_number,
                {strings({"1", " -0.5 ", "1e-5", "1E8", "+INF", "-inf", "NaN",
                          ".5", "5."})},
                {HONE_TYPE_FLOAT}));
  std::vector<float> numbers = elements<float>();
  EXPECT_TRUE(std::isnan(numbers[6]));
  numbers[6] = 0;
  EXPECT_EQ(numbers, (std::vector<float>{1, -0.5f, 1e-5f, 1e8f, INFINITY,
                                         -INFINITY, 0, .5f, 5}));
  std::string many = "0." + std::string(300, '0') + "1";
  expectOk(
      call(hone_lib_string_to_number, {strings({many})}, {HONE_TYPE_DOUBLE}));
  EXPECT_EQ(elements<double>(), (std::vector<double>{1e-301}));
  for (const char *text :
       {"", "x", "1x", "1e", ".", "0x10", "1 2", "--1", "1,5", "nanx"})
    EXPECT_EQ(
        call(hone_lib_string_to_number, {strings({text})}, {HONE_TYPE_FLOAT}),
        HONE_BAD_VALUE)
        << text;
}

TEST_F(Strings, ToIntegersSaturates) {
  auto *x =
      strings({"1", "-129", "300", "2.9", "1e2", "-99999999999999999999"});
  expectOk(call(hone_lib_string_to_number, {x}, {HONE_TYPE_INT8}));
  EXPECT_EQ(elements<int8_t>(),
            (std::vector<int8_t>{1, -128, 127, 2, 100, -128}));
  expectOk(call(hone_lib_string_to_number, {x}, {HONE_TYPE_UINT8}));
  EXPECT_EQ(elements<uint8_t>(), (Bytes{1, 0, 255, 2, 100, 0}));
  expectOk(call(hone_lib_string_to_number, {x}, {HONE_TYPE_INT64}));
  EXPECT_EQ(elements<int64_t>(), (I64s{1, -129, 300, 2, 100, INT64_MIN}));
  expectOk(call(hone_lib_string_to_number, {strings({"9007199254740993"})},
                {HONE_TYPE_INT64}));
  EXPECT_EQ(elements<int64_t>(), (I64s{9007199254740993}));
  expectOk(call(hone_lib_string_to_number,
                {strings({"true", "False", "0", "2"})}, {HONE_TYPE_BOOL}));
  EXPECT_EQ(elements<uint8_t>(), (Bytes{1, 0, 0, 1}));
}

TEST_F(Strings, NumbersDoNotDependOnTheLocale) {
  const char *set = nullptr;
  for (const char *name : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE"})
    set = set ? set : setlocale(LC_ALL, name);
  if (!set)
    GTEST_SKIP() << "no locale with a decimal comma";
  expectOk(call(hone_lib_string_from_number, {list<double>({0.25})},
                {HONE_TYPE_DOUBLE}));
  EXPECT_EQ(elements<std::string>(), (Texts{"0.25"}));
  expectOk(
      call(hone_lib_string_to_number, {strings({"0.25"})}, {HONE_TYPE_DOUBLE}));
  EXPECT_EQ(elements<double>(), (std::vector<double>{0.25}));
  setlocale(LC_ALL, "C");
}

class Regex : public LibraryTest {
protected:
  void expectMatches(const char *pattern, const Texts &matching,
                     const Texts &others) {
    Texts all = matching;
    all.insert(all.end(), others.begin(), others.end());
    expectOk(
        call(hone_lib_regex_full_match, {strings(all), strings({pattern})}));
    Bytes found = elements<uint8_t>();
    for (size_t i = 0; i < all.size(); ++i)
      EXPECT_EQ(found[i], i < matching.size()) << pattern << " on " << all[i];
  }
};

TEST_F(Regex, OperatorsAndGroups) {
  expectMatches("", {""}, {"a"});
  expectMatches("abc", {"abc"}, {"ab", "abcd", ""});
  expectMatches("a|bc|", {"a", "bc", ""}, {"b", "abc"});
  expectMatches("a*b+c?", {"b", "aab", "bbc"}, {"a", "c", "abcc"});
  expectMatches("(ab)*", {"", "ab", "abab"}, {"a", "aba"});
  expectMatches("(a|b)*c(?:d|e)", {"cd", "abace"}, {"c", "cde"});
  expectMatches("(?P<x>a)(?<y>b)", {"ab"}, {"a"});
  expectMatches("((a*)*)*", {"", "aaaa"}, {"b"});
  expectMatches("x(a|b|c|d)y|z", {"xay", "xdy", "z"}, {"xy", "xz"});
  expectMatches("a.c",
                {"abc", "a\xc3\xa9"
                        "c"},
                {"a\nc", "ac"});
  expectMatches("(?s)a.c", {"a\nc"}, {"ac"});
  expectMatches("a+?b*?", {"a", "aab"}, {"b"});
}

TEST_F(Regex, Counts) {
  expectMatches("a{3}", {"aaa"}, {"aa", "aaaa"});
  expectMatches("a{2,}", {"aa", "aaaaa"}, {"a"});
  expectMatches("(ab){1,3}", {"ab", "ababab"}, {"", "abababab"});
  expectMatches("a{0,2}b", {"b", "ab", "aab"}, {"aaab"});
  expectMatches("a{0}b", {"b"}, {"ab"});
  expectMatches("(a|bb){2}c", {"aac", "abbc", "bbbbc"}, {"ac", "bbc"});
  expectMatches("a{,2}", {"a{,2}"}, {"a", "aa"});
  expectMatches("(a{2}){2}", {"aaaa"}, {"aa", "aaaaaa"});
}

TEST_F(Regex, Classes) {
  expectMatches("[a-cx]+", {"abcx"}, {"d", ""});
  expectMatches("[^a-c]", {"d", "\n", "é"}, {"a", ""});
  expectMatches("[]a]", {"]", "a"}, {"b"});
  expectMatches("[a-]", {"a", "-"}, {"b"});
  expectMatches("[\\w.\\-]+", {"a_9.-"}, {"a b"});
  expectMatches("\\d\\D\\s\\S\\w\\W", {"1a bc!"}, {"aa bc!"});
  expectMatches("[[:alpha:]_][[:^digit:]]", {"a_", "_a"}, {"11", "a1"});
  expectMatches("[^\\d\\s]", {"a"}, {"1", " "});
  expectMatches("[α-ω]", {"λ"}, {"a", "Λ"});
  expectMatches("\\x41\\x{3bb}\\t\\.", {"Aλ\t."}, {"Aλ\tx"});
  expectMatches("\\Qa.b*\\Ec", {"a.b*c"}, {"axbc"});
}

TEST_F(Regex, Flags) {
  expectMatches("(?i)aBc[x-z]", {"AbCY", "abcx"}, {"abc"});
  expectMatches("a(?i)b", {"ab", "aB"}, {"AB"});
  expectMatches("(?i:a)b", {"ab", "Ab"}, {"aB"});
  expectMatches("((?i)a)b", {"Ab"}, {"AB"});
  expectMatches("(?i)a(?-i:b)c", {"AbC"}, {"ABC"});
}

TEST_F(Regex, Assertions) {
  expectMatches("^a$", {"a"}, {"a\n"});
  expectMatches("a^b", {}, {"ab"});
  expectMatches("\\Aa\\z", {"a"}, {""});
  expectMatches("(?m)a\n^b$", {"a\nb"}, {"ab"});
  expectMatches("a\\b.*", {"a b", "a"}, {"ab"});
  expectMatches("a\\B.*", {"ab"}, {"a", "a b"});
  expectMatches("www\\.[\\w.-]+\\.\\bcom\\b", {"www.google.com", "www.a-b.com"},
                {"www.com", "google.com"});
  expectMatches("(\\W|^)[\\w.\\-]{0,25}@(yahoo|gmail)\\.com(\\W|$)",
                {"account@gmail.com", "@yahoo.com"},
                {"not email", "account@hotmail.com", "x@gmail.com9"});
}

TEST_F(Regex, FaultyPatterns) {
  for (const char *pattern : {"(",
                              ")",
                              "(a",
                              "a)",
                              "[",
                              "[a",
                              "[]",
                              "*",
                              "a**",
                              "+a",
                              "|*",
                              "a{2}{3}",
                              "a{3,2}",
                              "a{1001}",
                              "\\",
                              "\\1",
                              "\\pN",
                              "[b-a]",
                              "(?",
                              "(?x)",
                              "(?P<",
                              "(?P<a",
                              "(?=a)",
                              "(?<=a)",
                              "(?<!a)",
                              "\\x",
                              "\\xg",
                              "\\x{110000}",
                              "[[:foo:]]",
                              "(a{1000}){1000}",
                              "((a{100}){100}){100}",
                              "(?i",
                              "[a-\\d]"})
    EXPECT_EQ(
        call(hone_lib_regex_full_match, {strings({"a"}), strings({pattern})}),
        HONE_BAD_VALUE)
        << pattern;
}

TEST_F(Regex, TimeIsLinear) {
  std::string text(20000, 'a');
  expectMatches("(a*)*b", {}, {text});
  expectMatches("(a|a)*(a|aa)+c", {}, {text});
  expectMatches("(a?){300}a{300}", {std::string(450, 'a')},
                {std::string(299, 'a')});
}

class Labels : public LibraryTest {};

TEST_F(Labels, StringsToNumbersAndBack) {
  expectOk(call(hone_lib_label_encoder,
                {strings({"a", "b", "d", "c", "g"}), strings({"a", "b", "c"}),
                 list<int64_t>({0, 1, 2}), list<int64_t>({42})},
                {HONE_TYPE_STRING, HONE_TYPE_INT64}));
  EXPECT_EQ(elements<int64_t>(), (I64s{0, 1, 42, 2, 42}));
  expectOk(call(hone_lib_label_encoder,
                {tensor<int64_t>({1, 3}, {2, 7, 1}), list<int64_t>({1, 2, 1}),
                 strings({"x", "two", "one"}), strings({"?"})},
                {HONE_TYPE_INT64, HONE_TYPE_STRING}));
  EXPECT_EQ(dims(), (Dims{1, 3}));
  EXPECT_EQ(elements<std::string>(), (Texts{"two", "?", "one"}));
  EXPECT_EQ(call(hone_lib_label_encoder,
                 {strings({}), strings({"a"}), list<int64_t>({}),
                  list<int64_t>({42})},
                 {HONE_TYPE_STRING, HONE_TYPE_INT64}),
            HONE_SHAPE_MISMATCH);
}

TEST_F(Labels, FloatKeys) {
  expectOk(call(hone_lib_label_encoder,
                {list<float>({NAN, -0.0f, 1.5f}), list<float>({0.0f, NAN}),
                 list<float>({10, 20}), list<float>({-1})},
                {HONE_TYPE_FLOAT, HONE_TYPE_FLOAT}));
  EXPECT_EQ(elements<float>(), (std::vector<float>{20, 10, -1}));
}

class Tfidf : public LibraryTest {
protected:
  std::vector<float> count(const hone_value *x, int64_t least, int64_t most,
                           int64_t skips, int64_t mode = 0,
                           const hone_value *weights = nullptr) {
    // Four single tokens, then three pairs.
    expectOk(call(hone_lib_tfidf_vectorizer,
                  {x, list<int64_t>({2, 3, 5, 4, 5, 6, 7, 8, 6, 7}),
                   list<int64_t>({0, 4}), list<int64_t>({0, 1, 2, 3, 4, 5, 6}),
                   weights},
                  {most, skips, least, mode}));
    return elements<float>();
  }
};

TEST_F(Tfidf, Counts) {
  using Floats = std::vector<float>;
  auto *x = list<int32_t>({1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8});
  EXPECT_EQ(count(x, 2, 2, 0), (Floats{0, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(count(x, 2, 2, 5), (Floats{0, 0, 0, 0, 1, 3, 1}));
  EXPECT_EQ(count(x, 1, 2, 5), (Floats{0, 3, 1, 0, 1, 3, 1}));
  EXPECT_EQ(count(x, 1, 1, 5), (Floats{0, 3, 1, 0, 0, 0, 0}));
  EXPECT_EQ(count(x, 1, 2, 5, 1), (Floats{0, 1, 1, 0, 1, 1, 1}));
  auto *weights = list<float>({1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(count(x, 1, 2, 5, 1, weights), (Floats{0, 2, 3, 0, 5, 6, 7}));
  EXPECT_EQ(count(x, 1, 2, 5, 2, weights), (Floats{0, 6, 3, 0, 5, 18, 7}));
  EXPECT_EQ(count(tensor<int64_t>({2, 6}, {1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8}),
                  2, 2, 0),
            (Floats{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1}));
  EXPECT_EQ(dims(), (Dims{2, 7}));
  EXPECT_EQ(count(list<int64_t>({}), 1, 2, INT64_MAX - 1), Floats(7, 0));
}

TEST_F(Tfidf, Strings) {
  expectOk(call(hone_lib_tfidf_vectorizer,
                {strings({"a", "b", "a", "c"}), strings({"a", "b", "a"}),
                 list<int64_t>({0, 1}), list<int64_t>({1, 0})},
                {2, 0, 1, 0}));
  EXPECT_EQ(elements<float>(), (std::vector<float>{1, 2}));
}

TEST_F(Tfidf, FaultyLists) {
  auto run = [&](const std::vector<int64_t> &counts,
                 const std::vector<int64_t> &columns) {
    return call(hone_lib_tfidf_vectorizer,
                {list<int64_t>({1}), list<int64_t>({1, 2}),
                 list<int64_t>(counts), list<int64_t>(columns)},
                {1, 0, 1, 0});
  };
  EXPECT_EQ(run({0}, {0, 1}), HONE_OK);
  EXPECT_EQ(run({0}, {0}), HONE_SHAPE_MISMATCH);
  EXPECT_EQ(run({0}, {0, -1}), HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(run({-1}, {0, 1}), HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(run({0, 3}, {0, 1, 2}), HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(run({2, 1}, {0, 1, 2}), HONE_INDEX_OUT_OF_RANGE);
}

} // namespace
