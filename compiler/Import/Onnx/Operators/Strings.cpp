// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Text: operators on tensors of strings, implemented by library functions.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

bool isText(NodeBuilder &n, Val v) {
  if (v.elem == ElementType::String)
    return true;
  n.fail("needs a tensor of strings, not " + elementTypeName(v.elem));
  return false;
}

LogicalResult importConcat(NodeBuilder &n) {
  if (!isText(n, n.in(0)) || !isText(n, n.in(1)))
    return failure();
  Sizes dims = n.broadcastDims({n.in(0), n.in(1)});
  return n.out(LibraryCall(n, "string_concat")
                   .sized(ElementType::String, dims)({n.in(0), n.in(1)}));
}

LogicalResult importSplit(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isText(n, x))
    return failure();
  SmallVector<int64_t> shape;
  for (int64_t size : x.shape())
    shape.push_back(ShapedType::isDynamic(size) ? -1 : size);
  shape.push_back(-1);
  SmallVector<Val> results =
      LibraryCall(n, "string_split")
          .set("maxsplit", n.intAttr("maxsplit", -1))
          .tensor(ElementType::String, shape)
          .sized(ElementType::Int64, n.dims(x))
          .call({x, texts(n, {n.stringAttr("delimiter")})});
  n.out(0, results[0]);
  n.out(1, results[1]);
  return success();
}

LogicalResult importNormalizer(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isText(n, x))
    return failure();
  if (x.rank() < 1 || x.rank() > 2)
    return n.error("needs one or two dimensions");
  StringRef action = n.stringAttr("case_change_action", "NONE");
  int64_t number = action == "LOWER" ? 1 : action == "UPPER" ? 2 : 0;
  std::vector<StringRef> stopwords =
      n.stringsAttr("stopwords").value_or(std::vector<StringRef>());
  SmallVector<int64_t> shape{-1};
  if (x.rank() == 2)
    shape.insert(shape.begin(), 1);
  return n.out(
      LibraryCall(n, "string_normalizer")
          .set("case_action", number)
          .set("is_case_sensitive", n.intAttr("is_case_sensitive"))
          .tensor(ElementType::String, shape)({x, texts(n, stopwords)}));
}

LogicalResult importRegex(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isText(n, x))
    return failure();
  return n.out(LibraryCall(n, "regex_full_match")
                   .sized(ElementType::Bool,
                          n.dims(x))({x, texts(n, {n.stringAttr("pattern")})}));
}

/// Of com.microsoft.
LogicalResult importTokenizer(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isText(n, x))
    return failure();
  if (x.rank() < 1 || x.rank() > 2)
    return n.error("needs one or two dimensions");
  int64_t least = n.intAttr("mincharnum");
  if (least < 1)
    return n.error("has a mincharnum of " + Twine(least) +
                   "; it is the least number of characters of a token");
  std::vector<StringRef> patterns =
      n.stringsAttr("separators").value_or(std::vector<StringRef>());
  StringRef token = n.stringAttr("tokenexp");
  bool byToken = patterns.empty();
  if (byToken && token.empty())
    return n.error("has neither separators nor a tokenexp");
  if (byToken)
    patterns = {token};
  else if (patterns.size() == 1 && patterns[0].empty() && least > 1)
    return n.error("makes a token of each character, and keeps those of " +
                   Twine(least) + " and more");
  SmallVector<int64_t> shape;
  for (int64_t size : x.shape())
    shape.push_back(ShapedType::isDynamic(size) ? -1 : size);
  shape.push_back(-1);
  return n.out(
      LibraryCall(n, "tokenize")
          .set("by_token", byToken)
          .set("mark", n.intAttr("mark") != 0)
          .set("mincharnum", least)
          .tensor(ElementType::String, shape)(
              {x, texts(n, patterns), texts(n, {n.stringAttr("pad_value")})}));
}

LogicalResult importTfIdf(NodeBuilder &n) {
  Val x = n.in(0);
  StringRef mode = n.stringAttr("mode");
  int64_t number = mode == "TF" ? 0 : mode == "IDF" ? 1 : 2;
  if (number == 2 && mode != "TFIDF")
    return n.error("has the mode '" + mode + "', which ONNX does not define");
  std::optional<Ints> indexes = n.intsAttr("ngram_indexes");
  std::optional<Ints> counts = n.intsAttr("ngram_counts");
  if (!indexes || !counts || indexes->empty())
    return n.error("lacks its n-grams");
  if (llvm::any_of(*indexes, [](int64_t i) { return i < 0 || i >= INT32_MAX; }))
    return n.error("has an n-gram index that is out of range");
  int64_t shortest = n.intAttr("min_gram_length"),
          longest = n.intAttr("max_gram_length"),
          skips = n.intAttr("max_skip_count");
  if (shortest < 1 || longest < shortest || skips < 0)
    return n.error("has n-grams of " + Twine(shortest) + " to " +
                   Twine(longest) + " words and " + Twine(skips) +
                   " skips, which makes no sense");
  int64_t width = *llvm::max_element(*indexes) + 1;
  Val pool;
  if (std::optional<Ints> numbers = n.intsAttr("pool_int64s"))
    pool = n.constantInts(*numbers);
  else if (auto strings = n.stringsAttr("pool_strings"))
    pool = texts(n, *strings);
  else
    return n.error("lacks its pool");
  if ((pool.elem == ElementType::String) != (x.elem == ElementType::String))
    return n.error("looks up " + elementTypeName(x.elem) +
                   " among n-grams of " + elementTypeName(pool.elem));
  SmallVector<Val> operands{x, pool, n.constantInts(*counts),
                            n.constantInts(*indexes)};
  if (auto weights = n.floatsAttr("weights")) {
    if (static_cast<int64_t>(weights->size()) < width)
      return n.error("has " + Twine(weights->size()) + " weights for " +
                     Twine(width) + " n-grams");
    SmallVector<double> values(weights->begin(), weights->end());
    operands.push_back(n.constant(
        ElementType::Float, {static_cast<int64_t>(values.size())}, values));
  }
  if (x.rank() < 1 || x.rank() > 2)
    return n.error("needs one or two dimensions");
  Sizes dims;
  if (x.rank() == 2)
    dims.push_back(n.dim(x, 0));
  dims.push_back(n.index(width));
  return n.out(LibraryCall(n, "tfidf_vectorizer")
                   .set("max_gram_length", longest)
                   .set("max_skip_count", skips)
                   .set("min_gram_length", shortest)
                   .set("mode", number)
                   .sized(ElementType::Float, dims)(operands));
}

} // namespace

void hone::onnx::addStrings(OpTable &table) {
  table.add("StringConcat", importConcat, 2);
  table.add("StringSplit", importSplit, 1);
  table.add("StringNormalizer", importNormalizer, 1);
  table.add("RegexFullMatch", importRegex, 1);
  table.add("TfIdfVectorizer", importTfIdf, 1);
  table.setDomain("com.microsoft");
  table.add("Tokenizer", importTokenizer, 1);
  table.setDomain("");
}
