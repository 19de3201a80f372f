// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Einsum: operands are combined from the left, each pair by a batched matrix
// product over the labels that end with it, or by a broadcast product if none
// does.
#include "compiler/Import/Onnx/Builder/OpTable.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

/// Labels are letters; the dimensions of an ellipsis get '0', '1', ... from the
/// right.
struct Term {
  Val v;
  std::string labels;
};

struct EinsumImport {
  NodeBuilder &n;
  std::string output;

  int64_t axisOf(const Term &t, char label) { return t.labels.find(label); }
  bool has(const Term &t, char label) {
    return t.labels.find(label) != std::string::npos;
  }

  /// The diagonal of dimensions with the same label.
  Term takeDiagonals(Term t) {
    for (size_t i = 0; i < t.labels.size(); ++i) {
      size_t j = t.labels.find(t.labels[i], i + 1);
      if (j == std::string::npos)
        continue;
      Sizes dims = n.dims(t.v);
      n.agree(dims[i], dims[j], "a repeated label");
      Sizes kept = dims;
      kept.erase(kept.begin() + j);
      Val source = t.v;
      t.v = n.move(kept, source.elem, [&](ScalarBuilder &s) {
        SmallVector<Scalar> at;
        for (size_t d = 0; d < dims.size(); ++d)
          at.push_back(s.index(d == j ? i : d > j ? d - 1 : d));
        return s.extract(source.value, at);
      });
      t.labels.erase(j, 1);
      --i;
    }
    return t;
  }

  /// Sums over labels that are not needed later.
  Term sumOut(Term t, StringRef needed) {
    Ints axes;
    std::string kept;
    for (auto [i, label] : llvm::enumerate(t.labels)) {
      if (needed.contains(label))
        kept.push_back(label);
      else
        axes.push_back(i);
    }
    if (!axes.empty())
      t.v = n.sum(n.widened(t.v), axes, /*keepdims=*/false);
    t.labels = kept;
    return t;
  }

  Term ordered(Term t, StringRef labels) {
    Ints permutation;
    for (char label : labels)
      permutation.push_back(axisOf(t, label));
    t.v = n.transpose(t.v, permutation);
    t.labels = labels.str();
    return t;
  }

  /// The matrix [batch.., rows, columns] of a term.
  Val matrix(Term t, StringRef batch, StringRef rows, StringRef columns) {
    t = ordered(t, (batch + rows + columns).str());
    Sizes dims = n.dims(t.v);
    ArrayRef<Size> all = dims;
    Sizes shape(all.take_front(batch.size()));
    shape.push_back(n.product(all.slice(batch.size(), rows.size())));
    shape.push_back(n.product(all.take_back(columns.size())));
    return n.reshape(t.v, shape);
  }

  /// The size of a label shared by two terms, one of which may be 1 in a run.
  Size common(Size x, Size y) {
    if (n.same(x, y) || n.known(x))
      return x;
    if (n.known(y))
      return y;
    Scalar own = n.host().size(x), other = n.host().size(y);
    return n.toSize(select(eq(own, 1), other, own));
  }

  /// The product of two terms; only the last of all may be rounded.
  Term combine(Term a, Term b, StringRef needed, bool last) {
    if (a.v.elem != b.v.elem) {
      a.v = n.widened(a.v);
      b.v = n.widened(b.v);
    }
    std::string batch, contracted, left, right;
    Sizes ofA = n.dims(a.v), ofB = n.dims(b.v);
    for (char label : a.labels) {
      if (!has(b, label)) {
        left.push_back(label);
        continue;
      }
      Size &x = ofA[axisOf(a, label)], &y = ofB[axisOf(b, label)];
      // A size of 1 broadcasts, which a product of maps supports.
      if (!n.same(x, y) && (n.known(x) == 1 || n.known(y) == 1))
        return multiply(a, b, needed);
      n.agree(x, y, "a label");
      x = y = common(x, y);
      (needed.contains(label) ? batch : contracted).push_back(label);
    }
    a.v = n.alignTo(a.v, ofA);
    b.v = n.alignTo(b.v, ofB);
    if (contracted.empty())
      return multiply(a, b, needed);
    for (char label : b.labels)
      if (!has(a, label))
        right.push_back(label);
    Sizes dims;
    for (char label : batch)
      dims.push_back(n.dim(a.v, axisOf(a, label)));
    for (char label : left)
      dims.push_back(n.dim(a.v, axisOf(a, label)));
    for (char label : right)
      dims.push_back(n.dim(b.v, axisOf(b, label)));
    Val rows = matrix(a, batch, left, contracted),
        columns = matrix(b, batch, contracted, right);
    Val product = last ? n.matmul(rows, columns) : n.wideMatmul(rows, columns);
    return {n.reshape(product, dims), batch + left + right};
  }

