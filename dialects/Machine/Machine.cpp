// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Descriptions of machines as attributes, and those of the named levels.
#include "dialects/Machine/Machine.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace hone;
using namespace hone::machine;

namespace {
/// A numeric field of a description and its range.
template <typename Machine> struct Field {
  StringLiteral name;
  int64_t Machine::*value;
  int64_t least, most;
};
} // namespace

// Ranges keep values computed from a description within 64 bits.
static constexpr int64_t kMaxBytes = int64_t(1) << 40;

template <typename Machine> static ArrayRef<Field<Machine>> fieldsOf();

template <> ArrayRef<Field<CpuMachine>> fieldsOf<CpuMachine>() {
  static constexpr Field<CpuMachine> fields[] = {
      {"vector_bits", &CpuMachine::vectorBits, 128, 512},
      {"vector_registers", &CpuMachine::vectorRegisters, 8, 32},
      {"fma", &CpuMachine::fma, 0, 1},
      {"byte_dot", &CpuMachine::byteDot, 0, 1},
      {"byte_permute", &CpuMachine::bytePermute, 0, 1},
      {"bf16_dot", &CpuMachine::bf16Dot, 0, 16},
      {"byte_matrix", &CpuMachine::byteMatrix, 0, 1},
      {"bf16_matrix", &CpuMachine::bf16Matrix, 0, 1},
      {"emulated", &CpuMachine::emulated, 0, 1},
      {"fma_ports", &CpuMachine::fmaPorts, 1, 16},
      {"fma_latency", &CpuMachine::fmaLatency, 1, 64},
      {"load_ports", &CpuMachine::loadPorts, 1, 16},
      {"l1_bytes", &CpuMachine::l1Bytes, 1 << 10, kMaxBytes},
      {"l1_ways", &CpuMachine::l1Ways, 1, 1 << 10},
      {"l2_bytes", &CpuMachine::l2Bytes, 1 << 10, kMaxBytes},
      {"threads", &CpuMachine::threads, 0, kMaxThreads},
  };
  return fields;
}

template <> ArrayRef<Field<GpuMachine>> fieldsOf<GpuMachine>() {
  static constexpr Field<GpuMachine> fields[] = {
      {"multiprocessors", &GpuMachine::multiprocessors, 1, 1 << 16},
      {"shared_bytes", &GpuMachine::sharedBytes, 16 << 10, kMaxBytes},
  };
  return fields;
}

template <typename Machine>
static bool areEqual(const Machine &a, const Machine &b) {
  return a.name == b.name &&
         llvm::all_of(fieldsOf<Machine>(), [&](const Field<Machine> &field) {
           return a.*field.value == b.*field.value;
         });
}

bool CpuMachine::operator==(const CpuMachine &other) const {
  return areEqual(*this, other);
}

bool GpuMachine::operator==(const GpuMachine &other) const {
  return areEqual(*this, other);
}

template <typename Machine>
static llvm::hash_code hashOf(const Machine &machine) {
  llvm::hash_code hash = llvm::hash_value(machine.name);
  for (const Field<Machine> &field : fieldsOf<Machine>())
    hash = llvm::hash_combine(hash, machine.*field.value);
  return hash;
}

llvm::hash_code hone::hash_value(const CpuMachine &machine) {
  return hashOf(machine);
}

llvm::hash_code hone::hash_value(const GpuMachine &machine) {
  return hashOf(machine);
}

#define GET_ATTRDEF_CLASSES
#include "dialects/Machine/MachineAttrs.cpp.inc"

#include "dialects/Machine/MachineDialect.cpp.inc"

void MachineDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Machine/MachineAttrs.cpp.inc"
      >();
}

LogicalResult MachineDialect::verifyOperationAttribute(Operation *op,
                                                       NamedAttribute named) {
  StringRef name = named.getName().strref();
  bool isCpu = name == kCpuAttr;
  if (!isCpu && name != kGpuAttr)
    return op->emitError("unknown attribute '") << name << "'";
  if (!isa<ModuleOp>(op) || !(isCpu ? isa<CpuAttr>(named.getValue())
                                    : isa<GpuAttr>(named.getValue())))
    return op->emitError("'") << name << "' is a #" << name << " on a module";
  return success();
}

