// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Descriptions of machines as attributes, and those of the named levels.
#include "dialects/Machine/Machine.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace hone;
using namespace hone::machine;

namespace {
struct Field {
  StringLiteral name;
  int64_t CpuMachine::*value;
  int64_t least, most;
};
} // namespace

// Limits keep what is computed from a description within 64 bits.
static constexpr int64_t kMaxCacheBytes = int64_t(1) << 40;
static constexpr Field kFields[] = {
    {"vector_bits", &CpuMachine::vectorBits, 128, 512},
    {"vector_registers", &CpuMachine::vectorRegisters, 8, 32},
    {"fma", &CpuMachine::fma, 0, 1},
    {"fma_ports", &CpuMachine::fmaPorts, 1, 16},
    {"fma_latency", &CpuMachine::fmaLatency, 1, 64},
    {"load_ports", &CpuMachine::loadPorts, 1, 16},
    {"l1_bytes", &CpuMachine::l1Bytes, 1 << 10, kMaxCacheBytes},
    {"l1_ways", &CpuMachine::l1Ways, 1, 1 << 10},
    {"l2_bytes", &CpuMachine::l2Bytes, 1 << 10, kMaxCacheBytes},
    {"threads", &CpuMachine::threads, 0, kMaxThreads},
};

bool CpuMachine::operator==(const CpuMachine &other) const {
  return name == other.name && llvm::all_of(kFields, [&](const Field &field) {
           return this->*field.value == other.*field.value;
         });
}

llvm::hash_code hone::hash_value(const CpuMachine &machine) {
  llvm::hash_code hash = llvm::hash_value(machine.name);
  for (const Field &field : kFields)
    hash = llvm::hash_combine(hash, machine.*field.value);
  return hash;
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
  if (named.getName() != kCpuAttr)
    return op->emitError("unknown attribute '")
           << named.getName().strref() << "'";
  if (!isa<ModuleOp>(op) || !isa<CpuAttr>(named.getValue()))
    return op->emitError("'")
           << kCpuAttr << "' is a #hone_machine.cpu on a module";
  return success();
}

LogicalResult CpuAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                              CpuMachine machine) {
  for (const Field &field : kFields)
    if (int64_t value = machine.*field.value;
        value < field.least || value > field.most)
      return emitError() << field.name << " is " << value << "; it is from "
                         << field.least << " to " << field.most;
  if (!llvm::isPowerOf2_64(machine.vectorBits))
    return emitError() << "vector_bits is " << machine.vectorBits
                       << ", which is not a power of 2";
  return success();
}

void CpuAttr::print(AsmPrinter &printer) const {
  printer << '<' << '"' << getMachine().name << '"';
  for (const Field &field : kFields)
    printer << ", " << field.name << " = " << getMachine().*field.value;
  printer << '>';
}

Attribute CpuAttr::parse(AsmParser &parser, Type) {
  CpuMachine machine;
  if (parser.parseLess() || parser.parseString(&machine.name))
    return {};
  while (succeeded(parser.parseOptionalComma())) {
    SMLoc loc = parser.getCurrentLocation();
    StringRef name;
    if (parser.parseKeyword(&name) || parser.parseEqual())
      return {};
    const Field *field = llvm::find_if(
        kFields, [&](const Field &field) { return field.name == name; });
    if (field == std::end(kFields)) {
      parser.emitError(loc, "a CPU has no field '") << name << "'";
      return {};
    }
    if (parser.parseInteger(machine.*field->value))
      return {};
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<CpuAttr>(parser.getContext(), machine);
}

const CpuMachine &CpuMachine::of(Operation *op) {
  static const CpuMachine common;
  for (; op; op = op->getParentOp())
    if (auto attribute = op->getAttrOfType<CpuAttr>(kCpuAttr))
      return attribute.getImpl()->machine;
  return common;
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
