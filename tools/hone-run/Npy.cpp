// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reading and writing .npy files.
#include "tools/hone-run/Npy.h"
#include "hone/runtime.h"

#include <algorithm>
#include <cstring>

using namespace hone::run;

namespace {

struct Header {
  char kind = 0; ///< as in NumPy's dtype.kind
  int64_t itemBytes = 0;
  bool bigEndian = false, fortran = false;
  std::vector<int64_t> dims;
};

/// Walks the header's Python literal.
struct Parser {
  const std::string &text;
  size_t at = 0;

  void skipSpace() {
    while (at < text.size() && strchr(" \t\n", text[at]))
      ++at;
  }
  bool eat(char c) {
    skipSpace();
    if (at >= text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }
  bool eatWord(const char *word) {
    skipSpace();
    if (text.compare(at, strlen(word), word) != 0)
      return false;
    at += strlen(word);
    return true;
  }
  bool string(std::string &result) {
    skipSpace();
    if (at >= text.size() || (text[at] != '\'' && text[at] != '"'))
      return false;
    size_t end = text.find(text[at], at + 1);
    if (end == std::string::npos)
      return false;
    result = text.substr(at + 1, end - at - 1);
    at = end + 1;
    return true;
  }
  bool number(int64_t &result) {
    skipSpace();
    size_t start = at;
    for (result = 0; at < text.size() && isdigit(text[at]); ++at)
      if (__builtin_mul_overflow(result, 10, &result) ||
          __builtin_add_overflow(result, text[at] - '0', &result))
        return false;
    return at > start;
  }
  bool shape(std::vector<int64_t> &dims) {
    if (!eat('('))
      return false;
    while (!eat(')')) {
      int64_t dim;
      if (!number(dim))
        return false;
      dims.push_back(dim);
      if (!eat(',') && (skipSpace(), at >= text.size() || text[at] != ')'))
        return false;
    }
    return true;
  }
};

bool parseDescr(const std::string &descr, Header &header) {
  size_t at = 0;
  if (!descr.empty() && strchr("<>|=", descr[0])) {
    header.bigEndian = descr[0] == '>';
    at = 1;
  }
  if (at >= descr.size())
    return false;
  header.kind = descr[at++];
  Parser digits{descr, at};
  if (!digits.number(header.itemBytes) || digits.at != descr.size() ||
      header.itemBytes == 0 || header.itemBytes > (int64_t(1) << 40))
    return false;
  if (header.kind == 'U')
    header.itemBytes *= 4;
  return strchr("biufcSUV", header.kind) != nullptr;
}

bool parseHeader(const std::string &text, Header &header) {
  Parser parser{text};
  bool hasDescr = false, hasOrder = false, hasShape = false;
  if (!parser.eat('{'))
    return false;
  while (!parser.eat('}')) {
    std::string key, descr;
    if (!parser.string(key) || !parser.eat(':'))
      return false;
    if (key == "descr") {
      hasDescr = parser.string(descr) && parseDescr(descr, header);
      if (!hasDescr)
        return false;
    } else if (key == "fortran_order") {
      header.fortran = parser.eatWord("True");
      hasOrder = header.fortran || parser.eatWord("False");
      if (!hasOrder)
        return false;
    } else if (key == "shape") {
      hasShape = parser.shape(header.dims);
      if (!hasShape)
        return false;
    } else {
      return false;
    }
    parser.eat(',');
  }
  return hasDescr && hasOrder && hasShape;
}

/// NumPy's kind for a type, or 0 if it has none.
char npyKind(int32_t type) {
  switch (type) {
  case HONE_TYPE_FLOAT:
  case HONE_TYPE_DOUBLE:
  case HONE_TYPE_FLOAT16:
    return 'f';
  case HONE_TYPE_INT8:
  case HONE_TYPE_INT16:
  case HONE_TYPE_INT32:
  case HONE_TYPE_INT64:
    return 'i';
  case HONE_TYPE_UINT8:
  case HONE_TYPE_UINT16:
  case HONE_TYPE_UINT32:
  case HONE_TYPE_UINT64:
    return 'u';
  case HONE_TYPE_BOOL:
    return 'b';
  case HONE_TYPE_COMPLEX64:
  case HONE_TYPE_COMPLEX128:
    return 'c';
  case HONE_TYPE_STRING:
    return 'S';
  default:
    return 0;
  }
}

/// Bytes of an element in a file; elements of 4 and 2 bits take one each.
int64_t fileBytes(int32_t type) { return (hone_type_bits(type) + 7) / 8; }

bool fits(const Header &header, int32_t type) {
  if (type == HONE_TYPE_STRING)
    return header.kind == 'S' || header.kind == 'U';
  if (header.itemBytes != fileBytes(type))
    return false;
  char kind = npyKind(type);
  if (kind)
    return header.kind == kind;
  return strchr("uV", header.kind) ||
         (type == HONE_TYPE_INT4 || type == HONE_TYPE_INT2 ? header.kind == 'i'
                                                           : false);
}

/// Column-major to row-major.
Bytes transpose(const Bytes &data, const std::vector<int64_t> &dims,
                int64_t bytes) {
  Bytes result(data.size());
  std::vector<int64_t> index(dims.size(), 0);
  int64_t count = bytes > 0 ? int64_t(data.size()) / bytes : 0;
  for (int64_t i = 0; i < count; ++i) {
    int64_t to = 0;
    for (size_t d = 0; d < dims.size(); ++d)
      to = to * dims[d] + index[d];
    memcpy(&result[to * bytes], &data[i * bytes], bytes);
    for (size_t d = 0; d < dims.size() && ++index[d] == dims[d]; ++d)
      index[d] = 0;
  }
  return result;
}

void swapBytes(Bytes &data, const Header &header) {
  int64_t bytes = header.kind == 'c'   ? header.itemBytes / 2
                  : header.kind == 'U' ? 4
                                       : header.itemBytes;
  if (!header.bigEndian || bytes < 2)
    return;
  for (size_t i = 0; i + bytes <= data.size(); i += bytes)
    std::reverse(data.begin() + i, data.begin() + i + bytes);
}

/// From one byte per element to `bits` per element, the first in the low bits.
Bytes pack(const Bytes &data, int bits) {
  int perByte = 8 / bits, mask = (1 << bits) - 1;
  Bytes result((data.size() + perByte - 1) / perByte, 0);
  for (size_t i = 0; i < data.size(); ++i)
    result[i / perByte] |= (data[i] & mask) << (i % perByte * bits);
  return result;
}

void appendUtf8(std::string &text, uint32_t c) {
  if (c < 0x80) {
    text += char(c);
  } else if (c < 0x800) {
    text += char(0xc0 | c >> 6);
    text += char(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    text += char(0xe0 | c >> 12);
    text += char(0x80 | (c >> 6 & 0x3f));
    text += char(0x80 | (c & 0x3f));
  } else {
    text += char(0xf0 | (c >> 18 & 7));
    text += char(0x80 | (c >> 12 & 0x3f));
    text += char(0x80 | (c >> 6 & 0x3f));
    text += char(0x80 | (c & 0x3f));
  }
}

/// Decodes UTF-8. False: invalid.
bool decodeUtf8(const hone_string &text, std::vector<uint32_t> &result) {
  for (size_t i = 0; i < text.size;) {
    uint8_t lead = text.data[i++];
    int more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : 3;
    if (more == 3 && lead >> 3 != 30)
      return false;
    uint32_t c = more == 0 ? lead : lead & (0x3f >> more);
    for (; more > 0; --more) {
      if (i >= text.size || (text.data[i] & 0xc0) != 0x80)
        return false;
      c = c << 6 | (text.data[i++] & 0x3f);
    }
    result.push_back(c);
  }
  return true;
}

/// Fixed-width strings of a file to hone_strings; trailing NULs are padding.
void takeStrings(Array &array, const Bytes &raw, const Header &header,
                 int64_t count) {
  std::deque<std::string> texts;
  for (int64_t i = 0; i < count; ++i) {
    const char *item = raw.data() + i * header.itemBytes;
    std::string text;
    if (header.kind == 'U') {
      std::vector<uint32_t> chars(header.itemBytes / 4);
      memcpy(chars.data(), item, header.itemBytes);
      while (!chars.empty() && chars.back() == 0)
        chars.pop_back();
      for (uint32_t c : chars)
        appendUtf8(text, c);
    } else {
      text.assign(item, header.itemBytes);
      text.erase(text.find_last_not_of('\0') + 1);
    }
    texts.push_back(std::move(text));
  }
  array.setStrings(std::move(texts));
}

std::string descrOf(int32_t type) {
  char kind = npyKind(type);
  int64_t bytes = fileBytes(type);
  return std::string(bytes > 1 ? "<" : "|") + (kind ? kind : 'u') +
         std::to_string(bytes);
}

/// Strings as NumPy's fixed-width text, or as bytes if they are not UTF-8.
std::string encodeStrings(const hone_tensor &tensor, int64_t count,
                          std::string &descr) {
  auto *strings = static_cast<const hone_string *>(tensor.data);
  std::vector<std::vector<uint32_t>> decoded(count);
  bool isText = true;
  size_t width = 1, bytes = 1;
  for (int64_t i = 0; i < count; ++i) {
    isText = isText && decodeUtf8(strings[i], decoded[i]);
    width = std::max(width, decoded[i].size());
    bytes = std::max(bytes, strings[i].size);
  }
  size_t itemBytes = isText ? 4 * width : bytes;
  std::string data(itemBytes * count, 0);
  for (int64_t i = 0; i < count; ++i) {
    if (isText && !decoded[i].empty())
      memcpy(&data[i * itemBytes], decoded[i].data(), 4 * decoded[i].size());
    else if (!isText && strings[i].size)
      memcpy(&data[i * itemBytes], strings[i].data, strings[i].size);
  }
  descr = isText ? "<U" + std::to_string(width) : "|S" + std::to_string(bytes);
  return data;
}

std::string unpack(const hone_tensor &tensor, int64_t count) {
  int bits = hone_type_bits(tensor.type), perByte = 8 / bits;
  std::string data(count, 0);
  for (int64_t i = 0; i < count; ++i)
    data[i] = static_cast<const uint8_t *>(tensor.data)[i / perByte] >>
                  (i % perByte * bits) &
              ((1 << bits) - 1);
  return data;
}

} // namespace

Array hone::run::readNpy(const std::string &path, int32_t type) {
  FileSource file(path);
  return readNpy(file, path, type);
}

Array hone::run::readNpy(ByteSource &source, const std::string &name,
                         int32_t type) {
  auto fail = [&](const std::string &why) -> Failure {
    return {1, name + ": " + why};
  };
  auto read = [&](void *to, size_t size) {
    return source.read(static_cast<char *>(to), size) == size;
  };
  uint8_t start[12] = {};
  if (!read(start, 10) || memcmp(start, "\x93NUMPY", 6) != 0)
    throw fail("not a .npy file");
  size_t length = start[8] | start[9] << 8;
  if (start[6] > 1) {
    if (!read(start + 10, 2))
      throw fail("the file ends within its header");
    length |= size_t(start[10]) << 16 | size_t(start[11]) << 24;
  }
  if (length > (1u << 20))
    throw fail("the header is too long");
  std::string text(length, 0);
  if (!read(text.data(), length))
    throw fail("the file ends within its header");
  Header header;
  if (!parseHeader(text, header))
    throw fail("not a plain array of numbers or strings: " +
               text.substr(0, text.find_last_not_of(" \n") + 1));
  if (!fits(header, type))
    throw fail(std::string("the model has ") + hone_type_name(type) +
               ", the file holds '" + header.kind +
               std::to_string(header.itemBytes) + "'");

  int64_t count = 1, bytes = 0;
  for (int64_t dim : header.dims)
    if (__builtin_mul_overflow(count, dim, &count))
      throw fail("the shape is too large");
  if (__builtin_mul_overflow(count, header.itemBytes, &bytes))
    throw fail("the shape is too large");
  Array array;
  array.type = type;
  array.dims = header.dims;
  Bytes raw;
  if (!readBytes(source, size_t(bytes), raw))
    throw fail("the file is shorter than its shape says");
  swapBytes(raw, header);
  if (header.fortran && header.dims.size() > 1)
    raw = transpose(raw, header.dims, header.itemBytes);
  if (type == HONE_TYPE_STRING)
    takeStrings(array, raw, header, count);
  else if (hone_type_bits(type) < 8)
    array.data = pack(raw, hone_type_bits(type));
  else
    array.data = std::move(raw);
  return array;
}

void hone::run::writeNpy(const std::string &path, const hone_tensor &tensor) {
  int64_t count = elementCount(tensor);
  std::string shape = "(";
  for (int32_t i = 0; i < tensor.rank; ++i)
    shape += std::to_string(tensor.dims[i]) + (i + 1 < tensor.rank ? ", "
                                               : tensor.rank == 1  ? ","
                                                                   : "");
  shape += ")";
  std::string descr = descrOf(tensor.type), converted;
  const char *data = static_cast<const char *>(tensor.data);
  size_t bytes = size_t(count) * fileBytes(tensor.type);
  if (tensor.type == HONE_TYPE_STRING)
    converted = encodeStrings(tensor, count, descr);
  else if (hone_type_bits(tensor.type) < 8)
    converted = unpack(tensor, count);
  if (tensor.type == HONE_TYPE_STRING || hone_type_bits(tensor.type) < 8) {
    data = converted.data();
    bytes = converted.size();
  }
  std::string header = "{'descr': '" + descr +
                       "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.append(63 - (header.size() + 10) % 64, ' ');
  header += '\n';
  char start[10] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0};
  start[8] = char(header.size() & 0xff);
  start[9] = char(header.size() >> 8);

  writeFile(path, {{start, sizeof(start)}, header, {data, bytes}});
}