template <typename Machine>
static LogicalResult verifyFields(function_ref<InFlightDiagnostic()> emitError,
                                  const Machine &machine) {
  for (const Field<Machine> &field : fieldsOf<Machine>())
    if (int64_t value = machine.*field.value;
        value < field.least || value > field.most)
      return emitError() << field.name << " is " << value << "; it is from "
                         << field.least << " to " << field.most;
  return success();
}

LogicalResult CpuAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                              CpuMachine machine) {
  if (failed(verifyFields(emitError, machine)))
    return failure();
  if (!llvm::isPowerOf2_64(machine.vectorBits))
    return emitError() << "vector_bits is " << machine.vectorBits
                       << ", which is not a power of 2";
  return success();
}

LogicalResult GpuAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                              GpuMachine machine) {
  return verifyFields(emitError, machine);
}

template <typename Machine>
static void printFields(AsmPrinter &printer, const Machine &machine) {
  printer << '<';
  printer.printString(machine.name);
  for (const Field<Machine> &field : fieldsOf<Machine>())
    printer << ", " << field.name << " = " << machine.*field.value;
  printer << '>';
}

void CpuAttr::print(AsmPrinter &printer) const {
  printFields(printer, getMachine());
}

void GpuAttr::print(AsmPrinter &printer) const {
  printFields(printer, getMachine());
}

template <typename Attr, typename Machine>
static Attribute parseFields(AsmParser &parser) {
  Machine machine;
  if (parser.parseLess() || parser.parseString(&machine.name))
    return {};
  while (succeeded(parser.parseOptionalComma())) {
    SMLoc loc = parser.getCurrentLocation();
    StringRef name;
    if (parser.parseKeyword(&name) || parser.parseEqual())
      return {};
    ArrayRef<Field<Machine>> fields = fieldsOf<Machine>();
    const Field<Machine> *field =
        llvm::find_if(fields, [&](const Field<Machine> &known) {
          return known.name == name;
        });
    if (field == fields.end()) {
      parser.emitError(loc, "there is no field '") << name << "'";
      return {};
    }
    if (parser.parseInteger(machine.*field->value))
      return {};
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<Attr>(parser.getContext(), machine);
}

Attribute CpuAttr::parse(AsmParser &parser, Type) {
  return parseFields<CpuAttr, CpuMachine>(parser);
}

Attribute GpuAttr::parse(AsmParser &parser, Type) {
  return parseFields<GpuAttr, GpuMachine>(parser);
}

/// The description on the closest enclosing module, or the default machine.
template <typename Attr, typename Machine>
static const Machine &find(Operation *op, StringRef name) {
  static const Machine common;
  for (; op; op = op->getParentOp())
    if (auto attribute = op->getAttrOfType<Attr>(name))
      return attribute.getImpl()->machine;
  return common;
}

const CpuMachine &CpuMachine::of(Operation *op) {
  return find<CpuAttr, CpuMachine>(op, kCpuAttr);
}

const GpuMachine &GpuMachine::of(Operation *op) {
  return find<GpuAttr, GpuMachine>(op, kGpuAttr);
}

std::optional<CpuMachine> hone::machineOfLevel(StringRef name) {
  CpuMachine machine;
  machine.name = name.str();
  if (name == "x86-64-v2") {
    machine.vectorBits = 128;
    machine.fma = 0;
  } else if (name == "x86-64-v4") {
    machine.vectorBits = 512;
    machine.vectorRegisters = 32;
  } else if (name != "x86-64-v3") {
    return std::nullopt;
  }
  return machine;
}

GpuMachine hone::machineOfChip(StringRef name) {
  struct Chip {
    StringLiteral name;
    int64_t multiprocessors;
  };
  static constexpr Chip chips[] = {
      {"sm_80", 108},  {"sm_86", 84},   {"sm_87", 16},  {"sm_89", 142},
      {"sm_90", 132},  {"sm_100", 148}, {"sm_101", 20}, {"sm_103", 160},
      {"sm_120", 188}, {"sm_121", 48},
  };
  const Chip *chip = llvm::find_if(
      chips, [&](const Chip &chip) { return chip.name == name.rtrim("af"); });
  GpuMachine machine;
  machine.name = name.str();
  machine.multiprocessors =
      chip == std::end(chips) ? 132 : chip->multiprocessors;
  return machine;
}
