// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Threads of a device as coroutines of one host thread.
#ifndef HONE_RUNTIME_DEVICE_EMULATOR_FIBER_H
#define HONE_RUNTIME_DEVICE_EMULATOR_FIBER_H

#include <cstddef>
#include <vector>

namespace hone::emulator {

/// A stack with a guard page below.
class Stack {
public:
  Stack();
  ~Stack();
  Stack(const Stack &) = delete;
  void *top() const;

private:
  char *memory;
};

/// Stacks waiting for reuse.
class StackPool {
public:
  ~StackPool();
  Stack *take();
  void giveBack(Stack *stack) { unused.push_back(stack); }

private:
  std::vector<Stack *> unused;
};

/// The state of a suspended fiber: its stack pointer, with the callee-saved
/// registers on the stack.
using Context = void *;

/// A context that will call `entry(argument)` on `stack`; `entry` must not
/// return.
Context makeContext(const Stack &stack, void (*entry)(void *), void *argument);

/// Saves the caller's state, and continues with `to`.
void switchContext(Context &from, Context to);

} // namespace hone::emulator

#endif // HONE_RUNTIME_DEVICE_EMULATOR_FIBER_H
