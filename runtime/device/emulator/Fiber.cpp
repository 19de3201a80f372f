// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Stacks and switching between them. swapcontext would do, but its every switch
// saves the signal mask by a system call.
#include "runtime/device/emulator/Fiber.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

using namespace hone::emulator;

namespace {
/// Kernels of the emulator are not optimized: large frames.
constexpr size_t kStackBytes = 256 * 1024;
constexpr size_t kGuardBytes = 4096;
} // namespace

// Saves the callee-saved registers and the stack pointer.
asm(R"(
.text
.p2align 4
.type hone_emulator_switch,@function
hone_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size hone_emulator_switch, .-hone_emulator_switch

.p2align 4
.type hone_emulator_start,@function
hone_emulator_start:
  movq %r12, %rdi
  callq *%r13
  ud2
.size hone_emulator_start, .-hone_emulator_start
)");

extern "C" {
void hone_emulator_switch(void **from, void *to)
    __attribute__((visibility("hidden")));
void hone_emulator_start() __attribute__((visibility("hidden")));
}

Stack::Stack() {
  void *mapped =
      mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    std::fprintf(stderr, "hone emulator: no memory for a thread's stack\n");
    std::abort();
  }
  memory = static_cast<char *>(mapped);
  mprotect(memory, kGuardBytes, PROT_NONE);
}

Stack::~Stack() { munmap(memory, kStackBytes + kGuardBytes); }

void *Stack::top() const { return memory + kGuardBytes + kStackBytes; }

StackPool::~StackPool() {
  for (Stack *stack : unused)
    delete stack;
}

Stack *StackPool::take() {
  if (unused.empty())
    return new Stack;
  Stack *stack = unused.back();
  unused.pop_back();
  return stack;
}

Context hone::emulator::makeContext(const Stack &stack, void (*entry)(void *),
                                    void *argument) {
  // What the switch pops: r15, r14, r13, r12, rbx, rbp, and the return address;
  // the stack is then aligned as before a call.
  auto *frame = reinterpret_cast<uint64_t *>(stack.top()) - 9;
  frame[0] = frame[1] = frame[4] = frame[5] = frame[7] = frame[8] = 0;
  frame[2] = reinterpret_cast<uint64_t>(entry);
  frame[3] = reinterpret_cast<uint64_t>(argument);
  frame[6] = reinterpret_cast<uint64_t>(&hone_emulator_start);
  return frame;
}

void hone::emulator::switchContext(Context &from, Context to) {
  hone_emulator_switch(&from, to);
}
