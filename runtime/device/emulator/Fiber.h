// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Threads of a device as coroutines of one host thread.
#ifndef HONE_RUNTIME_DEVICE_EMULATOR_FIBER_H
#define HONE_RUNTIME_DEVICE_EMULATOR_FIBER_H

#include <cstddef>
#include <vector>

namespace hone::emulator {

/// A stack with a page behind its end that faults.
class Stack {
public:
  Stack();
  ~Stack();
  Stack(const Stack &) = delete;
  void *top() const;

private:
  char *memory;
};

/// Stacks that wait for their next fiber.
class StackPool {
public:
  ~StackPool();
  Stack *take();
  void giveBack(Stack *stack) { unused.push_back(stack); }

private:
  std::vector<Stack *> unused;
};

/// Where a fiber stands while it does not run: its stack pointer, below which
/// lie the registers that calls keep.
using Context = void *;

/// A context that will call `entry(argument)` on `stack`; `entry` must not
/// return.
Context makeContext(const Stack &stack, void (*entry)(void *), void *argument);

/// Stores where the caller stands, and goes on with `to`.
void switchContext(Context &from, Context to);

} // namespace hone::emulator

#endif // HONE_RUNTIME_DEVICE_EMULATOR_FIBER_H