  Term multiply(Term a, Term b, StringRef needed) {
    std::string labels = a.labels;
    for (char label : b.labels)
      if (!has(a, label))
        labels.push_back(label);
    auto spread = [&](Term t) {
      std::string own;
      Ints missing;
      for (auto [i, label] : llvm::enumerate(labels)) {
        if (has(t, label))
          own.push_back(label);
        else
          missing.push_back(i);
      }
      return n.unsqueeze(ordered(t, own).v, missing);
    };
    Val product = n.map({spread(a), spread(b)}, widenedType(a.v.elem),
                        [](ArrayRef<Scalar> v) { return v[0] * v[1]; });
    return sumOut({product, labels}, needed);
  }

  LogicalResult run(ArrayRef<Term> given) {
    SmallVector<Term> terms;
    for (const Term &t : given)
      terms.push_back(takeDiagonals(t));
    auto neededAfter = [&](size_t i) {
      std::string needed = output;
      for (size_t k = i + 1; k < terms.size(); ++k)
        needed += terms[k].labels;
      return needed;
    };
    Term result = terms[0];
    result = sumOut(result, neededAfter(0));
    for (size_t i = 1; i < terms.size() && !n.failed(); ++i) {
      std::string needed = neededAfter(i);
      Term next = sumOut(terms[i], needed + result.labels);
      result = combine(result, next, needed, i + 1 == terms.size());
    }
    if (n.failed())
      return failure();
    for (char label : output)
      if (!has(result, label))
        return n.error("has an output label that no input has");
    result = sumOut(result, output);
    result.v = n.cast(result.v, n.in(0).elem);
    return n.out(ordered(result, output).v);
  }
};

LogicalResult importEinsum(NodeBuilder &n) {
  std::string equation;
  for (char c : n.stringAttr("equation"))
    if (c != ' ')
      equation.push_back(c);
  auto [inputs, output] = StringRef(equation).split("->");
  bool explicitOutput = StringRef(equation).contains("->");
  SmallVector<StringRef> parts;
  inputs.split(parts, ',');
  if (parts.size() != n.numInputs())
    return n.error("has an equation for " + Twine(parts.size()) +
                   " operands, and " + Twine(n.numInputs()) + " operands");

  auto isLabels = [](StringRef text) {
    return llvm::all_of(text, [](char c) { return llvm::isAlpha(c); });
  };
  /// Labels around an ellipsis of `extra` dimensions.
  auto expand = [&](StringRef part, size_t extra) {
    auto [before, after] = part.split("...");
    std::string labels = before.str();
    if (part.contains("..."))
      for (size_t i = extra; i > 0; --i)
        labels.push_back(static_cast<char>('0' + i - 1));
    return labels + after.str();
  };
  SmallVector<Term> terms;
  size_t widest = 0;
  std::string all;
  for (auto [i, part] : llvm::enumerate(parts)) {
    auto [before, after] = part.split("...");
    size_t named = before.size() + after.size();
    size_t rank = n.in(i).rank();
    bool ellipsis = part.contains("...");
    if (!isLabels(before) || !isLabels(after) || named > rank ||
        (!ellipsis && named != rank) || rank - named > 9)
      return n.error("has an equation that does not fit operand " + Twine(i));
    widest = std::max(widest, rank - named);
    terms.push_back({n.in(i), expand(part, rank - named)});
    all += terms.back().labels;
  }
  EinsumImport einsum{n, ""};
  if (explicitOutput) {
    auto [before, after] = output.split("...");
    if (!isLabels(before) || !isLabels(after))
      return n.error("has an output that is not a list of labels");
    einsum.output = expand(output, widest);
    std::string sorted = einsum.output;
    llvm::sort(sorted);
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
      return n.error("repeats a label in its output");
  } else {
    einsum.output = expand("...", widest);
    std::string once = all;
    llvm::sort(once);
    for (size_t i = 0; i < once.size(); ++i)
      if (llvm::isAlpha(once[i]) && llvm::count(once, once[i]) == 1)
        einsum.output.push_back(once[i]);
  }
  return einsum.run(terms);
}

} // namespace

void hone::onnx::addEinsum(OpTable &table) {
  table.add("Einsum", importEinsum, 1, kVariadic);
}
